"""How a mistake of the user is reported, and the exit statuses of all commands."""

import errno
from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit statuses of the commands.

    Attributes:
        OK: the command did what it was asked to do.
        FAILED: something crashed; the log has the details.
        USER_ERROR: the input, the configuration or an option is wrong; the same command fails
            again.
        REFUSED: the model was not pushed, or a row was not answered.
        ANOMALIES: the data have anomalies.
        TRY_AGAIN: the machine or the network, not the input, is in the way: another process holds
            a lock or a port, the disk is full, or a server does not answer. The same command can
            succeed later. 75 is `EX_TEMPFAIL` of `sysexits.h`.
        INTERRUPTED: the user interrupted the command; the same command continues.
    """

    OK = 0
    FAILED = 1
    USER_ERROR = 2
    REFUSED = 3
    ANOMALIES = 4
    TRY_AGAIN = 75
    INTERRUPTED = 130


def exit_status_help(meanings: Mapping[ExitStatus, str]) -> str:
    """The part of a command's `--help` that lists its exit statuses, with what each means."""
    lines = [f"  {status:<4} {meaning}" for status, meaning in sorted(meanings.items())]
    return "\n".join(["exit status:", *lines])


class UserError(Exception):
    """A mistake that the user can correct.

    The message is complete in itself: it names the file, row or field, says what was wrong and what
    to do. Commands print it as `error: ...` and exit with `exit_status`, without a stack trace.
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.USER_ERROR

    def _render_traceback_(self) -> list[str]:
        """Lines that a notebook shows in place of a stack trace. IPython looks for this name."""
        return [f"error: {self}"]


class TryAgainError(UserError):
    """A lock or port that another process holds, or a resource that is missing at the moment."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.TRY_AGAIN


_TEMPORARY = {
    errno.EADDRINUSE,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EFBIG,
    errno.ENOSPC,
}


def from_os_error(error: OSError, message: str) -> UserError:
    """The error to raise for something that the operating system refused.

    Args:
        error: the refusal.
        message: a complete sentence that names the file or port, the reason and what to do.

    Returns:
        A `TryAgainError` if a resource of the machine has run out or is taken, else a `UserError`.
    """
    return (TryAgainError if error.errno in _TEMPORARY else UserError)(message)
