"""Access to the artifacts of past runs, for notebooks, reports and commands.

The output directory is the first of these:

- the directory that the caller names,
- the directory in the environment variable `ORDAINED_OUTPUT`,
- the most recently written of `output` and the directories in `runs` of the checkout.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import metadata
from metadata import History
from schema.errors import UserError
from schema.names import (
    ARTIFACTS_DIRECTORY,
    LOGS_DIRECTORY,
    METADATA_FILE,
    MODEL_REPORT_FILE,
    Node,
)

PROJECT: Final = Path(__file__).resolve().parent.parent
OUTPUT_VARIABLE: Final = "ORDAINED_OUTPUT"
"""Environment variable that names the output directory."""


@dataclass(frozen=True)
class ArtifactOfRun:
    """An output artifact of one execution of a node.

    Attributes:
        path: Directory of the artifact.
        execution_id: Int. Id of the execution in ML Metadata; later executions have higher ids.
        started: Local time at which the execution began.
    """

    path: Path
    execution_id: int
    started: datetime

    def __str__(self) -> str:
        """Return the start time to the second, which identifies the run in tables and charts."""
        return f"{self.started:%Y-%m-%d %H:%M:%S}"


def find_output(directory: str | Path | None = None, checkout: Path = PROJECT) -> Path:
    """Find an output directory that has runs.

    Args:
        directory: Output directory to use. If None or empty, the environment variable is used, and
            then the most recently written output directory of the checkout.
        checkout: Directory in which `output` and `runs` are searched.

    Raises:
        UserError: There is no run.
    """
    directory = directory or os.environ.get(OUTPUT_VARIABLE)
    if directory:
        output = Path(directory).expanduser().resolve()
        if not (output / METADATA_FILE).is_file():
            raise UserError(
                f"{output}: this output directory has no run. Run `ordained run` first, or name "
                f"another output directory: --output DIR, or {OUTPUT_VARIABLE}=DIR."
            )
        return output
    candidates = [checkout / "output", *(checkout / "runs").glob("*")]
    found = [candidate for candidate in candidates if (candidate / METADATA_FILE).is_file()]
    if not found:
        raise UserError(
            f"{checkout / 'output'}: this output directory has no run. Run `ordained run` first, "
            f"or name another output directory: {OUTPUT_VARIABLE}=DIR, or OUTPUT in the first cell "
            "of the notebook."
        )
    return max(found, key=lambda output: (output / METADATA_FILE).stat().st_mtime)


class PastRuns:
    """The artifacts of all runs in an output directory."""

    def __init__(self, output: Path) -> None:
        """Read ML Metadata.

        Raises:
            UserError: The output directory has no run.
        """
        self.output = find_output(output)
        self._history = metadata.read_history(self.output / METADATA_FILE)

    def newest(self, node: str, key: str) -> ArtifactOfRun:
        """Return the output of a node in its newest run; it may come from the cache.

        Args:
            node: Id of the node, such as `Evaluator`.
            key: Output key, such as `blessing`.

        Raises:
            UserError: No run has completed this node.
        """
        return self.all(node, key, {metadata.COMPLETE, metadata.CACHED})[-1]

    def all(
        self, node: str, key: str, states: Collection[str] = (metadata.COMPLETE,)
    ) -> list[ArtifactOfRun]:
        """Return the outputs of all executions of a node, oldest first.

        Args:
            node: Id of the node, such as `Evaluator`.
            key: Output key, such as `blessing`.
            states: States of the executions to include. By default only executions that wrote the
                artifact are included, so each artifact is listed once.

        Raises:
            UserError: No run has completed this node.
        """
        artifacts = [
            ArtifactOfRun(Path(artifact.uri), execution.id, execution.started.astimezone())
            for execution in self._history.executions
            if execution.node == node and execution.state in states
            for name, artifact in self._history.outputs(execution).items()
            if name == key
        ]
        if not artifacts:
            raise UserError(
                f"{self.output}: no run has completed {node}. Run `ordained run` first."
            )
        return artifacts


def newest_report(output: Path) -> Path:
    """Return the path of the report of the newest run that has one.

    Args:
        output: Path. Output directory of the runs.

    Raises:
        UserError: There is no report, or the output directory was moved.
    """
    # A run that stopped before its last node leaves a report beside its log.
    logs = sorted((output / LOGS_DIRECTORY).glob("run-*.log"))
    if logs and logs[-1].with_suffix(".html").is_file():
        return logs[-1].with_suffix(".html")
    if logs and not (output / METADATA_FILE).is_file():
        raise UserError(
            f"{output}: no run has made a report yet. The last run ended before its first node: "
            f"{logs[-1]} says why."
        )
    history = metadata.read_history(output / METADATA_FILE)
    for execution in reversed(history.executions):
        for artifact in history.outputs(execution).values():
            path = Path(artifact.uri, MODEL_REPORT_FILE)
            if execution.node == Node.MODEL_REPORT and path.is_file():
                return path
    check_not_moved(history, output / ARTIFACTS_DIRECTORY)
    raise UserError(f"{output}: no run has made a report yet. Run `ordained run` first.")


def check_not_moved(history: History, artifacts: Path) -> None:
    """Raise a UserError if ML Metadata has the artifacts at another path.

    Args:
        history: Executions and artifacts of ML Metadata.
        artifacts: Path. Root directory of the artifacts.
    """
    recorded = history.artifacts.values()
    for root in sorted({Path(*Path(artifact.uri).parts[:-3]) for artifact in recorded}):
        if root.name != artifacts.name or root.absolute() == artifacts.absolute():
            continue
        if not (root.exists() and artifacts.exists() and root.samefile(artifacts)):
            raise UserError(
                f"{artifacts.parent}: this output directory was moved from {root.parent}, but its "
                "metadata contain absolute paths. Move it back, or choose another --output."
            )
