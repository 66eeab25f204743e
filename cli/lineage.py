"""`ordained lineage`: print how the served model was made, and what a run would do again."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from cli.options import (
    COMMON_STATUSES,
    ColumnOption,
    ConfigOption,
    DataOption,
    OutputOption,
    TableOption,
    data_directory,
    exit_statuses,
    parse_columns,
)
from schema.names import DEFAULT_OUTPUT
from schema.streams import import_tensorflow

EPILOG: Final = exit_statuses(COMMON_STATUSES)


def lineage(
    output: OutputOption = DEFAULT_OUTPUT,
    data: DataOption = None,
    table: TableOption = None,
    column: ColumnOption = [],  # noqa: B006 (Typer makes a new list for each call)
    config: ConfigOption = [],  # noqa: B006 (Typer makes a new list for each call)
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how the served model was made.

    The command prints, from ML Metadata, which data, code, schema and settings made the model,
    which other models were trained on the same data, and which nodes a run with the same options
    would execute again. It does not know the data of the last run: name them as for the run.
    """
    import_tensorflow()
    from pipeline.lineage import collect

    found = collect(
        data_directory(data, table).resolve(),
        output.resolve(),
        config,
        table=table,
        columns=parse_columns(column),
    )
    if as_json:
        print(json.dumps(found, indent=2, default=str))
    else:
        _print(found)


def _print(found: Mapping[str, Any]) -> None:
    console = Console(highlight=False, markup=False)

    def print_lines(*lines: str) -> None:
        for line in lines:
            console.print(line, soft_wrap=not console.is_terminal)

    console.print("Served model", style="bold")
    lineage = found["lineage"]
    if found["version"] is None:
        print_lines("  none: no version has been pushed")
    elif lineage is None:
        print_lines(f"  {found['directory']}", "  ML Metadata has no record of this version")
    else:
        data = lineage["data"]
        print_lines(
            f"  version   {found['version']} in {found['directory']}",
            f"  trained   {lineage['trained']:%Y-%m-%d %H:%M:%S} UTC, in the run {lineage['run']}",
            f"  model     {lineage['model']}",
            f"  data      {data.get('directory', '')}, span {data.get('span', '')}",
            f"            {data.get('checksum', '')}",
            f"  schema    {lineage['schema']}",
            *(f"  code      {node} {digest}" for node, digest in lineage["code"].items()),
            "  hparams   "
            + ", ".join(f"{name} {value}" for name, value in found["hparams"].items()),
        )
    console.print("\nOther models trained on the same data", style="bold")
    print_lines(*(f"  {model}" for model in found["trained_on_same_data"] or ("none",)))
    console.print("\nNodes that a run would execute again", style="bold")
    print_lines(f"  data      {found['compared_with']}")
    if not found["cache_misses"]:
        print_lines("  none: every result would come from the cache")
    nodes = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    nodes.add_column(no_wrap=True)
    nodes.add_column(overflow="fold")
    for node in found["cache_misses"]:
        nodes.add_row(node["node"], "; ".join(node["reasons"]))
    console.print(nodes)
