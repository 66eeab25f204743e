"""How every command ends: an exit status, and one line for what went wrong."""

import sys
from collections.abc import Callable
from typing import Final

from schema.errors import ExitStatus, UserError, from_os_error

_INTERRUPTED: Final = "interrupted; run the same command again to finish the work"


def run(command: Callable[[], int | None]) -> int:
    """Run a command and report an error as one line, without a stack trace.

    Args:
        command: does the work; returns an exit status, or None for success.

    Returns:
        The command's exit status, or that of the `UserError`, the refusal by the file system or
        the Ctrl-C that ended it.
    """
    try:
        return command() or ExitStatus.OK
    except UserError as error:
        return failed(error)
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        return failed(from_os_error(error, f"{error.filename}: {error.strerror}"))
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return ExitStatus.INTERRUPTED


def failed(error: UserError) -> ExitStatus:
    """Print an error; returns its exit status."""
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status
