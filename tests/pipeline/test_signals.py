"""Interruption by signals."""

import contextlib
import signal
import time

import pytest

from pipeline import signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_lost_interruption_is_repeated(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(signals, "REPEAT_INTERVAL_SECONDS", 0.05)
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
