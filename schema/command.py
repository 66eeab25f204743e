"""Run a command and turn its errors into one line and an exit status."""

import sys
from collections.abc import Callable
from typing import Final

from schema import streams
from schema.errors import ExitStatus, UserError, from_os_error

_INTERRUPTED: Final = "interrupted; run the same command again to finish the work"


def run(command: Callable[[], int | None]) -> int:
    """Run a command and report an error as one line, without a stack trace.

    Standard output and standard error are guarded as `schema.streams` describes.

    Args:
        command: Function that does the work. Returns an exit status, or None for success.

    Returns:
        The command's exit status, or the exit status of the `UserError`, `OSError` or
        `KeyboardInterrupt` that ended it.
    """
    with streams.guarded():
        status = _run(command)
        # Only this shows whether all of the output could be written.
        flushed = _run(sys.stdout.flush)
        return status or flushed


def _run(command: Callable[[], int | None]) -> int:
    try:
        return command() or ExitStatus.OK
    except streams.ReaderGoneError:
        return ExitStatus.OK
    except UserError as error:
        return print_error(error)
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        return print_error(from_os_error(error, f"{error.filename}: {error.strerror}"))
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return ExitStatus.INTERRUPTED


def print_error(error: UserError) -> ExitStatus:
    """Print an error on standard error and return its exit status."""
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status
