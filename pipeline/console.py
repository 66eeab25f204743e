"""The console of a run: progress on the terminal, all other output in a log file."""

import contextlib
import logging
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, TextIO, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from schema.streams import GuardedStream, import_tensorflow, redirect_descriptors
from schema.wording import duration

SHOWN_PACKAGES: Final = ("components", "ingest", "pipeline", "trainer")
"""Packages whose log messages appear on the console while a node runs."""

RESERVED_LINES: Final = 6
"""Lines of the terminal that the live table leaves free for rows that wrap."""

MIN_SECONDS_BETWEEN_MESSAGES: Final = 20.0
"""Shortest time between two messages of a node where the output is not a terminal.

Messages that come sooner are only in the log, except warnings and errors, which are always shown.
"""

_STYLES: Final = {
    "done": "green",
    "cached": "cyan",
    "failed": "bold red",
    "interrupted": "yellow",
}


@contextlib.contextmanager
def redirect_to_log(log_file: Path) -> Iterator[TextIO]:
    """Redirect all output of this process to a log file, including that of C++ libraries.

    Args:
        log_file: Path of the log. Output is appended; missing directories are created.

    Yields:
        The original standard output, for messages to the user. If it breaks, they go to the log.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with (
        os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace") as screen,
        log_file.open("a", buffering=1, encoding="utf-8", errors="replace") as log,
        redirect_descriptors(log, 1, 2),
    ):
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        before = root.handlers[:], root.level
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        try:
            yield cast(TextIO, GuardedStream(screen, log))
        finally:
            root.handlers[:], root.level = before


def print_lines(console: Console, *lines: str, title: str = "") -> None:
    """Print lines without markup, indented below a red title if there is one.

    Lines are wrapped between words only on a terminal.
    """
    if title:
        console.print(f"\n{title}", style="bold red")
    for line in lines:
        console.print(f"  {line}" if title else line, soft_wrap=not console.is_terminal)


def silence_libraries() -> None:
    """Suppress the log messages and warnings of TensorFlow and other libraries."""
    logging.disable(logging.WARNING)
    import_tensorflow(min_log_level=3)


@dataclass
class _Step:
    name: str
    started: float
    status: str = "running"
    seconds: float = 0.0
    message: str = ""
    last_message_time: float = -math.inf


class ProgressTable(logging.Handler):
    """A table with one row per step of a run, updated while the steps run.

    Where the output is not a terminal, a line is printed for each step when it ends. The table is
    also a logging handler: it shows the last message that the running step has logged.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.steps: list[_Step] = []
        # The thread that refreshes the display reads the steps while the run changes them.
        self._steps_lock = threading.Lock()
        self._spinner = Spinner("dots")

    @contextlib.contextmanager
    def live(self) -> Iterator["ProgressTable"]:
        """Update the table until the block ends, then print it in full."""
        live = Live(
            console=self.console,
            get_renderable=self._render_latest,
            refresh_per_second=4,
            transient=True,
            # rich would print the output of libraries on the terminal; it belongs in the log.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with contextlib.ExitStack() as stack:
            for name in SHOWN_PACKAGES:
                logging.getLogger(name).addHandler(self)
                stack.callback(logging.getLogger(name).removeHandler, self)
            if self.console.is_terminal:
                stack.callback(lambda: self.console.print(self._render(self.steps)))
                stack.enter_context(live)
            yield self

    def start_step(self, name: str) -> None:
        """Add a row for a step that starts now."""
        with self._steps_lock:
            self.steps.append(_Step(name, monotonic()))

    def end_step(self, status: str, message: str) -> None:
        """Record that the running step has ended.

        Args:
            status: `done`, `cached`, `failed` or `interrupted`.
            message: Summary of the result; may be empty.
        """
        with self._steps_lock:
            step = self.steps[-1]
            step.status, step.seconds, step.message = status, monotonic() - step.started, message
        if not self.console.is_terminal:
            self._print_line(step.name, step.status, step.seconds, step.message)

    def stop_step(self, *, interrupted: bool) -> None:
        """Record that the running step, if there is one, has failed or was interrupted."""
        if self.steps and self.steps[-1].status == "running":
            self.end_step("interrupted" if interrupted else "failed", self.steps[-1].message)

    def update_step(self, message: str) -> None:
        """Show the progress of the running step; only a terminal displays it."""
        with self._steps_lock:
            self.steps[-1].message = message

    def emit(self, record: logging.LogRecord) -> None:
        """Show the first line of a log message in the row of the running step.

        On a terminal, where the next message replaces it, a warning is also printed on its own.
        """
        message = record.getMessage().partition("\n")[0]
        with self._steps_lock:
            if not self.steps or self.steps[-1].status != "running":
                return
            step, now = self.steps[-1], monotonic()
            step.message = message
            too_soon = now < step.last_message_time + MIN_SECONDS_BETWEEN_MESSAGES
            if record.levelno < logging.WARNING and (self.console.is_terminal or too_soon):
                return
            step.last_message_time = now
        self._print_line(step.name, "…", now - step.started, message)

    def _print_line(self, name: str, status: str, seconds: float, message: str) -> None:
        text = f"{name:<24}{status:<7} {duration(seconds):>7}  {message}".rstrip()
        self.console.print(Text(text), soft_wrap=True)

    def _render_latest(self) -> RenderableType:
        """Render the latest rows, as many as fit the terminal."""
        height = max(self.console.height - RESERVED_LINES, 1)
        return self._render(self.steps[-height:])

    def _render(self, steps: list[_Step]) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False, expand=True)
        # Fixed widths keep the columns in place while rows are added.
        table.add_column(no_wrap=True, min_width=len("LastAcceptedStatistics"))
        table.add_column(no_wrap=True, min_width=len("running"))
        table.add_column(no_wrap=True, min_width=len("9m59s"), justify="right")
        # Only the last column wraps, so the others stay readable on a narrow terminal.
        table.add_column(style="dim", ratio=1)
        with self._steps_lock:
            for step in steps:
                running = step.status == "running"
                table.add_row(
                    step.name,
                    self._spinner if running else Text(step.status, _STYLES[step.status]),
                    duration(monotonic() - step.started if running else step.seconds),
                    Text(step.message),
                )
        return table
