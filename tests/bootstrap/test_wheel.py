"""Test of the built package, as `make wheel-test`."""

from pathlib import Path

import pytest

from bootstrap import wheel

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_works_in_clean_environments(capfd: pytest.CaptureFixture[str]) -> None:
    wheel.test_wheel(ROOT)
    assert capfd.readouterr().out.splitlines()[-1].endswith(".whl works")
