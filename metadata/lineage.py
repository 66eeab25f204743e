"""What a model was made from, what else was, and how two models differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from metadata.history import CACHED, COMPLETE, Execution, History
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
    """How many seconds it took to make a node's result, and whether an earlier run had made it."""

    node: str
    seconds: float
    cached: bool


def recipe(history: History, model: int) -> Recipe | None:
    """What the Model artifact of an id was made from; None if its training is not recorded."""
    trainer = history.maker(model)
    if trainer is None:
        return None
    data: dict[str, Any] = {}
    schema = ""
    code, settings = {}, {}
    for execution in history.behind(model):
        given = execution.parameters
        if _reads_data(execution) and not data:
            data = {
                "fingerprint": given.get("input_fingerprint", ""),
                "span": given.get("span", 0),
                "folder": given["input_base"],
            }
        schema = schema or str(given.get("schema_file", ""))
        for name, value in given.items():
            if name.split(".")[-1] in CODE_PARAMETERS:
                code[execution.node] = str(value)
            elif name not in _PLACES:
                settings[f"{execution.node}.{name}"] = value
    return Recipe(
        model=history.artifacts[model].uri,
        made=trainer.started,
        run=trainer.run,
        data=data,
        schema=schema,
        code=code,
        settings=settings,
    )


def changes(before: Recipe, after: Recipe) -> list[Change]:
    """How the recipes of two models differ: in data, schema, code and settings."""
    sources = [
        {"data": one.data.get("fingerprint"), "schema": one.schema} for one in (before, after)
    ]
    found = [
        *differences("", *sources),
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

    def data(artifact: int) -> set[int]:
        behind = history.behind(artifact)
        return {found for one in behind if _reads_data(one) for found in one.outputs}

    used = data(model)
    lines = []
    for artifact in sorted(history.artifacts.values(), key=lambda one: -one.id):
        trainer = history.maker(artifact.id)
        if artifact.type != "Model" or artifact.id == model or trainer is None:
            continue
        if "run_fn" in trainer.parameters and data(artifact.id) & used:
            lines.append(f"the model of {trainer.started:%Y-%m-%d %H:%M} UTC: {artifact.uri}")
    return lines


def timings(history: History, run: str) -> list[Timing]:
    """How long it took to make the results of a run's nodes, whichever run made them."""
    found = []
    for execution in history.executions:
        if execution.run == run and execution.state == COMPLETE:
            found.append(Timing(execution.node, execution.seconds, cached=False))
        elif execution.run == run and execution.state == CACHED:
            makers = filter(None, map(history.maker, sorted(execution.outputs)))
            found += [Timing(execution.node, one.seconds, cached=True) for one in [*makers][:1]]
    return found


def pushed(history: History, version: int) -> int | None:
    """Id of the Model artifact that was pushed as a version; None if none was."""
    for execution in reversed(history.executions):
        given = [history.artifacts[one] for one in execution.outputs]
        versions = [one.properties.get(PUSHED_VERSION_PROPERTY) for one in given]
        if execution.state == COMPLETE and str(version) in map(str, versions):
            models = [one for one in execution.inputs if history.artifacts[one].type == "Model"]
            return min(models, default=None)
    return None


def _reads_data(execution: Execution) -> bool:
    return "input_base" in execution.parameters
