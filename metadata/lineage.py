"""Lineage of models: what each was made from, and how two models differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from metadata.history import (
    CACHED,
    COMMAND_PROPERTY,
    COMMIT_PROPERTY,
    COMPLETE,
    Execution,
    History,
)
from schema.names import PUSHED_VERSION_PROPERTY

CODE_FINGERPRINT_PARAMETERS: Final = frozenset({"code", "code_fingerprint", "code_hash"})
"""Names of parameters that hold a fingerprint of the sources, now or in earlier versions."""

_LOCATION_PARAMETERS: Final = frozenset({"destination_token", "metadata", "log_directory"})
"""Parameters that name a place and do not change the result of a node."""


@dataclass(frozen=True)
class ModelLineage:
    """Origin of a model: its run, data, schema, code and settings.

    Attributes:
        model: Path of the model's directory.
        trained: Start time of the training, in UTC.
        run: Id of the pipeline run that trained the model.
        data: `checksum`, `span` and `directory` of the examples; empty if they are not recorded.
        schema: Path of the curated schema. The path contains a hash of the schema.
        code: Fingerprint of the sources, by node.
        settings: Parameters by `node.name`, without fingerprints of code.
        commit: Git commit of the code of the run; empty if it is not recorded.
        command: Command that started the run; empty if it is not recorded.
    """

    model: str
    trained: datetime
    run: str
    data: Mapping[str, Any]
    schema: str
    code: Mapping[str, str]
    settings: Mapping[str, Any]
    commit: str = ""
    command: str = ""


@dataclass(frozen=True)
class Difference:
    """Value that differs between two models.

    Attributes:
        name: Name of the value.
        before: Value of the earlier model; None if it has none.
        after: Value of the later model; None if it has none.
    """

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class NodeTiming:
    """Duration of the execution that produced a node's result.

    Attributes:
        node: Id of the node.
        seconds: Duration in seconds of the execution that produced the result.
        cached: Whether that execution belongs to an earlier run.
    """

    node: str
    seconds: float
    cached: bool


def model_lineage(history: History, model_id: int) -> ModelLineage | None:
    """Return the lineage of a Model artifact, or None if its training is not recorded."""
    trainer = history.producer(model_id)
    if trainer is None:
        return None
    data: dict[str, Any] = {}
    schema = ""
    code, settings = {}, {}
    properties = history.runs.get(trainer.run, {})
    for execution in history.upstream_executions(model_id):
        parameters = execution.parameters
        if _reads_data(execution) and not data:
            data = {
                "checksum": parameters.get("input_fingerprint", ""),
                "span": parameters.get("span", 0),
                "directory": parameters["input_base"],
            }
        schema = schema or str(parameters.get("schema_file", ""))
        for name, value in parameters.items():
            if name.split(".")[-1] in CODE_FINGERPRINT_PARAMETERS:
                code[execution.node] = str(value)
            elif name not in _LOCATION_PARAMETERS:
                settings[f"{execution.node}.{name}"] = value
    return ModelLineage(
        model=history.artifacts[model_id].uri,
        trained=trainer.started,
        run=trainer.run,
        data=data,
        schema=schema,
        code=code,
        settings=settings,
        commit=str(properties.get(COMMIT_PROPERTY, "")),
        command=str(properties.get(COMMAND_PROPERTY, "")),
    )


def lineage_differences(before: ModelLineage, after: ModelLineage) -> list[Difference]:
    """Return how two models differ in data, schema, code and settings."""
    sources = [
        {"data": lineage.data.get("checksum"), "schema": lineage.schema}
        for lineage in (before, after)
    ]
    differences = [
        *mapping_differences("", *sources),
        *mapping_differences("code of ", before.code, after.code),
        *mapping_differences("", before.settings, after.settings),
    ]
    return [item for item in differences if not item.name.endswith(".input_fingerprint")]


def mapping_differences(
    prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Difference]:
    """Return the differences of two mappings, with a prefix before each name."""
    return [
        Difference(prefix + name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def examples_of_model(history: History, model_id: int) -> str | None:
    """Return the directory of the raw examples of a Model artifact, or None if it is unknown."""
    for execution in history.upstream_executions(model_id):
        if _reads_data(execution):
            return next((artifact.uri for artifact in history.outputs(execution).values()), None)
    return None


def trained_on_same_data(history: History, model_id: int) -> list[str]:
    """Describe the other models trained on a model's data, one line each, the newest first."""

    def data_ids(artifact_id: int) -> set[int]:
        upstream = history.upstream_executions(artifact_id)
        return {
            output
            for execution in upstream
            if _reads_data(execution)
            for output in execution.outputs
        }

    data_of_model = data_ids(model_id)
    lines = []
    for artifact in sorted(history.artifacts.values(), key=lambda artifact: -artifact.id):
        trainer = history.producer(artifact.id)
        if artifact.type != "Model" or artifact.id == model_id or trainer is None:
            continue
        if "run_fn" in trainer.parameters and data_ids(artifact.id) & data_of_model:
            lines.append(f"the model of {trainer.started:%Y-%m-%d %H:%M} UTC: {artifact.uri}")
    return lines


def node_timings(history: History, run: str) -> list[NodeTiming]:
    """Return the timing of each node of a run, in the order of execution.

    A cached node has the timing of the execution that produced its result in an earlier run.
    """
    timings = []
    for execution in history.executions:
        if execution.run == run and execution.state == COMPLETE:
            timings.append(NodeTiming(execution.node, execution.seconds, cached=False))
        elif execution.run == run and execution.state == CACHED:
            producers = filter(None, map(history.producer, sorted(execution.outputs)))
            timings += [
                NodeTiming(execution.node, producer.seconds, cached=True)
                for producer in [*producers][:1]
            ]
    return timings


def pushed_model_id(history: History, version: int) -> int | None:
    """Return the id of the Model artifact that was pushed as a version, or None if none was."""
    for execution in reversed(history.executions):
        outputs = history.outputs(execution).values()
        versions = [str(output.properties.get(PUSHED_VERSION_PROPERTY)) for output in outputs]
        if execution.state == COMPLETE and str(version) in versions:
            inputs = execution.inputs
            return min(
                (id_ for id_ in inputs if history.artifacts[id_].type == "Model"), default=None
            )
    return None


def _reads_data(execution: Execution) -> bool:
    return "input_base" in execution.parameters
