"""Executions and artifacts of ML Metadata as plain data."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from schema.errors import UserError

COMPLETE: Final = "COMPLETE"
"""State of an execution that produced its outputs."""
CACHED: Final = "CACHED"
"""State of an execution that took its outputs from the cache."""

COMMIT_PROPERTY: Final = "git_commit"
"""Custom property of a pipeline run: git commit of the code."""
COMMAND_PROPERTY: Final = "command_line"
"""Custom property of a pipeline run: command that started it."""

_RUN_TYPE: Final = "pipeline_run"
_INPUT_EVENTS: Final = (mlmd.Event.INPUT, mlmd.Event.INTERNAL_INPUT)
_OUTPUT_EVENTS: Final = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)


@dataclass(frozen=True)
class Artifact:
    """Artifact in ML Metadata.

    Attributes:
        id: Id in ML Metadata.
        type: Name of the artifact type, such as `Model`.
        uri: Path of the artifact's directory.
        properties: Properties and custom properties, by name.
    """

    id: int
    type: str
    uri: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Execution:
    """Execution of a node.

    Attributes:
        id: Id in ML Metadata. Later executions have higher ids.
        node: Id of the node. The current pipeline may no longer have this node.
        state: `COMPLETE`, `CACHED`, or another name of `ml_metadata.proto.Execution.State`.
        started: Start time, in UTC.
        seconds: Duration in seconds.
        run: Id of the pipeline run. Ids of later runs sort after those of earlier runs.
        parameters: Parameters, with the names that `flatten_parameters` gives them.
        inputs: Ids of the input artifacts.
        outputs: Output keys, by id of the output artifact.
    """

    id: int
    node: str
    state: str
    started: datetime
    seconds: float
    run: str
    parameters: Mapping[str, Any]
    inputs: frozenset[int]
    outputs: Mapping[int, str]


@dataclass(frozen=True)
class History:
    """Executions and artifacts.

    Attributes:
        executions: Executions in ascending order of their ids.
        artifacts: Artifacts by id.
        runs: Custom properties of the pipeline runs, by id of the run.
    """

    executions: tuple[Execution, ...]
    artifacts: Mapping[int, Artifact]
    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def producer(self, artifact_id: int) -> Execution | None:
        """Return the execution that produced an artifact, or None if none is recorded."""
        return self._producers.get(artifact_id)

    def upstream_executions(self, artifact_id: int) -> list[Execution]:
        """Return all executions that an artifact depends on, in ascending order of their ids."""
        upstream: dict[int, Execution] = {}
        pending = [artifact_id]
        while pending:
            execution = self.producer(pending.pop())
            if execution is not None and execution.id not in upstream:
                upstream[execution.id] = execution
                pending.extend(execution.inputs)
        return [upstream[execution_id] for execution_id in sorted(upstream)]

    def outputs(self, execution: Execution) -> dict[str, Artifact]:
        """Return the output artifacts of an execution, by output key."""
        return {key: self.artifacts[artifact_id] for artifact_id, key in execution.outputs.items()}

    @property
    def newest_run(self) -> str:
        """Id of the newest pipeline run; empty if there is none."""
        return max((execution.run for execution in self.executions), default="")

    @cached_property
    def _producers(self) -> dict[int, Execution]:
        return {
            artifact_id: execution
            for execution in reversed(self.executions)
            if execution.state == COMPLETE
            for artifact_id in execution.outputs
        }


def read_history(source: Path | mlmd.ConnectionConfig, execution_id: int | None = None) -> History:
    """Read executions and artifacts from ML Metadata.

    Args:
        source: Path of an SQLite database, which is opened read-only, or the configuration of any
            other connection.
        execution_id: Id of the only execution to read, with its inputs and outputs; None reads all
            executions.

    Raises:
        UserError: The database does not exist, is damaged or is not one of ML Metadata.
    """
    store = MetadataStore(_read_only(source) if isinstance(source, Path) else source)
    ids = None if execution_id is None else [execution_id]
    executions = store.get_executions() if ids is None else store.get_executions_by_id(ids)
    events: dict[int, list[mlmd.Event]] = {execution.id: [] for execution in executions}
    artifact_ids = set()
    for event in store.get_events_by_execution_ids(list(events)) if events else []:
        events[event.execution_id].append(event)
        artifact_ids.add(event.artifact_id)
    artifacts = (
        store.get_artifacts() if ids is None else store.get_artifacts_by_id(list(artifact_ids))
    )
    executions.sort(key=lambda execution: execution.id)
    return History(
        tuple(_execution(store, execution, events[execution.id]) for execution in executions),
        {
            artifact.id: Artifact(
                artifact.id,
                artifact.type,
                artifact.uri,
                _values(artifact.properties) | _values(artifact.custom_properties),
            )
            for artifact in artifacts
        },
        {
            context.name: _values(context.custom_properties)
            for context in store.get_contexts_by_type(_RUN_TYPE)
        },
    )


def check_database(database: Path) -> None:
    """Raise a `UserError` if a file is not an undamaged SQLite database of ML Metadata."""
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as opened:
            # On a damaged page, SQLite returns a text or raises an error.
            [[problem]] = opened.execute("PRAGMA quick_check(1)")
            names = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return  # Another process is writing.
        problem, names = str(error), set()
    except sqlite3.DatabaseError as error:
        problem, names = str(error), set()
    if problem == "ok" and "MLMDEnv" not in names:
        problem = "it has no tables of ML Metadata"
    if problem != "ok":
        raise UserError(
            f"{database}: this is not an intact database of ML Metadata "
            f"({' '.join(problem.split())}). Restore it from a copy, or choose another --output. "
            f"Or move {database.parent} away to begin anew."
        )


def flatten_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten parameters that hold JSON objects, such as `hparams`, to names like `hparams.epochs`.

    Parameters that TFX adds to describe types are left out.
    """
    named = {name: value for name, value in parameters.items() if not name.startswith("__")}
    return dict(pair for name, value in named.items() for pair in _flatten(name, _decode(value)))


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flatten(key if name == "custom_config" else f"{name}.{key}", item)
    else:
        yield name, value


def _decode(value: Any) -> Any:
    """Return the object in a text that is a JSON object, and any other value unchanged."""
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except ValueError:
        return value


def _read_only(database: Path) -> mlmd.ConnectionConfig:
    if not database.is_file():
        raise UserError(
            f"{database} does not exist. Run the pipeline first with `ordained run`, or name its "
            "output directory with --output."
        )
    check_database(database)
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return connection


def _execution(
    store: MetadataStore, execution: mlmd.Execution, events: list[mlmd.Event]
) -> Execution:
    contexts = {
        context.type: context.name for context in store.get_contexts_by_execution(execution.id)
    }
    started = execution.create_time_since_epoch
    return Execution(
        id=execution.id,
        node=contexts.get("node", "").partition(".")[2],
        state=mlmd.Execution.State.Name(execution.last_known_state),
        started=datetime.fromtimestamp(started / 1000, UTC),
        seconds=(execution.last_update_time_since_epoch - started) / 1000,
        run=contexts.get(_RUN_TYPE, ""),
        parameters=flatten_parameters(_values(execution.custom_properties)),
        inputs=frozenset(event.artifact_id for event in events if event.type in _INPUT_EVENTS),
        outputs={
            event.artifact_id: next((step.key for step in event.path.steps if step.key), "")
            for event in events
            if event.type in _OUTPUT_EVENTS
        },
    )


def _values(properties: Mapping[str, mlmd.Value]) -> dict[str, Any]:
    return {
        name: getattr(value, str(value.WhichOneof("value"))) for name, value in properties.items()
    }
