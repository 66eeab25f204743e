"""Which exit status an error has, and how a command lists its statuses."""

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
def test_what_the_operating_system_refuses(number: int, status: int) -> None:
    error = from_os_error(OSError(number, "x"), "some sentence")
    assert (str(error), error.exit_status) == ("some sentence", status)


def test_the_list_of_exit_statuses() -> None:
    meanings = {ExitStatus.TRY_AGAIN: "later", ExitStatus.OK: "done"}
    assert exit_status_help(meanings) == "exit status:\n  0    done\n  75   later"
