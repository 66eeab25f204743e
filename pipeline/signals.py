"""Signal handling: Ctrl-C and SIGTERM interrupt a run in the same way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

REPEAT_INTERVAL_SECONDS: Final = 2.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Raise KeyboardInterrupt on SIGTERM as well as on SIGINT.

    A KeyboardInterrupt can get lost, for example in a destructor. It is therefore raised again
    every `REPEAT_INTERVAL_SECONDS` until the block ends.

    Yields:
        Event that is set once a signal has arrived.
    """
    interrupted = threading.Event()

    def interrupt(signum: int, frame: object) -> None:
        del signum, frame
        interrupted.set()
        signal.setitimer(signal.ITIMER_REAL, REPEAT_INTERVAL_SECONDS)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield interrupted
    finally:
        ignore_signals()
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Ignore further signals, so that nothing interrupts the clean-up after an interruption."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
