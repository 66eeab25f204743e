"""Prints what the served model was made from, what else was, and what a run would do again.

python -m pipeline.lineage --output DIR [--data DIR] [--config FILE]… [--json]
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import metadata
from metadata import Execution, History
from pipeline.arguments import SAMPLE, add_config, command_parser
from schema import command
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
_DESTINATION_PARAMETER: Final = "destination_token"


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer on the console; returns the exit status."""
    parser = command_parser(
        "pipeline.lineage",
        "Print from ML Metadata which data, code, schema and settings made the model "
        "that is served, what else was made from these data, and what a run would do again.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=SAMPLE,
        metavar="DIR",
        help="data that a run would read (default: the bundled sample)",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return command.run(lambda: _answer(given))


def _answer(given: argparse.Namespace) -> None:
    output = given.output.resolve()
    history = metadata.read(output / METADATA_FILE)
    # Importing TFX takes seconds: an error that comes before does without.
    from components.pusher import versions
    from pipeline import config as configuration
    from pipeline import previous_search

    loaded = configuration.load(given.data.resolve(), output, given.config)
    config, _ = previous_search.apply_latest_search(loaded)
    version = versions.current(config.model_directory)
    folder = config.model_directory / str(version)
    record = folder / EXTRA_ASSETS / TRAINING_RECORD_FILE
    model = None if version is None else metadata.pushed(history, version)
    recipe = None if model is None else metadata.recipe(history, model)
    found = {
        "version": version,
        "folder": "" if version is None else str(folder),
        "recipe": recipe and asdict(recipe),
        "hparams": json.loads(record.read_bytes())["hparams"] if record.is_file() else {},
        "also_used": [] if model is None else metadata.trained_on_same_data(history, model),
        "again": [
            {"node": node, "reasons": reasons}
            for node, reasons in find_cache_misses(config, history).items()
        ],
    }
    if given.json:
        print(json.dumps(found, indent=2, default=str))
    else:
        _show(found)


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
    if reasons := ingest.changes(config.data, config.movies, config.ingest):
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
    """Return the parameters that ML Metadata would record, with the names of `metadata.flat`."""
    from tfx.components.example_gen import utils
    from tfx.orchestration import data_types_utils
    from tfx.proto import example_gen_pb2

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
        split = example_gen_pb2.Input.Split(name=MOVIES_SPLIT, pattern=MOVIES_PATTERN)
        fingerprint, _, _ = utils.calculate_splits_fingerprint_span_and_version(
            str(config.movies), [split]
        )
        values["input_fingerprint"] = fingerprint
    return metadata.flat(values)


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
    if name.split(".")[-1] in metadata.CODE_PARAMETERS:
        return f"its code changed from {before} to {now}"
    if name == _DESTINATION_PARAMETER:
        return "the serving directory changed after the last push"
    if name == "input_fingerprint":
        return "the movies CSV changed"
    return f"{name} changed from {before} to {now}"


def _show(found: Mapping[str, Any]) -> None:
    """Print an answer for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)

    def lines(*texts: str) -> None:
        for text in texts:
            console.print(text, soft_wrap=not console.is_terminal)

    console.print("Served now", style="bold")
    recipe = found["recipe"]
    if found["version"] is None:
        lines("  nothing: no version has been pushed")
    elif recipe is None:
        lines(f"  {found['folder']}", "  ML Metadata does not know how this version was made")
    else:
        data = recipe["data"]
        lines(
            f"  version   {found['version']} in {found['folder']}",
            f"  trained   {recipe['made']:%Y-%m-%d %H:%M:%S} UTC, in the run {recipe['run']}",
            f"  model     {recipe['model']}",
            f"  data      {data.get('folder', '')}, span {data.get('span', '')}",
            f"            {data.get('fingerprint', '')}",
            f"  schema    {recipe['schema']}",
            *(f"  code      {node} {mark}" for node, mark in recipe["code"].items()),
            "  hparams   " + ", ".join(f"{name} {one}" for name, one in found["hparams"].items()),
        )
    console.print("\nAlso made from these data", style="bold")
    lines(*(f"  {one}" for one in found["also_used"] or ("nothing",)))
    console.print("\nA run would do again", style="bold")
    if not found["again"]:
        lines("  nothing: every result would come from the cache")
    again = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    again.add_column(no_wrap=True)
    again.add_column(overflow="fold")
    for one in found["again"]:
        again.add_row(one["node"], "; ".join(one["reasons"]))
    console.print(again)


if __name__ == "__main__":
    sys.exit(main())
