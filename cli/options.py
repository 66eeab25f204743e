"""Options that several subcommands have, and how `--help` lists exit statuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, overload

import typer

from schema.errors import ExitStatus


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
    Path,
    typer.Option(
        metavar="DIR",
        help="Directory with IMDb's dumps (`title.basics`, `title.ratings`, `title.crew`, "
        "`title.principals`, `name.basics`) and plots.",
        show_default="the bundled sample",
        callback=expand_home,
    ),
]

ConfigOption: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE",
        help="YAML file with settings. Repeat the option to read several files; the last file that "
        "sets a value wins.",
        show_default="ordained.yaml in the data directory, if it exists",
        callback=expand_home,
    ),
]

OUTPUT = Path("output")

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
