"""Start a run: check the directories, lock the output, and handle interruptions.

TFX is imported only after the cheap checks, because its import takes seconds.
"""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import signals
from pipeline.console import print_lines, redirect_to_log
from schema import files
from schema.errors import ExitStatus, UserError
from schema.names import LOGS_DIRECTORY


def run(data: Path, output: Path, config_files: Sequence[Path], **options: Any) -> ExitStatus:
    """Run the pipeline with a console, a log file, a lock on the output and signal handlers.

    Args:
        data: Path. Directory with IMDb's dumps and plots, or with the table.
        output: Path. Directory for everything that the run makes; created if needed.
        config_files: Sequence of Path. YAML files with settings.
        **options: Options of `pipeline.config.load`.

    Raises:
        UserError: The data, the settings or an option is wrong.
        TryAgainError: Another run holds the lock, or the disk is full.
    """
    output = output.resolve()
    _require_paths(data, output, options.get("table"))
    output.mkdir(parents=True, exist_ok=True)
    locked = f"{output}: another run is working here. Wait for it, or choose another --output."
    log_file = output / LOGS_DIRECTORY / f"run-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with (
        files.lock(output / ".lock", locked),
        redirect_to_log(log_file) as screen,
        signals.interruptible() as interrupted,
    ):
        console = Console(file=screen, highlight=False, markup=False)
        try:
            with console.status("starting (TensorFlow takes a few seconds) …"):
                from pipeline import run
            return run.run(data, output, config_files, options, log_file, console, interrupted)
        except BaseException as error:
            # Some libraries turn an interruption into an error of their own.
            if not isinstance(error, KeyboardInterrupt) and not interrupted.is_set():
                raise
            signals.ignore_signals()
            if "pipeline.run" in sys.modules:
                from pipeline import run

                run.clear_unfinished(output)
            message = "interrupted; the same command continues after the last finished node"
            print_lines(console, "", message)
            return ExitStatus.INTERRUPTED


def _require_paths(data: Path, output: Path, table: Path | None) -> None:
    """Refuse paths that would make a run fail later.

    Raises:
        UserError: The data are missing, or TFX would read the output's path as a pattern.
    """
    if table is not None and not table.exists():
        raise UserError(f"{table}: no such file. --table needs a table with plots and genres.")
    if not data.is_dir():
        raise UserError(f"{data}: no such directory. --data needs a directory with IMDb's dumps.")
    if found := [character for character in "*?[]\\" if character in str(output)]:
        raise UserError(
            f"{output}: the path contains {' and '.join(found)}, which TFX would read as a "
            "pattern. Choose another --output."
        )
