"""Where numbers come from."""

import sys

import pytest

from benchmarks.origin import commit, machine, origin


def test_the_command_can_be_repeated_and_tells_no_place_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--data", "/home/me/imdb", "../other", "runs/imdb"])
    made = origin("benchmarks.some")
    assert made.startswith("`python -m benchmarks.some --data imdb other runs/imdb`, ")
    assert made.endswith(f", commit {commit()}, {machine()}")
