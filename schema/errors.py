"""Errors that a user can correct, and the exit statuses of all commands."""

import errno
import os
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Final


class ExitStatus(IntEnum):
    """Exit statuses of the commands.

    Attributes:
        OK: The command succeeded.
        FAILED: The command, a node or the server failed. The log has the details.
        USER_ERROR: The input, the configuration or an option is invalid. The same command will
            fail again.
        REFUSED: The model was not pushed, or some rows have no prediction.
        ANOMALIES: The data have anomalies.
        NOTHING_JOINED: No plot, or almost none, joined a title.
        TRY_AGAIN: A resource is unavailable: another process holds a lock or a port, the disk is
            full, or a server does not answer. The same command may succeed later. The number is
            `EX_TEMPFAIL` of `sysexits.h`.
        INTERRUPTED: The user interrupted the command. The same command continues the work, or does
            it again; `ordained predict` continues with `--resume`.
    """

    OK = 0
    FAILED = 1
    USER_ERROR = 2
    REFUSED = 3
    ANOMALIES = 4
    NOTHING_JOINED = 5
    TRY_AGAIN = 75
    INTERRUPTED = 130


def exit_status_help(meanings: Mapping[ExitStatus, str]) -> str:
    """Return the section of a command's `--help` that explains its exit statuses."""
    lines = [f"  {status:<4} {meaning}" for status, meaning in sorted(meanings.items())]
    return "\n".join(["exit status:", *lines])


class UserError(Exception):
    """Error that the user can correct.

    The message names the file, row or setting, says what is wrong and how to correct it. Commands
    print it as `error: MESSAGE`, without a stack trace, and exit with `exit_status`.
    """

    exit_status: ClassVar[ExitStatus] = ExitStatus.USER_ERROR

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython, which calls this method, shows for the exception."""
        return [f"error: {self}"]


class NothingJoinedError(UserError):
    """Error of a join in which no plot, or almost none, found its title."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.NOTHING_JOINED


class TryAgainError(UserError):
    """Error that may not occur later, such as a held lock, a port in use or a full disk."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.TRY_AGAIN


FULL_DISK_ERRNOS: Final = frozenset({errno.EDQUOT, errno.ENOSPC})
"""Errors of a write for which a disk has no space, or the user's quota is used up."""

_TEMPORARY_ERRNOS: Final = FULL_DISK_ERRNOS | {
    errno.EADDRINUSE,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EFBIG,
}


def describe_os_error(error: OSError) -> str:
    """Return the reason of an error and its file, or the directory that has no space left."""
    if error.errno in FULL_DISK_ERRNOS and error.filename:
        return f"no space is left in {Path(os.fsdecode(error.filename)).parent}"
    file = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{file}"


def from_os_error(error: OSError, message: str) -> UserError:
    """Return the error to raise in place of an `OSError`.

    Args:
        error: Error of the operating system.
        message: Message of the new error. Names the file or port, the reason and the remedy.

    Returns:
        A `TryAgainError` if a resource of the machine is used up or in use, else a `UserError`.
    """
    return (TryAgainError if error.errno in _TEMPORARY_ERRNOS else UserError)(message)
