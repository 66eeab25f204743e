"""The one reader of ML Metadata: executions and artifacts as plain data."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from schema.errors import UserError

COMPLETE: Final = "COMPLETE"
"""State of an execution that made its outputs."""
CACHED: Final = "CACHED"
"""State of an execution that took its outputs from an earlier one."""

_INPUT: Final = (mlmd.Event.INPUT, mlmd.Event.INTERNAL_INPUT)
_OUTPUT: Final = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)


@dataclass(frozen=True)
class Artifact:
    """An artifact: its type, such as `Model`, its folder, and what was recorded with it."""

    id: int
    type: str
    uri: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Execution:
    """An execution of a node.

    Attributes:
        id: its id; a later execution has a higher one.
        node: id of the node; nodes that are no longer in the pipeline occur as well.
        state: `COMPLETE`, `CACHED`, or another name of `ml_metadata.proto.Execution.State`.
        started: when it began, in UTC.
        seconds: how long it took.
        run: id of the pipeline run; later runs have later ids in the order of text.
        parameters: its parameters, as `flat` names them.
        inputs: ids of the artifacts that it read.
        outputs: the output keys of the artifacts that it gave, by artifact id.
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
    """Executions, the oldest first, and artifacts by id."""

    executions: tuple[Execution, ...]
    artifacts: Mapping[int, Artifact]

    def maker(self, artifact: int) -> Execution | None:
        """The execution that made an artifact; None if none is recorded."""
        return self._makers.get(artifact)

    def behind(self, artifact: int) -> list[Execution]:
        """All executions that led to an artifact, the oldest first."""
        found: dict[int, Execution] = {}
        waiting = [artifact]
        while waiting:
            maker = self.maker(waiting.pop())
            if maker is not None and maker.id not in found:
                found[maker.id] = maker
                waiting.extend(maker.inputs)
        return [found[identity] for identity in sorted(found)]

    def outputs(self, execution: Execution) -> dict[str, Artifact]:
        """What an execution gave, by output key."""
        return {key: self.artifacts[one] for one, key in execution.outputs.items()}

    @property
    def newest_run(self) -> str:
        """Id of the newest pipeline run; empty if there is none."""
        return max((one.run for one in self.executions), default="")

    @cached_property
    def _makers(self) -> dict[int, Execution]:
        return {
            artifact: one
            for one in reversed(self.executions)
            if one.state == COMPLETE
            for artifact in one.outputs
        }


def read(source: Path | mlmd.ConnectionConfig, execution: int | None = None) -> History:
    """Read what ML Metadata holds.

    Args:
        source: its SQLite database, which is then opened read-only, or any connection.
        execution: id of the only execution to read, with its inputs and outputs; None reads all.

    Raises:
        UserError: there is no such database.
    """
    store = MetadataStore(_read_only(source) if isinstance(source, Path) else source)
    ids = None if execution is None else [execution]
    recorded = store.get_executions() if ids is None else store.get_executions_by_id(ids)
    events: dict[int, list[mlmd.Event]] = {one.id: [] for one in recorded}
    named = set()
    for event in store.get_events_by_execution_ids(list(events)) if events else []:
        events[event.execution_id].append(event)
        named.add(event.artifact_id)
    artifacts = store.get_artifacts() if ids is None else store.get_artifacts_by_id(list(named))
    recorded.sort(key=lambda one: one.id)
    return History(
        tuple(_execution(store, one, events[one.id]) for one in recorded),
        {
            one.id: Artifact(
                one.id, one.type, one.uri, _values(one.properties) | _values(one.custom_properties)
            )
            for one in artifacts
        },
    )


def flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, with what JSON texts hold as parameters of their own, such as `hparams.epochs`.

    What TFX adds about the types of parameters is left out.
    """
    named = {name: value for name, value in parameters.items() if not name.startswith("__")}
    return dict(pair for name, value in named.items() for pair in _flat(name, _unpacked(value)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _flat(key if name == "custom_config" else f"{name}.{key}", inside)
    else:
        yield name, value


def _unpacked(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except ValueError:
        return value


def _read_only(database: Path) -> mlmd.ConnectionConfig:
    if not database.is_file():
        raise UserError(f"{database} does not exist: run the pipeline first (`make run`)")
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return connection


def _execution(
    store: MetadataStore, recorded: mlmd.Execution, events: list[mlmd.Event]
) -> Execution:
    contexts = {one.type: one.name for one in store.get_contexts_by_execution(recorded.id)}
    began = recorded.create_time_since_epoch
    return Execution(
        id=recorded.id,
        node=contexts.get("node", "").partition(".")[2],
        state=mlmd.Execution.State.Name(recorded.last_known_state),
        started=datetime.fromtimestamp(began / 1000, UTC),
        seconds=(recorded.last_update_time_since_epoch - began) / 1000,
        run=contexts.get("pipeline_run", ""),
        parameters=flat(_values(recorded.custom_properties)),
        inputs=frozenset(event.artifact_id for event in events if event.type in _INPUT),
        outputs={
            event.artifact_id: next((step.key for step in event.path.steps if step.key), "")
            for event in events
            if event.type in _OUTPUT
        },
    )


def _values(properties: Mapping[str, mlmd.Value]) -> dict[str, Any]:
    return {
        name: getattr(value, str(value.WhichOneof("value"))) for name, value in properties.items()
    }
