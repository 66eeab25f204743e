"""The options of `python pipeline/run_local.py` and of the commands around it."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Final

from schema.errors import ExitStatus, exit_status_help

SAMPLE: Final = Path(__file__).resolve().parent.parent / "data" / "sample"

EPILOG: Final = exit_status_help(
    {
        ExitStatus.OK: "the model is in the serving directory (or was there already)",
        ExitStatus.FAILED: "a node crashed; the log has the details",
        ExitStatus.USER_ERROR: "a mistake in the input, the configuration or the options",
        ExitStatus.REFUSED: "the model was not pushed: refused by the gate or the smoke\n"
        "       test, or rolled back before",
        ExitStatus.ANOMALIES: "the data have anomalies",
        ExitStatus.TRY_AGAIN: "another run is at work there, or the disk is full: try again\n"
        "       later",
        ExitStatus.INTERRUPTED: "interrupted; the same command goes on",
    }
)
_COMMAND_EPILOG: Final = exit_status_help(
    {
        ExitStatus.OK: "the command did its work",
        ExitStatus.USER_ERROR: "a mistake in the input or the options",
        ExitStatus.TRY_AGAIN: "another process is at work there, or the disk is full: try again\n"
        "       later",
        ExitStatus.INTERRUPTED: "interrupted",
    }
)
_EXAMPLES: Final = """\
examples:
  python pipeline/run_local.py
  python pipeline/run_local.py --data imdb/ --output runs/imdb --tune
  python pipeline/run_local.py --from Trainer
"""


class _Renamed(argparse.Action):
    """Refuses an option of earlier versions, with its new name."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """End with a usage error; `const` is the new name."""
        parser.error(f"{self.option_strings[0]} is now called {self.const}")


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; see `pipeline.config.load` for what the options do."""
    made = argparse.ArgumentParser(
        prog="run_local.py",
        description="From IMDb dumps to a served genre model: ingest, check, transform, train,\n"
        "judge and push.",
        epilog=f"{EPILOG}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--data",
        type=path,
        default=SAMPLE,
        metavar="DIR",
        help="folder with title.basics, title.ratings, title.crew, title.principals, name.basics "
        "and plots (default: the bundled sample)",
    )
    _add_output(made, "folder for everything that the run makes (default: output)")
    add_config(made)
    made.add_argument(
        "--tune",
        action=argparse.BooleanOptionalAction,
        help="search hyperparameters anew; without a search the best ones of the latest search are "
        "used, where the configuration sets no others",
    )
    made.add_argument(
        "--ignore-search",
        action="store_true",
        help="do not use the hyperparameters that an earlier search found",
    )
    made.add_argument(
        "--no-cache", dest="cache", action="store_false", help="run every node, changed or not"
    )
    made.add_argument(
        "--from",
        dest="from_node",
        metavar="NODE",
        help="run this node and what depends on it again, whatever the cache holds",
    )
    made.add_argument(
        "--ignore-blessed-model",
        action="store_true",
        help="do not compare with the last blessed model, once",
    )
    made.add_argument(
        "--reset-baseline",
        action=_Renamed,
        nargs=0,
        const="--ignore-blessed-model",
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    made.add_argument(
        "--accept-drift",
        action="store_true",
        help="take data unlike the last as the new reference, once",
    )
    made.add_argument(
        "--republish", action="store_true", help="push a model that was rolled back before, once"
    )
    return made


def command_parser(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with the option `--output`, for a module that is a command."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=textwrap.fill(description, 78),
        epilog=_COMMAND_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_output(made, "output directory of the runs (default: output)")
    return made


def path(text: str) -> Path:
    """A path of the command line; shells leave the `~` of `--data=~/imdb` as it is."""
    return Path(text).expanduser()


def _add_output(to: argparse.ArgumentParser, words: str) -> None:
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
