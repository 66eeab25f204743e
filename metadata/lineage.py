"""What a model was made from, what else was, and how two models differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from metadata.history import CACHED, COMPLETE, Artifact, Execution, History
from schema.names import PUSHED_VERSION_PROPERTY

CODE_PARAMETERS: Final = frozenset({"code", "code_fingerprint", "code_hash"})
"""Names that parameters with a fingerprint of the sources have or had."""

_PLACES: Final = frozenset({"destination_token", "metadata", "log_directory"})
"""Parameters that say where something is and do not change what is made."""


@dataclass(frozen=True)
class Recipe:
    """What a model was made from.

    Attributes:
        model: folder of the model.
        made: when its training began.
        run: id of the pipeline run that trained it.
        data: `fingerprint`, `span` and `folder` of the examples; empty if they are not known.
        schema: path of the curated schema, which contains its hash.
        code: fingerprint of the sources, by node.
        settings: parameters by `node.name`, without the code.
    """

    model: str
    made: datetime
    run: str
    data: Mapping[str, Any]
    schema: str
    code: Mapping[str, str]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """Something that differs between two models; None where one of them does not have it."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Timing:
    """How long it took to make the result of a node.

    Attributes:
        node: id of the node.
        seconds: duration of the execution that made the result.
        cached: whether this run took the result of an earlier one.
    """

    node: str
    seconds: float
    cached: bool


def recipe(history: History, model: int) -> Recipe | None:
    """What a model was made from; None if ML Metadata does not know its training.

    Args:
        history: all executions.
        model: id of the Model artifact.
    """
    trainer = history.maker(model)
    if trainer is None:
        return None
    behind = history.behind(model)
    ingested = next((one for one in behind if _reads_data(one)), None)
    imported = next((one for one in behind if "schema_file" in one.parameters), None)
    code, settings = {}, {}
    for execution in behind:
        for name, value in execution.parameters.items():
            if name.split(".")[-1] in CODE_PARAMETERS:
                code[execution.node] = str(value)
            elif name not in _PLACES:
                settings[f"{execution.node}.{name}"] = value
    return Recipe(
        model=history.artifacts[model].uri,
        made=trainer.started,
        run=trainer.run,
        data={
            "fingerprint": ingested.parameters.get("input_fingerprint", ""),
            "span": ingested.parameters.get("span", 0),
            "folder": ingested.parameters["input_base"],
        }
        if ingested
        else {},
        schema=str(imported.parameters["schema_file"]) if imported else "",
        code=code,
        settings=settings,
    )


def changes(before: Recipe, after: Recipe) -> list[Change]:
    """How the recipes of two models differ: in data, schema, code and settings."""
    found = [
        *differences(
            "",
            {"data": before.data.get("fingerprint"), "schema": before.schema},
            {"data": after.data.get("fingerprint"), "schema": after.schema},
        ),
        *differences("code of ", before.code, after.code),
        *differences("", before.settings, after.settings),
    ]
    return [one for one in found if not one.what.endswith(".input_fingerprint")]


def differences(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The names whose values differ, each with the prefix before it."""
    return [
        Change(prefix + name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def trained_on_same_data(history: History, model: int) -> list[str]:
    """The other models trained on the data of a model, one line each, the newest first."""
    data = {
        artifact for one in history.behind(model) if _reads_data(one) for artifact in one.outputs
    }
    lines = []
    for artifact in sorted(history.artifacts.values(), key=lambda one: -one.id):
        trainer = history.maker(artifact.id)
        if trainer is None or "run_fn" not in trainer.parameters:
            continue
        if artifact.type == "Model" and artifact.id != model:
            used = {one for past in history.behind(artifact.id) for one in past.outputs}
            if data & used:
                lines.append(f"the model of {trainer.started:%Y-%m-%d %H:%M} UTC: {artifact.uri}")
    return lines


def timings(history: History, run: str) -> list[Timing]:
    """How long it took to make the results of a run's nodes, whichever run made them."""
    found = []
    for execution in history.executions:
        if execution.run != run:
            continue
        if execution.state == COMPLETE:
            found.append(Timing(execution.node, execution.seconds, cached=False))
        elif execution.state == CACHED:
            makers = [history.maker(artifact) for artifact in sorted(execution.outputs)]
            maker = next((one for one in makers if one is not None), None)
            if maker is not None:
                found.append(Timing(execution.node, maker.seconds, cached=True))
    return found


def pushed(history: History, version: int) -> int | None:
    """Id of the Model artifact that was pushed as a version; None if none was."""
    for execution in reversed(history.executions):
        given = [history.artifacts[one] for one in execution.outputs]
        if execution.state == COMPLETE and any(_is_version(one, version) for one in given):
            models = [one for one in sorted(execution.inputs) if _is_model(history.artifacts[one])]
            return next(iter(models), None)
    return None


def _is_version(artifact: Artifact, version: int) -> bool:
    recorded = str(artifact.properties.get(PUSHED_VERSION_PROPERTY))
    return artifact.type == "PushedModel" and recorded == str(version)


def _is_model(artifact: Artifact) -> bool:
    return artifact.type == "Model"


def _reads_data(execution: Execution) -> bool:
    return "input_base" in execution.parameters
