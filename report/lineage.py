"""What ML Metadata knows: which steps made what, from what, with which parameters."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from report.facts import Change, Recipe, Timing
from schema.errors import UserError

COMPLETE: Final = "COMPLETE"
CACHED: Final = "CACHED"

CODE: Final = frozenset({"code", "code_fingerprint", "code_hash"})
"""Names of the parameters that hold a fingerprint of the sources."""

UNTOLD: Final = frozenset({"destination_token", "metadata", "log_directory"})
"""Parameters that say where something is and not what is made."""

_INPUT: Final = (mlmd.Event.INPUT, mlmd.Event.INTERNAL_INPUT)
_OUTPUT: Final = (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)


@dataclass(frozen=True)
class Item:
    """An artifact."""

    id: int
    type: str
    uri: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """An execution of a node.

    Attributes:
        id: of the execution.
        node: name of the node.
        state: `COMPLETE`, `CACHED`, `FAILED` and so on.
        started: when.
        seconds: how long it took.
        run: name of the pipeline run.
        parameters: as they were recorded, see `flat`.
        inputs: ids of the artifacts that it took.
        outputs: ids of the artifacts that it gave.
    """

    id: int
    node: str
    state: str
    started: datetime
    seconds: float
    run: str
    parameters: Mapping[str, Any]
    inputs: frozenset[int]
    outputs: frozenset[int]


@dataclass(frozen=True)
class History:
    """All steps, the oldest first, and all artifacts by id."""

    steps: tuple[Step, ...]
    items: Mapping[int, Item]

    def maker(self, item: int) -> Step | None:
        """The step that made an artifact; None for one that nothing made."""
        return next((s for s in self.steps if item in s.outputs and s.state == COMPLETE), None)

    def users(self, items: Iterable[int]) -> list[Step]:
        """Steps that took any of the artifacts and made something of it."""
        wanted = set(items)
        return [s for s in self.steps if s.inputs & wanted and s.state == COMPLETE]

    def behind(self, item: int) -> list[Step]:
        """The steps that led to an artifact, the oldest first."""
        found: dict[int, Step] = {}
        waiting = [item]
        while waiting:
            step = self.maker(waiting.pop())
            if step is not None and step.id not in found:
                found[step.id] = step
                waiting.extend(step.inputs)
        return [found[id_] for id_ in sorted(found)]

    def of_run(self, run: str) -> list[Step]:
        """The steps of one pipeline run, in order."""
        return [step for step in self.steps if step.run == run]

    @property
    def newest_run(self) -> str:
        """Name of the newest pipeline run; empty where there is none."""
        return max((step.run for step in self.steps), default="")

    def by_uri(self, uri: str) -> Item | None:
        """The artifact that stands in a folder."""
        return next((item for item in self.items.values() if item.uri == uri), None)


def opened(metadata: Path) -> MetadataStore:
    """ML Metadata, to read alone.

    Args:
        metadata: its SQLite database.

    Raises:
        UserError: there is none.
    """
    if not metadata.is_file():
        raise UserError(f"{metadata} is not there: run the pipeline first (`make run`)")
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(metadata)
    connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(connection)


def read(metadata: Path) -> History:
    """Read everything that ML Metadata holds.

    Args:
        metadata: its SQLite database; nothing is written.

    Raises:
        UserError: there is none.
    """
    store = opened(metadata)
    executions = store.get_executions()
    nodes = _contexts(store, "node")
    runs = _contexts(store, "pipeline_run")
    inputs: dict[int, set[int]] = {execution.id: set() for execution in executions}
    outputs: dict[int, set[int]] = {execution.id: set() for execution in executions}
    for event in store.get_events_by_execution_ids(list(inputs)) if inputs else []:
        if event.type in _INPUT:
            inputs[event.execution_id].add(event.artifact_id)
        elif event.type in _OUTPUT:
            outputs[event.execution_id].add(event.artifact_id)
    steps = [
        Step(
            id=execution.id,
            node=nodes.get(execution.id, "").partition(".")[2],
            state=mlmd.Execution.State.Name(execution.last_known_state),
            started=datetime.fromtimestamp(execution.create_time_since_epoch / 1000, UTC),
            seconds=(execution.last_update_time_since_epoch - execution.create_time_since_epoch)
            / 1000,
            run=runs.get(execution.id, ""),
            parameters=flat(_values(execution.custom_properties)),
            inputs=frozenset(inputs[execution.id]),
            outputs=frozenset(outputs[execution.id]),
        )
        for execution in sorted(executions, key=lambda one: one.id)
    ]
    types = {kind.id: kind.name for kind in store.get_artifact_types()}
    items = {
        artifact.id: Item(
            artifact.id,
            types[artifact.type_id],
            artifact.uri,
            {**_values(artifact.properties), **_values(artifact.custom_properties)},
        )
        for artifact in store.get_artifacts()
    }
    return History(tuple(steps), items)


def flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with those inside JSON texts as parameters of their own: `hparams.epochs`.

    What TFX adds about the types of parameters is left out.
    """
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if not name.startswith("__"):
            found |= _flat_value(name, _unpacked(value))
    return found


