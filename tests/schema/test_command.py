"""Tests of exit statuses and of the messages on errors."""

import errno
from collections.abc import Callable

import pytest

from schema import command
from schema.errors import ExitStatus, TryAgainError, UserError


def command_that_raises(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("movies.csv: no title"), ExitStatus.USER_ERROR, "error: movies.csv: no title"),
        (TryAgainError("out: in use"), ExitStatus.TRY_AGAIN, "error: out: in use"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a"),
            ExitStatus.TRY_AGAIN,
            "error: out/a: No space left on device",
        ),
        (
            OSError(errno.EACCES, "Permission denied", "out/a"),
            ExitStatus.USER_ERROR,
            "error: out/a: Permission denied",
        ),
        (
            KeyboardInterrupt(),
            ExitStatus.INTERRUPTED,
            "interrupted; run the same command again to finish the work",
        ),
    ],
)
def test_an_error_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: ExitStatus, message: str
) -> None:
    assert command.run(command_that_raises(error)) == status
    assert capsys.readouterr() == ("", f"{message}\n")


def test_the_status_of_a_command_without_error() -> None:
    assert command.run(lambda: None) == ExitStatus.OK
    assert command.run(lambda: ExitStatus.REFUSED) == ExitStatus.REFUSED


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("no file is named")])
def test_other_exceptions_are_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        command.run(command_that_raises(error))
