"""What a person sees of a run: a quiet console, everything else in a log file."""

import contextlib
import logging
import math
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

OUR_LOGGERS: Final = ("components", "ingest", "pipeline", "trainer")
"""Packages whose log lines are shown while a node runs."""

ROOM_FOR_LONG_WORDS: Final = 6
"""Lines of a terminal that the live table leaves to rows that need more than one."""

SECONDS_A_LINE: Final = 20.0
"""Where there is no terminal, what a node logs sooner after its last line is kept from the screen.

Lines cannot be overwritten there, and the log has them all. Warnings are shown at once.
"""

_STYLES: Final = {"done": "green", "cached": "cyan", "failed": "bold red"}


@contextlib.contextmanager
def quiet(log_file: Path) -> Iterator[TextIO]:
    """Send everything that this process prints to a log file, libraries written in C++ included.

    Args:
        log_file: is appended to; its directory is made.

    Yields:
        The standard output as it was, for what a person should see.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with (
        os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace") as screen,
        log_file.open("a", buffering=1, encoding="utf-8", errors="replace") as log,
        _sent_to(log, 1, 2),
    ):
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        before = root.handlers[:], root.level
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        try:
            yield screen
        finally:
            root.handlers[:], root.level = before


@contextlib.contextmanager
def _sent_to(file: TextIO, *descriptors: int) -> Iterator[None]:
    """Send what is written to descriptors of this process to a file while the block runs."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(one) for one in descriptors]
    for one in descriptors:
        os.dup2(file.fileno(), one)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for one, before in zip(descriptors, saved, strict=True):
            os.dup2(before, one)
            os.close(before)


def print_lines(console: Console, *lines: str, title: str = "") -> None:
    """Print lines without markup, below a title in red if one is given.

    They are wrapped between words on a terminal only: elsewhere each stays one line.
    """
    if title:
        console.print(f"\n{title}", style="bold red")
    for line in lines:
        console.print(f"  {line}" if title else line, soft_wrap=not console.is_terminal)


def hush() -> None:
    """Keep what libraries tell their developers out of a notebook or a table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.disable(logging.WARNING)
    import_tensorflow()


def import_tensorflow() -> None:
    """Import TensorFlow without what it writes to the standard error before it heeds a setting."""
    with Path(os.devnull).open("w") as nowhere, _sent_to(nowhere, 2):
        import tensorflow  # noqa: F401


@dataclass
class _Row:
    name: str
    started: float
    status: str = "running"
    seconds: float = 0.0
    words: str = ""
    last_line: float = -math.inf


class Board(logging.Handler):
    """The nodes of a run as a table that grows; plain lines, fewer, where there is no terminal.

    A logging handler as well: the last line that a running node logs stands beside it.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self.console = console
        self.rows: list[_Row] = []
        # The refreshing thread reads the rows while the run changes them.
        self._guard = threading.Lock()
        self._spinner = Spinner("dots")

    @contextlib.contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the table while the block runs, and leave it standing after."""
        live = Live(
            console=self.console,
            get_renderable=self._latest,
            refresh_per_second=4,
            transient=True,
            # What libraries print belongs in the log; rich would bring it to the screen.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with contextlib.ExitStack() as at_the_end:
            for name in OUR_LOGGERS:
                logging.getLogger(name).addHandler(self)
                at_the_end.callback(logging.getLogger(name).removeHandler, self)
            if self.console.is_terminal:
                at_the_end.callback(lambda: self.console.print(self._table(self.rows)))
                at_the_end.enter_context(live)
            yield self

    def begin(self, name: str) -> None:
        """A step starts."""
        with self._guard:
            self.rows.append(_Row(name, monotonic()))

    def end(self, status: str, words: str) -> None:
        """The step that runs has ended: `done`, `cached` or `failed`."""
        with self._guard:
            row = self.rows[-1]
            row.status, row.seconds, row.words = status, monotonic() - row.started, words
        if not self.console.is_terminal:
            self._line(row.name, row.status, row.seconds, row.words)

    def progress(self, words: str) -> None:
        """Say how far the step that runs is; only where a line can be overwritten."""
        with self._guard:
            self.rows[-1].words = words

    def emit(self, record: logging.LogRecord) -> None:
        """Show a log line beside the node that runs."""
        message = record.getMessage().partition("\n")[0]
        with self._guard:
            if not self.rows or self.rows[-1].status != "running":
                return
            row, now = self.rows[-1], monotonic()
            row.words = message
            soon = now < row.last_line + SECONDS_A_LINE and record.levelno < logging.WARNING
            if self.console.is_terminal or soon:
                return
            row.last_line = now
        self._line(row.name, "…", now - row.started, message)

    def _line(self, name: str, status: str, seconds: float, words: str) -> None:
        text = f"{name:<24}{status:<8}{_clock(seconds):>7}  {words}".rstrip()
        self.console.print(Text(text), soft_wrap=True)

    def _latest(self) -> RenderableType:
        """The rows that a terminal has room for, the one that runs last."""
        room = max(self.console.height - ROOM_FOR_LONG_WORDS, 1)
        return self._table(self.rows[-room:])

    def _table(self, rows: list[_Row]) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False, expand=True)
        # Widths that hold from the first row to the last: nothing moves while the run goes on.
        table.add_column(no_wrap=True, min_width=len("LastAcceptedStatistics"))
        table.add_column(no_wrap=True, min_width=len("running"))
        table.add_column(no_wrap=True, min_width=len("9m59s"), justify="right")
        # Takes the room that the others leave, and wraps: they stay whole on a narrow terminal.
        table.add_column(style="dim", ratio=1)
        with self._guard:
            for row in rows:
                running = row.status == "running"
                table.add_row(
                    row.name,
                    self._spinner if running else Text(row.status, _STYLES[row.status]),
                    _clock(monotonic() - row.started if running else row.seconds),
                    Text(row.words),
                )
        return table


def _clock(seconds: float) -> str:
    """Seconds as people read them: `0.4s`, `12s`, `3m05s`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    return f"{whole}s" if whole < 100 else f"{whole // 60}m{whole % 60:02d}s"