def _flat_value(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    inside: dict[str, Any] = {}
    for key, one in value.items():
        inside |= _flat_value(key if name == "custom_config" else f"{name}.{key}", one)
    return inside


def _unpacked(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def recipe(history: History, model: int) -> Recipe | None:
    """What made a model; None where nothing is known of it.

    Args:
        history: see `read`.
        model: id of the Model artifact.
    """
    trainer = history.maker(model)
    if trainer is None:
        return None
    behind = history.behind(model)
    read_data = next((step for step in behind if "input_base" in step.parameters), None)
    imported = next((step for step in behind if "schema_file" in step.parameters), None)
    code, settings = {}, {}
    for step in behind:
        for name, value in step.parameters.items():
            if name.split(".")[-1] in CODE:
                code[step.node] = str(value)
            elif name not in UNTOLD:
                settings[f"{step.node}.{name}"] = value
    return Recipe(
        model=history.items[model].uri,
        made=trainer.started,
        run=trainer.run,
        data={
            "fingerprint": read_data.parameters.get("input_fingerprint", ""),
            "span": read_data.parameters.get("span", 0),
            "folder": read_data.parameters["input_base"],
        }
        if read_data
        else {},
        schema=str(imported.parameters["schema_file"]) if imported else "",
        code=code,
        settings=settings,
    )


def changes(before: Recipe, after: Recipe) -> list[Change]:
    """In what two models were made differently: data, schema, code and settings."""
    pairs = [
        ("data", before.data.get("fingerprint"), after.data.get("fingerprint")),
        ("schema", before.schema, after.schema),
        *_pairs("code of ", before.code, after.code),
        *_pairs("", before.settings, after.settings),
    ]
    told = [Change(what, old, new) for what, old, new in pairs if old != new]
    return [one for one in told if not one.what.endswith(".input_fingerprint")]


def _pairs(
    prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*before, *after])
    return [(prefix + name, before.get(name), after.get(name)) for name in names]


def also_used(history: History, model: int) -> list[str]:
    """What else was trained on the data of a model, one line each, the newest first."""
    data = {
        item
        for step in history.behind(model)
        if "input_base" in step.parameters
        for item in step.outputs
    }
    lines = []
    for item in sorted(history.items, reverse=True):
        step = history.maker(item)
        trained = step is not None and "run_fn" in step.parameters
        if step is None or not trained or item == model or history.items[item].type != "Model":
            continue
        if data & {one for past in history.behind(item) for one in past.outputs}:
            when = f"{step.started:%Y-%m-%d %H:%M} UTC"
            lines.append(f"the model of {when}: {history.items[item].uri}")
    return lines


def timings(history: History, run: str) -> list[Timing]:
    """How long the results of a run's nodes took to make, by this run or the one they came from."""
    found = []
    for step in history.of_run(run):
        if step.state == CACHED:
            makers = [history.maker(item) for item in sorted(step.outputs)]
            maker = next((one for one in makers if one is not None), None)
            if maker is not None:
                found.append(Timing(step.node, maker.seconds, cached=True))
        elif step.state == COMPLETE:
            found.append(Timing(step.node, step.seconds, cached=False))
    return found


def pushed(history: History, version: int) -> tuple[Item, int] | None:
    """The PushedModel that went out as a version, and the id of the model that it holds."""
    for step in reversed(history.steps):
        for item in (history.items[one] for one in step.outputs):
            wanted = str(item.properties.get("pushed_version")) == str(version)
            if item.type == "PushedModel" and wanted and step.state == COMPLETE:
                for one in sorted(step.inputs):
                    if history.items[one].type == "Model":
                        return item, one
    return None


def _contexts(store: MetadataStore, kind: str) -> dict[int, str]:
    """Name of the context of a kind that each execution belongs to."""
    return {
        execution.id: context.name
        for context in store.get_contexts_by_type(kind)
        for execution in store.get_executions_by_context(context.id)
    }


def _values(properties: Mapping[str, mlmd.Value]) -> dict[str, Any]:
    return {
        name: getattr(value, str(value.WhichOneof("value"))) for name, value in properties.items()
    }
