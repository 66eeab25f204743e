"""How commands end."""

import errno
from collections.abc import Callable

import pytest

from schema import command
from schema.errors import ExitStatus, TryAgainError, UserError


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


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
def test_what_went_wrong_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: ExitStatus, message: str
) -> None:
    assert command.run(raising(error)) == status
    assert capsys.readouterr() == ("", f"{message}\n")


def test_the_status_of_a_command_that_ends_by_itself() -> None:
    assert command.run(lambda: None) == ExitStatus.OK
    assert command.run(lambda: ExitStatus.REFUSED) == ExitStatus.REFUSED


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("no file is named")])
def test_a_crash_is_no_mistake_of_the_user(error: Exception) -> None:
    with pytest.raises(type(error)):
        command.run(raising(error))
