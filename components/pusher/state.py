"""State of a model directory that its directory names cannot hold, in the file `.versions.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from schema.errors import UserError
from schema.files import atomic_write_text

STATE_FILE: Final = ".versions.json"


@dataclass(frozen=True)
class State:
    """Numbers that were used, models that were rolled back, and the last push.

    Attributes:
        highest: Highest version number ever used, even if its directory no longer exists.
        rolled_back: Version of each model that was rolled back, by digest of its manifest.
        token: Destination token of the last push (see `versions.destination_token`).
        token_current: Current version after that push; None if there was none.
    """

    highest: int = 0
    rolled_back: dict[str, int] = field(default_factory=dict)
    token: str = ""
    token_current: int | None = None


def read_state(base: Path) -> State:
    """Read the state of a model directory; that of a new one if it has no state file.

    Raises:
        UserError: The state file is damaged.
    """
    path = base / STATE_FILE
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Restore it, or delete it: then models that were rolled "
            "back may be pushed again"
        ) from error


def write_state(base: Path, state: State) -> None:
    """Replace the state file of a model directory."""
    atomic_write_text(base / STATE_FILE, json.dumps(asdict(state), indent=2, sort_keys=True) + "\n")
