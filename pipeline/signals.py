"""Ctrl-C and SIGTERM end a run in the same way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

INTERRUPT_AGAIN_SECONDS: Final = 2.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Make SIGTERM a KeyboardInterrupt, as SIGINT is.

    An interruption that is raised in a destructor, for example, is lost; so it is raised again
    until the block ends.

    Yields:
        Is set once a signal has come.
    """
    interrupted = threading.Event()

    def interrupt(signum: int, frame: object) -> None:
        del signum, frame
        interrupted.set()
        signal.setitimer(signal.ITIMER_REAL, INTERRUPT_AGAIN_SECONDS)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield interrupted
    finally:
        ignore()
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Let nothing interrupt what is cleared away after an interruption."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
