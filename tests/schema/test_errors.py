"""Tests of the exit statuses of errors, and of the help on exit statuses."""

import errno

import pytest

from schema.errors import ExitStatus, exit_status_help, from_os_error


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 75),
        (errno.EDQUOT, 75),
        (errno.EADDRINUSE, 75),
        (errno.EACCES, 2),
        (errno.ENOENT, 2),
    ],
)
def test_from_os_error(number: int, status: int) -> None:
    error = from_os_error(OSError(number, "x"), "a message")
    assert (str(error), error.exit_status) == ("a message", status)


def test_exit_status_help() -> None:
    meanings = {ExitStatus.TRY_AGAIN: "later", ExitStatus.OK: "done"}
    assert exit_status_help(meanings) == "exit status:\n  0    done\n  75   later"
