"""The tables of the comparison."""

import pytest

from benchmarks.quality.report import _aim


@pytest.mark.parametrize(
    ("reached", "wanted", "least", "row"),
    [
        (0.5997, 0.6, True, ["0.6000", "0.5997", "no"]),
        (0.59999, 0.6, True, ["0.60000", "0.59999", "no"]),
        (0.0151, 0.015, False, ["0.0150", "0.0151", "no"]),
        (0.6, 0.6, True, ["0.600", "0.600", "yes"]),
        (0.6001, 0.6, True, ["0.600", "0.600", "yes"]),
        (0.59, 0.6, True, ["0.600", "0.590", "no"]),
    ],
)
def test_an_aim_missed_by_little_does_not_look_reached(
    reached: float, wanted: float, least: bool, row: list[str]
) -> None:
    assert _aim("F1", reached, wanted, least=least) == ["F1", *row]
