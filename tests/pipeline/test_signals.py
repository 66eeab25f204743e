"""Interruptions."""

import contextlib
import signal
import time

import pytest

from pipeline import signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_lost_comes_again(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(signals, "INTERRUPT_AGAIN_SECONDS", 0.05)
    before = signal.getsignal(number)
    with signals.interruptible() as interrupted:
        assert not interrupted.is_set()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        assert interrupted.is_set()
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    assert signal.getsignal(number) == before
    time.sleep(0.1)
