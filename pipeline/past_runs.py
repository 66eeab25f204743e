"""Finds what earlier runs wrote, for notebooks and tools that look at runs from outside.

The output directory is the first of these:

- a folder that is given,
- the folder that the environment variable `ORDAINED_OUTPUT` names,
- of `output` and the folders in `runs` in the checkout, the one that was written to last.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import metadata
from schema.errors import UserError
from schema.names import LOGS_DIRECTORY, METADATA_FILE, MODEL_REPORT_FILE, Node

PROJECT: Final = Path(__file__).resolve().parent.parent
VARIABLE: Final = "ORDAINED_OUTPUT"


@dataclass(frozen=True)
class Written:
    """An artifact: its folder, and the execution that wrote it.

    Attributes:
        path: the folder.
        run: id of the execution; a later one has a higher id.
        time: when the execution began, in local time.
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
        """Read ML Metadata; raises a `UserError` if no run has been made there."""
        self.output = find_output(output)
        self._history = metadata.read_history(self.output / METADATA_FILE)

    def newest(self, node: str, key: str) -> Written:
        """An output of a node in its newest run, which may have taken it from an earlier one.

        Args:
            node: id of the node, such as `Evaluator`.
            key: which of its outputs, such as `blessing`.

        Raises:
            UserError: no run got as far as that.
        """
        return self.all(node, key, {metadata.COMPLETE, metadata.CACHED})[-1]

    def all(
        self, node: str, key: str, states: Collection[str] = (metadata.COMPLETE,)
    ) -> list[Written]:
        """The output of a node in all executions that ended in a state, the oldest first.

        By default it has each artifact once; for the other arguments and errors see `newest`.
        """
        found = [
            Written(Path(artifact.uri), execution.id, execution.started.astimezone())
            for execution in self._history.executions
            if execution.node == node and execution.state in states
            for name, artifact in self._history.outputs(execution).items()
            if name == key
        ]
        if not found:
            raise UserError(
                f"{self.output}: no run there got as far as {node}. Run `make run` first."
            )
        return found


def newest_report(output: Path) -> Path:
    """Return the path of the report of the newest run that has one.

    Args:
        output: Path. Output directory of the runs.

    Raises:
        UserError: There is no report.
    """
    # A run that stopped before its last node leaves a report beside its log.
    logs = sorted((output / LOGS_DIRECTORY).glob("run-*.log"))
    if logs and logs[-1].with_suffix(".html").is_file():
        return logs[-1].with_suffix(".html")
    history = metadata.read_history(output / METADATA_FILE)
    for execution in reversed(history.executions):
        for artifact in history.outputs(execution).values():
            path = Path(artifact.uri, MODEL_REPORT_FILE)
            if execution.node == Node.MODEL_REPORT and path.is_file():
                return path
    raise UserError(f"{output}: no run has made a report yet. Run `ordained run` first.")
