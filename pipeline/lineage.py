"""Origin of the served model, and nodes that the next run would execute again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import metadata
from metadata import Execution, History
from schema.names import (
    EXTRA_ASSETS,
    METADATA_FILE,
    TRAINING_RECORD_FILE,
)

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2

    from pipeline.config import RunConfig

_RESOLVER: Final = "tfx.dsl.components.common.resolver.Resolver"
_DESTINATION_PARAMETER: Final = "destination_token"


def collect(
    data: Path, output: Path, config_files: Sequence[Path], **options: Any
) -> dict[str, Any]:
    """Collect how the served model was made, and what the next run would execute again.

    Args:
        data: Directory with the data of the next run.
        output: Output directory of the runs.
        config_files: YAML files with the settings of the next run.
        **options: Further options of `pipeline.config.load`.

    Returns:
        Dict that can be written as JSON. `version` and `directory` of the served model, its
        `lineage` and `hparams`, other models `trained_on_same_data`, the data of the next run, with
        which the last executions were `compared_with`, and the `cache_misses` of the next run with
        their reasons.

    Raises:
        UserError: The output directory has no run, or the data or the settings are invalid.
    """
    history = metadata.read_history(output / METADATA_FILE)
    # TFX is imported only now, since its import takes seconds and an error may come first.
    from components.pusher import versions
    from pipeline import config as configuration
    from pipeline import previous_search
    from pipeline.served_model import training_record

    loaded = configuration.load(data, output, config_files, **options)
    config, _ = previous_search.apply_latest_search(loaded)
    version = versions.current(config.model_directory)
    directory = config.model_directory / str(version)
    hparams: dict[str, Any] = {}
    if (directory / EXTRA_ASSETS / TRAINING_RECORD_FILE).is_file():
        with training_record(directory) as record:
            hparams = record["hparams"]
    model = None if version is None else metadata.pushed_model_id(history, version)
    lineage = None if model is None else metadata.model_lineage(history, model)
    return {
        "version": version,
        "directory": "" if version is None else str(directory),
        "lineage": lineage and asdict(lineage),
        "hparams": hparams,
        "trained_on_same_data": []
        if model is None
        else metadata.trained_on_same_data(history, model),
        "compared_with": str(config.ingest.table or config.data),
        "cache_misses": [
            {"node": node, "reasons": reasons}
            for node, reasons in find_cache_misses(config, history).items()
        ],
    }


def find_cache_misses(config: "RunConfig", history: History) -> dict[str, list[str]]:
    """Find the nodes that a run with this configuration would not take from the cache.

    A node comes from the cache if an earlier execution had the same parameters, which include the
    fingerprint of its code, and the same inputs. Resolvers always run and are not listed.

    Args:
        config: Configuration of the run.
        history: Executions and artifacts of the earlier runs.

    Returns:
        Dict. The reasons for each node, in the order of the nodes; `ingest` may be the first key.

    Raises:
        UserError: The data do not exist.
    """
    import ingest

    misses: dict[str, list[str]] = {}
    if genres := ingest.built_genres(config.movies):
        config = config.model_copy(update={"genres": genres})
    if reasons := ingest.rebuild_reasons(config.data, config.movies, config.ingest):
        misses["ingest"] = reasons
    cached: dict[str, Execution] = {}
    nodes = _compile_nodes(config)
    resolvers = {name for name, node in nodes.items() if node.node_info.type.name == _RESOLVER}
    for name, node in nodes.items():
        if name in resolvers:
            continue
        parameters = _parameters_of(node, config)
        producers = {
            channel.producer_node_query.id
            for node_input in node.inputs.inputs.values()
            for channel in node_input.channels
        }
        upstream = [other for other in nodes if other in producers - resolvers]
        earlier = [
            execution
            for execution in history.executions
            if execution.node == name and execution.state == metadata.COMPLETE
        ]
        matching = [
            execution
            for execution in earlier
            if parameters.items() <= execution.parameters.items()
            and all(
                other in cached and cached[other].outputs.keys() & execution.inputs
                for other in upstream
            )
        ]
        if matching:
            cached[name] = matching[-1]
        else:
            missed = [other for other in upstream if other in misses]
            misses[name] = _reasons(parameters, earlier, missed)
    return misses


def _compile_nodes(config: "RunConfig") -> "dict[str, pipeline_pb2.PipelineNode]":
    """Return the compiled nodes of the pipeline by id, in the order in which they run."""
    from tfx.dsl.compiler import compiler

    from components.pusher import versions
    from pipeline.pipeline import create_pipeline

    token = versions.destination_token(config.model_directory)
    ir = compiler.Compiler().compile(create_pipeline(config, token))
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}


def _parameters_of(node: "pipeline_pb2.PipelineNode", config: "RunConfig") -> dict[str, Any]:
    """Return the parameters that ML Metadata would record, flattened by `metadata`."""
    from tfx.orchestration import data_types_utils

    from components.example_gen import movies_digest

    raw = node.parameters.parameters
    values = data_types_utils.build_parsed_value_dict(raw)
    # ML Metadata stores booleans as integers, and lists as strings.
    for name, value in values.items():
        if isinstance(value, bool):
            values[name] = int(value)
        elif not isinstance(value, str | int | float):
            field = raw[name].field_value
            values[name] = getattr(field, str(field.WhichOneof("value")))
    if "input_base" in values and config.movies.is_dir():
        values["input_fingerprint"] = movies_digest(config.movies)
    return metadata.flatten_parameters(values)


def _reasons(
    parameters: Mapping[str, Any], earlier: Sequence[Execution], missed: Sequence[str]
) -> list[str]:
    """Return the reasons why a node does not come from the cache.

    Args:
        parameters: Parameters of the node in the next run.
        earlier: Completed executions of the node, oldest first.
        missed: Ids of the upstream nodes that do not come from the cache either.
    """
    if not earlier:
        return ["it has not run yet"]
    last = earlier[-1].parameters
    reasons = [
        _describe_change(name, last.get(name), value)
        for name, value in parameters.items()
        if last.get(name) != value
    ]
    reasons += [f"it depends on {', '.join(missed)}"] if missed else []
    return reasons or ["its inputs differ from those of its last run"]


def _describe_change(name: str, before: Any, now: Any) -> str:
    if name.split(".")[-1] in metadata.CODE_FINGERPRINT_PARAMETERS:
        return f"its code changed from {before} to {now}"
    if name == _DESTINATION_PARAMETER:
        return "the serving directory changed after the last push"
    if name == "input_fingerprint":
        return "the movies CSV changed"
    return f"{name} changed from {before} to {now}"
