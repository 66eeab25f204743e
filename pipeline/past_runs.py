"""What earlier runs wrote, found by ML Metadata: for what looks at runs from outside.

The first of these is looked at:

- a folder that is given,
- the folder that the environment variable `ORDAINED_OUTPUT` names,
- of `output` and the folders in `runs`, in the checkout, the one that was written to last.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ml_metadata.proto import metadata_store_pb2

from report import lineage
from schema.errors import UserError

mlmd: Any = metadata_store_pb2

PROJECT: Final = Path(__file__).resolve().parent.parent
METADATA_FILE: Final = "metadata.sqlite"
VARIABLE: Final = "ORDAINED_OUTPUT"


@dataclass(frozen=True)
class Written:
    """One artifact.

    Attributes:
        path: where it is.
        run: id of the execution that wrote it; a later one has a higher id.
        time: when that execution began, in local time.
    """

    path: Path
    run: int
    time: datetime

    def __str__(self) -> str:
        """The time, to the second, as views and tables name a run."""
        return f"{self.time:%Y-%m-%d %H:%M:%S}"


def find_output(given: str | Path | None = None, checkout: Path = PROJECT) -> Path:
    """The output directory to look at.

    Args:
        given: the user's choice; None or empty takes the variable, else the newest.
        checkout: where `output` and `runs` are looked for.

    Raises:
        UserError: there is no run.
    """
    wanted = given or os.environ.get(VARIABLE)
    if wanted:
        output = Path(wanted).expanduser().resolve()
        if not (output / METADATA_FILE).is_file():
            raise UserError(f"{output}: no run has been made there. Run `make run` first.")
        return output
    candidates = [checkout / "output", *(checkout / "runs").glob("*")]
    made = [folder for folder in candidates if (folder / METADATA_FILE).is_file()]
    if not made:
        raise UserError(
            f"{checkout / 'output'}: no run has been made yet. Run `make run` first, or name the "
            f"output directory of a run: {VARIABLE}=DIR, or OUTPUT in the notebook's first cell."
        )
    return max(made, key=lambda folder: (folder / METADATA_FILE).stat().st_mtime)


class PastRuns:
    """The artifacts of all runs in an output directory."""

    def __init__(self, output: Path) -> None:
        """Open ML Metadata, to read alone.

        Raises:
            UserError: no run has been made there.
        """
        self.output = find_output(output)
        self._store = lineage.opened(self.output / METADATA_FILE)

    def newest(self, node: str, key: str) -> Written:
        """What a node gave in its newest run, which may have been written by an earlier one.

        Args:
            node: id of the node, such as `Evaluator`.
            key: which of its outputs, such as `blessing`.

        Raises:
            UserError: no run got as far as that.
        """
        return self._written(node, key, (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED))[-1]

    def all(self, node: str, key: str) -> list[Written]:
        """All that a node has written, the oldest first; for the arguments see `newest`.

        Raises:
            UserError: no run got as far as that.
        """
        return self._written(node, key, (mlmd.Execution.COMPLETE,))

    def _written(self, node: str, key: str, states: tuple[int, ...]) -> list[Written]:
        executions = {
            execution.id: execution
            for context in self._store.get_contexts_by_type("node")
            if context.name.endswith(f".{node}")
            for execution in self._store.get_executions_by_context(context.id)
            if execution.last_known_state in states
        }
        events = [
            event
            for event in self._store.get_events_by_execution_ids(list(executions))
            if event.type == mlmd.Event.OUTPUT and event.path.steps[0].key == key
        ]
        uris = {
            artifact.id: artifact.uri
            for artifact in self._store.get_artifacts_by_id([one.artifact_id for one in events])
        }
        if not events:
            raise UserError(
                f"{self.output}: no run there got as far as {node}. Run `make run` first."
            )
        return [
            Written(
                Path(uris[event.artifact_id]),
                event.execution_id,
                _local(executions[event.execution_id].create_time_since_epoch),
            )
            for event in sorted(events, key=lambda event: event.execution_id)
        ]


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
