"""How a long command ends when it is interrupted."""

import signal
import threading
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import launch
from schema.errors import ExitStatus, UserError


def test_a_signal_that_arrives_while_the_interruption_is_handled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ignore, cleaned = launch.signals.ignore_signals, []

    def ignore_after_a_late_signal() -> None:
        if not cleaned and not late:
            late.append(True)
            signal.raise_signal(signal.SIGALRM)
        ignore()

    late: list[bool] = []

    def work(console: Console, log_file: Path, interrupted: threading.Event) -> ExitStatus:
        signal.raise_signal(signal.SIGINT)
        return ExitStatus.OK

    monkeypatch.setattr(launch.signals, "ignore_signals", ignore_after_a_late_signal)
    status = launch._work(
        "label", tmp_path, "--run", work, "part", lambda: cleaned.append("cleaned")
    )
    assert (status, late, cleaned) == (ExitStatus.INTERRUPTED, [True], ["cleaned"])
    printed = capfd.readouterr()
    assert printed.out == "\ninterrupted; the same command continues after the last finished part\n"
    assert printed.err == ""


def test_an_error_that_is_no_interruption_is_raised(tmp_path: Path) -> None:
    def work(console: Console, log_file: Path, interrupted: threading.Event) -> ExitStatus:
        raise UserError("no movies")

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(UserError, match="no movies"):
        launch._work("label", tmp_path, "--run", work, "part", lambda: pytest.fail("cleaned"))
    assert signal.getsignal(signal.SIGINT) == handler
