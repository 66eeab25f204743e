"""The tables of the comparison."""

import pytest

from benchmarks.quality.report import _target_row


@pytest.mark.parametrize(
    ("value", "target", "minimum", "row"),
    [
        (0.5997, 0.6, True, ["0.6000", "0.5997", "no"]),
        (0.59999, 0.6, True, ["0.60000", "0.59999", "no"]),
        (0.0151, 0.015, False, ["0.0150", "0.0151", "no"]),
        (0.6, 0.6, True, ["0.600", "0.600", "yes"]),
        (0.6001, 0.6, True, ["0.600", "0.600", "yes"]),
        (0.59, 0.6, True, ["0.600", "0.590", "no"]),
    ],
)
def test_a_narrowly_missed_target_does_not_look_met(
    value: float, target: float, minimum: bool, row: list[str]
) -> None:
    assert _target_row("F1", value, target, minimum=minimum) == ["F1", *row]
