"""The gate's decision from hand-made figures."""

import math

import pytest
from pydantic import ValidationError

from components.anomaly_gate.decision import (
    WHOLE_SPLIT,
    AnomaliesFound,
    AnomalyGateConfig,
    Comparison,
    Distance,
    Finding,
    SplitFigures,
    Violation,
    examine,
)

TRAIN = SplitFigures(
    rows=1000,
    values={"year": 900, "plot": 1000},
    filled={"year": 0.9, "plot": 1.0},
    plot_bytes=200.0,
)
DRIFT_REMEDY = (
    "Look for the cause in the data; if the change is meant, accept it once with --accept-drift"
)


def drift(
    reference: SplitFigures, *distances: Distance, limits: AnomalyGateConfig
) -> list[Finding]:
    comparison = Comparison(TRAIN, reference, distances)
    return examine({"train": TRAIN}, {}, {}, comparison, {}, limits)[0]


def test_figures_without_fault_give_a_report_and_no_finding() -> None:
    findings, report = examine(
        {"train": TRAIN, "test": SplitFigures(rows=50, filled={"year": 0.5})},
        {"train": []},
        {"year": 0.5},
        None,
        {"test": Comparison(SplitFigures(rows=50), TRAIN)},
        AnomalyGateConfig(),
    )
    assert findings == []
    assert report == {
        "limits": {
            "min_comparable_rows": 100,
            "max_filled_change": 0.2,
            "max_plot_length_change": 0.5,
        },
        "splits": {
            "train": {"rows": 1000, "filled": {"year": 0.9, "plot": 1.0}},
            "test": {"rows": 50, "filled": {"year": 0.5}},
        },
        "drift": None,
        "skew": {
            "test": {"rows": 50, "reference_rows": 1000, "not_compared": "fewer than 100 rows"}
        },
    }


def test_a_distance_counts_above_its_limit_only() -> None:
    reached = Distance("year", "jensen_shannon_divergence", 0.2, 0.2)
    assert drift(TRAIN, reached, limits=AnomalyGateConfig()) == []

    above = Distance("year", "l_infty", 0.25, 0.2, most_different="1999")
    assert drift(TRAIN, above, limits=AnomalyGateConfig()) == [
        Finding(
            ("train",),
            "year",
            "unlike the data accepted last: largest difference in the share of one value 0.25, "
            "limit 0.2, most of all '1999'",
            DRIFT_REMEDY,
        )
    ]
    # 900 rows hold a year.
    assert drift(TRAIN, above, limits=AnomalyGateConfig(min_comparable_rows=901)) == []


@pytest.mark.parametrize(
    ("limits", "problems"),
    [
        (AnomalyGateConfig(max_filled_change=0.301, max_plot_length_change=1.01), []),
        (
            AnomalyGateConfig(max_filled_change=0.299, max_plot_length_change=1.01),
            ["unlike the data accepted last: 90.0% of the rows have a value, 60.0% there"],
        ),
        (
            AnomalyGateConfig(max_filled_change=0.301, max_plot_length_change=0.99),
            ["unlike the data accepted last: mean length 200 bytes, 100 there"],
        ),
        (AnomalyGateConfig(min_comparable_rows=501, max_filled_change=0.1), []),
    ],
)
def test_shares_and_plot_lengths_count_above_their_limits_only(
    limits: AnomalyGateConfig, problems: list[str]
) -> None:
    reference = SplitFigures(500, {"year": 300}, {"year": 0.6, "cast": 0.1}, plot_bytes=100.0)
    assert [one.problem for one in drift(reference, limits=limits)] == problems


def test_what_follows_from_another_fault_is_not_said() -> None:
    violations = [
        Violation(WHOLE_SPLIT, "UNKNOWN_TYPE", "odd: as a whole"),
        Violation("year", "UNEXPECTED_DATA_TYPE", "wrong type: STRING"),
        Violation("year", "INT_TYPE_SMALL_INT", "too small: 0"),
        Violation("num_votes", "INT_TYPE_SMALL_INT", "too small: 0"),
        Violation("plot", "INT_TYPE_SMALL_INT", "too small: 1"),
    ]
    distance = Distance("year", "l_infty", 0.9, 0.2)
    findings, _ = examine(
        {"train": TRAIN},
        {"train": violations},
        {},
        Comparison(TRAIN, TRAIN, [distance], ["fewer"]),
        {},
        AnomalyGateConfig(),
    )
    assert [(one.feature, one.problem) for one in findings] == [
        (WHOLE_SPLIT, "odd: as a whole"),
        ("year", "wrong type: STRING"),
        ("plot", "too small: 1"),
    ]


def test_findings_of_several_splits_become_one() -> None:
    few = SplitFigures(rows=10, filled={"year": 0.25})
    findings, _ = examine(
        {"train": few, "eval": few, "test": SplitFigures(rows=10, absent=frozenset({"year"}))},
        {"train": [], "eval": [], "test": []},
        {"year": 0.5, "cast": 0.5},
        None,
        {},
        AnomalyGateConfig(),
    )
    assert str(AnomaliesFound(findings)) == (
        "train, eval: year: Missing values: 25.0% of the rows have one, at least 50.0% must. "
        "Fill it in, or lower its presence in schema/schema.pbtxt."
    )


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["min_comparable_rows", "max_filled_change", "max_plot_length_change"]
)
def test_limits_that_switch_the_gate_off_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError) as caught:
        AnomalyGateConfig.model_validate({name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_limits_survive_their_json() -> None:
    limits = AnomalyGateConfig(min_comparable_rows=5, max_filled_change=0.3)
    assert AnomalyGateConfig.from_json(limits.to_json()) == limits
