"""Options that several subcommands have, and how `--help` lists exit statuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, overload

import typer

from schema.errors import ExitStatus, UserError

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"


@overload
def expand_home(value: Path) -> Path: ...
@overload
def expand_home(value: list[Path]) -> list[Path]: ...
@overload
def expand_home(value: None) -> None: ...
def expand_home(value: Path | list[Path] | None) -> Path | list[Path] | None:
    """Replace a leading `~`, which shells leave alone in `--data=~/imdb`."""
    if isinstance(value, list):
        return [path.expanduser() for path in value]
    return value and value.expanduser()


OutputOption: TypeAlias = Annotated[
    Path, typer.Option(metavar="DIR", help="Output directory of the runs.", callback=expand_home)
]

DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Directory with IMDb's dumps (`title.basics`, `title.ratings`, `title.crew`, "
        "`title.principals`, `name.basics`) and plots.",
        show_default="the bundled sample",
        callback=expand_home,
    ),
]

TableOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Single table with plots and genres, in place of `--data`: CSV, TSV, JSON or Parquet, "
        "also compressed, or the directory of the CMU Movie Summary Corpus.",
        show_default=False,
        callback=expand_home,
    ),
]

ColumnOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        metavar="FIELD=NAME",
        help="Column of the table, or of the plots beside dumps, such as `plot=My Column`, if its "
        "name is not recognized. Repeat it for several columns.",
    ),
]

ConfigOption: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE",
        help="YAML file with settings. Repeat the option to read several files; the last file that "
        "sets a value wins.",
        show_default="ordained.yaml in the data directory or beside the table, if it exists",
        callback=expand_home,
    ),
]


def data_directory(data: Path | None, table: Path | None) -> Path:
    """Return the directory of the data: that of the dumps, that of the table, or the sample.

    Raises:
        UserError: Both the dumps and a table are given.
    """
    if data is not None and table is not None:
        raise UserError(
            "--data and --table: expected one of them. A run reads either IMDb's dumps or a table."
        )
    if table is not None:
        return table if table.is_dir() else table.parent
    return data or SAMPLE


def parse_pairs(option: str, pairs: list[str], example: str) -> dict[str, str]:
    """Return the values of a repeatable option, such as `--column FIELD=NAME`, as a dict.

    Args:
        option: Name of the option, for messages.
        pairs: Values of the option.
        example: Form of a value and an example, for messages.

    Raises:
        UserError: A value has no `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise UserError(f"{option} {pair}: expected {example}")
    return dict(pair.split("=", 1) for pair in pairs)


def parse_columns(pairs: list[str]) -> dict[str, str]:
    """Return the values of `--column` as a dict from field to column.

    Raises:
        UserError: A value has no `=`.
    """
    return parse_pairs("--column", pairs, 'FIELD=NAME, such as "plot=My Column"')


COMMON_STATUSES = {
    ExitStatus.OK: "The command succeeded.",
    ExitStatus.USER_ERROR: "The input or an option is wrong.",
    ExitStatus.TRY_AGAIN: "Another process is working there, or the disk is full. Try again later.",
    ExitStatus.INTERRUPTED: "You interrupted the command.",
}
"""Exit statuses of the subcommands that only read or change the output directory."""


def exit_statuses(meanings: Mapping[ExitStatus, str]) -> str:
    """Return Markdown that lists exit statuses, for the end of a subcommand's `--help`."""
    lines = [f"- {status:d}: {meaning}" for status, meaning in sorted(meanings.items())]
    return "\n".join(["Exit status:", "", *lines])
