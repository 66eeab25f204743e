"""The gate's decision from given statistics."""

import math

import pytest
from pydantic import ValidationError

from components.anomaly_gate.decision import (
    WHOLE_SPLIT,
    AnomalyGateConfig,
    Comparison,
    DataAnomaliesError,
    Distance,
    Finding,
    SchemaViolation,
    SplitStatistics,
    find_anomalies,
)

TRAIN = SplitStatistics(
    rows=1000,
    values={"year": 900, "plot": 1000},
    filled={"year": 0.9, "plot": 1.0},
    plot_bytes=200.0,
)
DRIFT_REMEDY = "Find the cause in the data. If the change is intended, run once with --accept-drift"


def find_drift(
    reference: SplitStatistics, *distances: Distance, config: AnomalyGateConfig
) -> list[Finding]:
    comparison = Comparison(TRAIN, reference, distances)
    return find_anomalies({"train": TRAIN}, {}, {}, comparison, {}, config)[0]


def test_good_statistics_give_a_report_and_no_finding() -> None:
    findings, report = find_anomalies(
        {"train": TRAIN, "test": SplitStatistics(rows=50, filled={"year": 0.5})},
        {"train": []},
        {"year": 0.5},
        None,
        {"test": Comparison(SplitStatistics(rows=50), TRAIN)},
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


def test_only_distances_above_their_limits_are_findings() -> None:
    reached = Distance("year", "jensen_shannon_divergence", 0.2, 0.2)
    assert find_drift(TRAIN, reached, config=AnomalyGateConfig()) == []

    above = Distance("year", "l_infty", 0.25, 0.2, most_different="1999")
    assert find_drift(TRAIN, above, config=AnomalyGateConfig()) == [
        Finding(
            ("train",),
            "year",
            "differs from the last accepted data: largest difference in the share of one value "
            "0.25, limit 0.2, largest difference for '1999'",
            DRIFT_REMEDY,
        )
    ]
    # 900 rows hold a year.
    assert find_drift(TRAIN, above, config=AnomalyGateConfig(min_comparable_rows=901)) == []


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        (AnomalyGateConfig(max_filled_change=0.301, max_plot_length_change=1.01), []),
        (
            AnomalyGateConfig(max_filled_change=0.299, max_plot_length_change=1.01),
            [
                "differs from the last accepted data: "
                "90.0% of the rows have a value instead of 60.0%",
            ],
        ),
        (
            AnomalyGateConfig(max_filled_change=0.301, max_plot_length_change=0.99),
            ["differs from the last accepted data: mean length of 200 bytes instead of 100"],
        ),
        (AnomalyGateConfig(min_comparable_rows=501, max_filled_change=0.1), []),
    ],
)
def test_only_changes_above_their_limits_are_findings(
    config: AnomalyGateConfig, problems: list[str]
) -> None:
    reference = SplitStatistics(500, {"year": 300}, {"year": 0.6, "cast": 0.1}, plot_bytes=100.0)
    assert [one.problem for one in find_drift(reference, config=config)] == problems


def test_consequences_of_another_anomaly_are_no_findings() -> None:
    violations = [
        SchemaViolation(WHOLE_SPLIT, "UNKNOWN_TYPE", "odd: as a whole"),
        SchemaViolation("year", "UNEXPECTED_DATA_TYPE", "wrong type: STRING"),
        SchemaViolation("year", "INT_TYPE_SMALL_INT", "too small: 0"),
        SchemaViolation("num_votes", "INT_TYPE_SMALL_INT", "too small: 0"),
        SchemaViolation("plot", "INT_TYPE_SMALL_INT", "too small: 1"),
    ]
    distance = Distance("year", "l_infty", 0.9, 0.2)
    findings, _ = find_anomalies(
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


def test_equal_findings_of_several_splits_are_merged() -> None:
    few = SplitStatistics(rows=10, filled={"year": 0.25})
    findings, _ = find_anomalies(
        {"train": few, "eval": few, "test": SplitStatistics(rows=10, absent=frozenset({"year"}))},
        {"train": [], "eval": [], "test": []},
        {"year": 0.5, "cast": 0.5},
        None,
        {},
        AnomalyGateConfig(),
    )
    assert str(DataAnomaliesError(findings)) == (
        "train, eval: year: Missing values: 25.0% of the rows have a value, expected at least "
        "50.0%. Fill it in, or lower its presence in schema/schema.pbtxt."
    )


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["min_comparable_rows", "max_filled_change", "max_plot_length_change"]
)
def test_limits_that_disable_the_gate_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValidationError) as caught:
        AnomalyGateConfig.model_validate({name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_the_configuration_survives_json() -> None:
    config = AnomalyGateConfig(min_comparable_rows=5, max_filled_change=0.3)
    assert AnomalyGateConfig.from_json(config.to_json()) == config
