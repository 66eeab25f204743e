"""What the served model was made from, and what a run would do again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import metadata
from metadata import Execution, History
from schema.names import (
    EXTRA_ASSETS,
    METADATA_FILE,
    MOVIES_PATTERN,
    MOVIES_SPLIT,
    TRAINING_RECORD_FILE,
)

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2

    from pipeline.config import RunConfig

_RESOLVER: Final = "tfx.dsl.components.common.resolver.Resolver"
_DIRECTORY: Final = "destination_token"


def collect(data: Path, output: Path, config_files: Sequence[Path]) -> dict[str, Any]:
    """Return how the served model was made, and what a run would do again.

    Args:
        data: Path. Directory with the data of the planned run.
        output: Path. Output directory of the runs.
        config_files: Sequence of Path. YAML files with the settings of the planned run.

    Raises:
        UserError: No run has been made there, or the data or settings are wrong.
    """
    history = metadata.read_history(output / METADATA_FILE)
    # Importing TFX takes seconds: an error that comes before does without.
    from components.pusher import versions
    from pipeline import config as configuration
    from pipeline import earlier_search

    loaded = configuration.load(data, output, config_files)
    config, _ = earlier_search.resolved(loaded)
    version = versions.current(config.model_directory)
    folder = config.model_directory / str(version)
    record = folder / EXTRA_ASSETS / TRAINING_RECORD_FILE
    model = None if version is None else metadata.pushed_model_id(history, version)
    lineage = None if model is None else metadata.model_lineage(history, model)
    return {
        "version": version,
        "folder": "" if version is None else str(folder),
        "lineage": lineage and asdict(lineage),
        "hparams": json.loads(record.read_bytes())["hparams"] if record.is_file() else {},
        "also_used": [] if model is None else metadata.trained_on_same_data(history, model),
        "again": [
            {"node": node, "reasons": reasons}
            for node, reasons in run_again(config, history).items()
        ],
    }


def run_again(config: "RunConfig", history: History) -> dict[str, list[str]]:
    """What a run with this configuration would not take from the cache, given the runs so far.

    A node is taken from the cache if an execution with its present parameters, the fingerprint of
    its code among them, took what the nodes before it would give. Resolvers, which only look
    things up, always run and are left out.

    Returns:
        Why, in a few words each, by node in the order of the nodes.

    Raises:
        UserError: the data are not there.
    """
    import ingest

    found: dict[str, list[str]] = {}
    if reasons := ingest.rebuild_reasons(config.data, config.movies, config.ingest):
        found["ingest"] = reasons
    chosen: dict[str, Execution] = {}
    nodes = _nodes(config)
    resolvers = {name for name, one in nodes.items() if one.node_info.type.name == _RESOLVER}
    for name, node in nodes.items():
        if name in resolvers:
            continue
        parameters = _parameters(node, config)
        sources = {
            channel.producer_node_query.id
            for given in node.inputs.inputs.values()
            for channel in given.channels
        }
        before = [one for one in nodes if one in sources - resolvers]
        earlier = [
            one for one in history.executions if one.node == name and one.state == metadata.COMPLETE
        ]
        fitting = [
            one
            for one in earlier
            if parameters.items() <= one.parameters.items()
            and all(node in chosen and chosen[node].outputs.keys() & one.inputs for node in before)
        ]
        if fitting:
            chosen[name] = fitting[-1]
        else:
            after = [one for one in before if one in found]
            found[name] = _reasons(parameters, earlier, after)
    return found


def _nodes(config: "RunConfig") -> "dict[str, pipeline_pb2.PipelineNode]":
    """The nodes of the pipeline, in order."""
    from tfx.dsl.compiler import compiler

    from components.pusher import versions
    from pipeline.pipeline import create_pipeline

    token = versions.destination_token(config.model_directory)
    ir = compiler.Compiler().compile(create_pipeline(config, token))
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}


def _parameters(node: "pipeline_pb2.PipelineNode", config: "RunConfig") -> dict[str, Any]:
    """What would be recorded of a node, by the names of `metadata.flatten_parameters`."""
    from tfx.components.example_gen import utils
    from tfx.orchestration import data_types_utils
    from tfx.proto import example_gen_pb2

    given = node.parameters.parameters
    values = data_types_utils.build_parsed_value_dict(given)
    # ML Metadata has no truth values, and texts for lists.
    for name, value in values.items():
        if isinstance(value, bool):
            values[name] = int(value)
        elif not isinstance(value, str | int | float):
            one = given[name].field_value
            values[name] = getattr(one, str(one.WhichOneof("value")))
    if "input_base" in values and config.movies.is_dir():
        split = example_gen_pb2.Input.Split(name=MOVIES_SPLIT, pattern=MOVIES_PATTERN)
        mark, _, _ = utils.calculate_splits_fingerprint_span_and_version(
            str(config.movies), [split]
        )
        values["input_fingerprint"] = mark
    return metadata.flatten_parameters(values)


def _reasons(
    parameters: Mapping[str, Any], earlier: Sequence[Execution], after: Sequence[str]
) -> list[str]:
    """Why a node is not taken from the cache; it comes `after` nodes that are not either."""
    if not earlier:
        return ["it has not run yet"]
    last = earlier[-1].parameters
    reasons = [
        _changed(name, last.get(name), value)
        for name, value in parameters.items()
        if last.get(name) != value
    ]
    reasons += [f"after {', '.join(after)}"] if after else []
    return reasons or ["the nodes before it give something else than at its last run"]


def _changed(name: str, before: Any, now: Any) -> str:
    if name.split(".")[-1] in metadata.CODE_FINGERPRINT_PARAMETERS:
        return f"its code changed ({before} to {now})"
    if name == _DIRECTORY:
        return "the serving directory is not as the last push left it"
    if name == "input_fingerprint":
        return "the movies CSV changed"
    return f"{name}: {before} to {now}"
