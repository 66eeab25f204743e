"""What a person sees of a run: a quiet console, everything else in a log file."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

OUR_LOGGERS: Final = ("components", "ingest", "pipeline", "trainer")
"""Packages whose log lines are shown while a node runs."""

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
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    screen = os.fdopen(os.dup(saved[0]), "w", buffering=1, encoding="utf-8", errors="replace")
    with log_file.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        before = root.handlers[:], root.level
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        try:
            yield screen
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            root.handlers[:], root.level = before
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
            screen.close()


@dataclass
class _Row:
    name: str
    started: float
    status: str = "running"
    seconds: float = 0.0
    words: str = ""


@dataclass(eq=False)
class Board(logging.Handler):
    """The nodes of a run as a table that grows; plain lines where there is no terminal.

    A logging handler as well: the last line that a running node logs stands beside it.
    """

    console: Console
    rows: list[_Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Be a handler for the project's own log lines."""
        super().__init__(logging.INFO)
        # The refreshing thread reads the rows while the run changes them.
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the table while the block runs, and leave it standing after."""
        loggers = [logging.getLogger(name) for name in OUR_LOGGERS]
        for logger in loggers:
            logger.addHandler(self)
        try:
            if self.console.is_terminal:
                with Live(console=self.console, get_renderable=self._table, refresh_per_second=4):
                    yield self
            else:
                yield self
        finally:
            for logger in loggers:
                logger.removeHandler(self)

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
            self._line(f"{row.name:<24}{row.status:<8}{_clock(row.seconds):>7}  {row.words}")

    def emit(self, record: logging.LogRecord) -> None:
        """Show a log line beside the node that runs."""
        with self._guard:
            if not self.rows or self.rows[-1].status != "running":
                return
            row = self.rows[-1]
            row.words = record.getMessage().splitlines()[0] if record.getMessage() else ""
        if not self.console.is_terminal:
            self._line(f"{row.name:<24}{'…':<8}{_clock(monotonic() - row.started):>7}  {row.words}")

    def _line(self, text: str) -> None:
        self.console.print(Text(text.rstrip()), soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
        with self._guard:
            for row in self.rows:
                running = row.status == "running"
                table.add_row(
                    row.name,
                    Spinner("dots") if running else Text(row.status, _STYLES[row.status]),
                    _clock(monotonic() - row.started if running else row.seconds),
                    row.words,
                )
        return Group(table)


def _clock(seconds: float) -> str:
    """Seconds as people read them: `0.4s`, `12s`, `3m05s`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    return f"{whole}s" if whole < 100 else f"{whole // 60}m{whole % 60:02d}s"
