"""Standard output and standard error that may break: a pipe without reader, a full device, closed.

What a program says is not what it does. A command whose result is elsewhere goes on without its
messages. A command that prints its result ends.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar, cast

from schema.errors import from_os_error

T = TypeVar("T")

_CLOSED: Final = (errno.EPIPE, errno.EBADF)


class ReaderGoneError(Exception):
    """Nobody reads the standard output any more, so the command ends without a message."""


class GuardedStream:
    """A text stream that never raises an `OSError`. It has all other attributes of the stream.

    Args:
        stream: Stream with a file descriptor, such as `sys.stdout`.
        instead: Stream that gets what the first one does not take; None discards it.
        required: Whether an error ends the command. It then is a `ReaderGoneError`, or a
            `UserError` that names the standard output.
    """

    def __init__(
        self, stream: TextIO, instead: TextIO | None = None, *, required: bool = False
    ) -> None:
        self.required = required
        self._stream, self._instead = stream, instead

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        return self._guard(lambda: self._stream.write(text), lambda other: other.write(text))

    def flush(self) -> None:
        """Write what is still in the buffer."""
        self._guard(lambda: self._stream.flush(), lambda other: other.flush())

    def _guard(self, action: Callable[[], T], otherwise: Callable[[TextIO], T]) -> T:
        try:
            return action()
        except OSError as error:
            self._discard()
            if self.required and error.errno in _CLOSED:
                raise ReaderGoneError from None
            if self.required:
                raise from_os_error(error, f"standard output: {error.strerror}") from error
            # From now on, the descriptor discards what is written to it.
            self._stream = self._instead or self._stream
            return otherwise(self._stream)

    def _discard(self) -> None:
        """Discard the buffer and all that follows, so that Python can close the stream."""
        with suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard the standard streams until the block ends, and open those that are closed.

    The output is required until `ignore_output_errors` is called. Errors of the standard error are
    always ignored.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    _open_closed_descriptors()
    if not isinstance(sys.stdout, GuardedStream):
        sys.stdout = cast(TextIO, GuardedStream(sys.stdout, required=True))
    if not isinstance(sys.stderr, GuardedStream):
        sys.stderr = cast(TextIO, GuardedStream(sys.stderr))
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def ignore_output_errors() -> None:
    """Let the command go on if its standard output breaks, because its result is elsewhere."""
    if isinstance(sys.stdout, GuardedStream):
        sys.stdout.required = False


@contextmanager
def redirect_descriptors(file: TextIO, *descriptors: int) -> Iterator[None]:
    """Redirect file descriptors of this process to a file until the block ends."""
    _open_closed_descriptors()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in descriptors]
    for descriptor in descriptors:
        os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in zip(descriptors, saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)


def import_tensorflow(min_log_level: int = 2) -> None:
    """Import TensorFlow without the messages that it prints before its log level takes effect.

    Args:
        min_log_level: Integer. Level from which messages of its C++ code are shown, unless the
            user has set one: 0 all, 1 warnings, 2 errors, 3 none.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", str(min_log_level))
    with Path(os.devnull).open("w") as null, redirect_descriptors(null, 2):
        # Only callers need TensorFlow, so this package does not depend on it.
        importlib.import_module("tensorflow")


def _open_closed_descriptors() -> None:
    """Open the null device in the place of standard streams that are closed.

    Otherwise the next file that is opened would take the place, and get the output of the program.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It takes the lowest number that is free.
            os.set_inheritable(number, True)
    # Python sets a stream that is closed to None.
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
