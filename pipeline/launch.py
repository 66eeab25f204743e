"""Start a run, or another long command: check and lock directories, and handle interruptions.

TFX is imported only after the cheap checks, because its import takes seconds.
"""

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import signals
from pipeline.console import print_lines, redirect_to_log
from pipeline.temporary import temporary_directory
from schema import files
from schema.errors import ExitStatus, UserError
from schema.names import LOGS_DIRECTORY
from schema.streams import ignore_output_errors

Work = Callable[[Console, Path, threading.Event], ExitStatus]
"""The work of a command. It gets the console, the log file, and an event that is set once the user
has interrupted it."""


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
    started = time.time()

    def work(console: Console, log_file: Path, interrupted: threading.Event) -> ExitStatus:
        from pipeline import run

        return run.run(data, output, config_files, options, log_file, console, interrupted, started)

    def clear_unfinished() -> None:
        if "pipeline.run" in sys.modules:
            from pipeline import run

            run.clear_unfinished(output, started)

    return _work("run", output, "--output", work, "node", clear_unfinished)


def label(runs: Path, **values: Any) -> ExitStatus:
    """Label movies with a console, a log file, a lock on the output and signal handlers.

    Args:
        runs: Path. Output directory of the runs.
        **values: Other fields of `pipeline.label.LabelRequest`.

    Raises:
        UserError: The data, the model, a setting or an option is wrong.
        TryAgainError: A run holds the lock, or the disk is full.
    """
    if values.get("folds"):
        _refuse_pattern(runs, "--run")

    def work(console: Console, log_file: Path, interrupted: threading.Event) -> ExitStatus:
        from pipeline import label

        request = label.LabelRequest(runs=runs, **values)
        return label.run(request, log_file, console, interrupted)

    return _work("label", runs, "--run", work, "part")


def _work(
    module: str,
    output: Path,
    option: str,
    work: Work,
    unit: str,
    clean_up: Callable[[], None] = lambda: None,
) -> ExitStatus:
    """Do the work of a command on an output directory, and end it well if it is interrupted.

    Args:
        module: Module of this package that does the work, which is also the name of the log.
        output: Existing output directory, which is locked.
        option: Option that names the output directory.
        work: Function that calls the module.
        unit: What the command completes one by one, so that an interruption loses only the last.
        clean_up: Function that is called after an interruption.
    """
    ignore_output_errors()
    locked = f"{output}: another run is working here. Wait for it, or choose another {option}."
    log_file = output / LOGS_DIRECTORY / f"{module}-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with (
        files.lock(output / ".lock", locked),
        redirect_to_log(log_file) as screen,
        signals.interruptible() as interrupted,
        temporary_directory(),
    ):
        console = Console(file=screen, highlight=False, markup=False)
        try:
            with console.status("starting (TensorFlow takes a few seconds) …"):
                importlib.import_module(f"pipeline.{module}")
            return work(console, log_file, interrupted)
        except BaseException as error:
            # The interruption is repeated, perhaps at this moment.
            try:
                signals.ignore_signals()
            except KeyboardInterrupt:
                signals.ignore_signals()
            # Some libraries turn an interruption into an error of their own.
            if not isinstance(error, KeyboardInterrupt) and not interrupted.is_set():
                raise
            clean_up()
            message = f"interrupted; the same command continues after the last finished {unit}"
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
    _refuse_pattern(output, "--output")


def _refuse_pattern(output: Path, option: str) -> None:
    """Refuse an output directory whose path TFX would read as a pattern.

    Raises:
        UserError: The path contains a character of patterns.
    """
    if found := [character for character in "*?[]\\" if character in str(output)]:
        raise UserError(
            f"{output}: the path contains {' and '.join(found)}, which TFX would read as a "
            f"pattern. Choose another {option}."
        )
