"""Options that several commands have in common."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Final

from schema.errors import ExitStatus, exit_status_help

_EPILOG: Final = exit_status_help(
    {
        ExitStatus.OK: "the command did its work",
        ExitStatus.USER_ERROR: "a mistake in the input or the options",
        ExitStatus.TRY_AGAIN: "another process is at work there, or the disk is full: try again\n"
        "       later",
        ExitStatus.INTERRUPTED: "interrupted",
    }
)


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with the option `--output`, for a module that is a command."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=textwrap.fill(description, 78),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_output(made, "output directory of the runs (default: output)")
    return made


def path(text: str) -> Path:
    """A path of the command line; shells leave the `~` of `--data=~/imdb` as it is."""
    return Path(text).expanduser()


def add_output(to: argparse.ArgumentParser, words: str) -> None:
    """Add the option `--output`, a directory, with what `--help` says of it."""
    to.add_argument("--output", type=path, default=Path("output"), metavar="DIR", help=words)


def add_config(to: argparse.ArgumentParser) -> None:
    """Add the option `--config`: a list of files, as `pipeline.config.load` reads them."""
    to.add_argument(
        "--config",
        type=path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML settings; given more than once, the last file that sets a value counts "
        "(default: ordained.yaml in the data folder, where there is one)",
    )
