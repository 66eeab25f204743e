"""Runs the whole pipeline on this machine: `python pipeline/run_local.py --help`."""

# Not evaluated, the annotations let a Python that is too old for the project say so.
from __future__ import annotations

import importlib.util
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # As a script its own folder is first on the path, where `pipeline` would not be found as a
    # package.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from schema.errors import ExitStatus


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline; returns the exit status (see `pipeline.arguments.EPILOG`)."""
    from pipeline.arguments import parser
    from schema import command

    options = parser().parse_args(arguments)
    return command.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> ExitStatus:
    """Check what can be checked at once, then run with the console, the lock and the signals."""
    from schema.errors import ExitStatus, UserError

    if not all(importlib.util.find_spec(name) for name in ("tfx", "rich", "yaml", "duckdb")):
        raise UserError(
            "this Python has no TFX: run `make setup`, then "
            "`.venv/bin/python pipeline/run_local.py` (or `make run`); without a checkout, install "
            "ordained[train]"
        )
    from rich.console import Console

    from pipeline import signals
    from pipeline.console import print_lines, redirect_to_log
    from schema import files
    from schema.names import LOGS_FOLDER

    output = options.output.resolve()
    _require_directories(options.data, output)
    output.mkdir(parents=True, exist_ok=True)
    held = f"{output}: another run is at work here; wait for it or choose another --output"
    log_file = output / LOGS_FOLDER / f"run-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with (
        files.lock(output / ".lock", held),
        redirect_to_log(log_file) as screen,
        signals.interruptible() as interrupted,
    ):
        console = Console(file=screen, highlight=False, markup=False)
        try:
            # Until TFX is imported the console is all there is: its imports take seconds and print
            # a lot.
            with console.status("starting (TensorFlow takes a few seconds) …"):
                from pipeline import run
            return run.run(options, output, log_file, console, interrupted)
        except BaseException as error:
            # Some libraries turn an interruption into an error of their own.
            if not isinstance(error, KeyboardInterrupt) and not interrupted.is_set():
                raise
            signals.ignore_signals()
            if "pipeline.run" in sys.modules:
                from pipeline import run

                run.clear_unfinished(output)
            words = "interrupted; the same command goes on from the last node done"
            print_lines(console, "", words)
            return ExitStatus.INTERRUPTED


def _require_directories(data: Path, output: Path) -> None:
    """Refuse directories that a run would stumble over only later.

    Raises:
        UserError: there are no data, or TFX would take the output directory for a pattern.
    """
    from schema.errors import UserError

    if not data.is_dir():
        raise UserError(f"{data}: no such directory; --data wants a folder with IMDb's dumps")
    if found := [character for character in "*?[]\\" if character in str(output)]:
        raise UserError(
            f"{output}: this path has {' and '.join(found)} in it, and TFX would take it for a "
            "pattern; choose another --output"
        )


if __name__ == "__main__":
    sys.exit(main())
