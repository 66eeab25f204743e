"""Decide from statistics of the data whether the run may continue."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from schema import features as raw
from schema.config import Config, PositiveInt
from schema.errors import UserError
from schema.names import Split
from schema.wording import count

WHOLE_SPLIT: Final = "(all rows)"
"""Name in place of the feature's in a finding about a whole split."""

_OUT_OF_RANGE: Final = frozenset(
    {"INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT", "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT"}
)
_TYPE_CHANGED: Final = "UNEXPECTED_DATA_TYPE"
_TOO_FEW_FILLED: Final = "FEATURE_TYPE_LOW_FRACTION_PRESENT"

_REMEDIES: Final[dict[str, str]] = {
    "SCHEMA_MISSING_COLUMN": "Add the column, or remove the feature from schema/schema.pbtxt",
    "FEATURE_TYPE_NOT_PRESENT": "Fill it in, or lower its presence in schema/schema.pbtxt",
    _TOO_FEW_FILLED: "Fill it in, or lower its presence in schema/schema.pbtxt",
    "FEATURE_TYPE_LOW_NUMBER_VALUES": "Fill in the empty cells, or remove these rows",
    "SCHEMA_NEW_COLUMN": "Remove the column, or accept it with `ordained schema`",
    _TYPE_CHANGED: "Correct the values that are not of this type",
    **dict.fromkeys(
        _OUT_OF_RANGE, "Correct the values, or accept a wider range with `ordained schema`"
    ),
}
"""Remedies by TFDV's name of the anomaly."""

_OTHER_REMEDY: Final = "Correct the data, or review the difference with `ordained schema`"
_DRIFT_REMEDY: Final = (
    "Find the cause in the data. If the change is intended, run once with --accept-drift"
)
_SKEW_REMEDY: Final = (
    f"Correct the column {raw.SPLIT_KEY}, which assigns movies to splits, or raise the limit in "
    "schema/schema.pbtxt"
)
_DISTANCE_NAMES: Final[dict[str, str]] = {
    "l_infty": "largest difference in the share of one value",
    "jensen_shannon_divergence": "Jensen-Shannon divergence",
    "normalized_abs_difference": "normalized absolute difference",
}


@dataclass(frozen=True)
class Finding:
    """Anomaly of the data.

    Attributes:
        splits: Names of the splits that have the anomaly.
        feature: Name of the feature, or `WHOLE_SPLIT`.
        problem: What is wrong, without a full stop.
        remedy: What to do about it, without a full stop.
    """

    splits: tuple[str, ...]
    feature: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{', '.join(self.splits)}: {self.feature}: {self.problem}. {self.remedy}."


class DataAnomaliesError(UserError):
    """Error that the data have anomalies. The message has one line for each finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Create the error from at least one finding."""
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)

    def with_output(self, output: Path) -> "DataAnomaliesError":
        """Return the error with the run's output directory in the commands of the remedies."""
        command = f"`ordained schema --output {shlex.quote(str(output))}`"
        return DataAnomaliesError(
            [
                replace(finding, remedy=finding.remedy.replace("`ordained schema`", command))
                for finding in self.findings
            ]
        )


class AnomalyGateConfig(Config):
    """Limits of the gate in addition to those in the schema.

    Attributes:
        min_comparable_rows: Smallest number of rows that are compared. Two sets of rows are
            compared only if both have this many rows, and a feature only if this many rows of both
            have a value. Differences between smaller sets are mostly chance.
        max_filled_change: Largest allowed difference in the share of rows that have a value, for
            any feature.
        max_plot_length_change: Largest allowed difference in the mean length of the plots, as a
            share of the mean length that it is compared with.
    """

    min_comparable_rows: PositiveInt = 100
    max_filled_change: float = Field(default=0.2, gt=0)
    max_plot_length_change: float = Field(default=0.5, gt=0)


@dataclass(frozen=True)
class SchemaViolation:
    """Anomaly that TFDV found in one split by the schema.

    Attributes:
        feature: Name of the feature, or `WHOLE_SPLIT`.
        kind: TFDV's name of the anomaly (`AnomalyInfo.Type`).
        problem: TFDV's description, without a full stop.
    """

    feature: str
    kind: str
    problem: str


@dataclass(frozen=True)
class SplitStatistics:
    """Statistics of one split.

    Attributes:
        rows: Number of rows.
        values: Number of values, by feature.
        filled: Share of rows that have a value, by feature; without features that hold lists.
        absent: Features that TFDV itself reports as missing in every row.
        plot_bytes: Mean length of the plots in bytes; 0 without plots.
    """

    rows: int
    values: Mapping[str, int] = field(default_factory=dict)
    filled: Mapping[str, float] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    plot_bytes: float = 0.0


@dataclass(frozen=True)
class Distance:
    """Distance between the values of a feature in two sets of rows.

    Attributes:
        feature: Name of the feature.
        kind: TFDV's name of the distance measure, in lower case.
        value: Measured distance.
        limit: Largest distance that the schema allows.
        most_different: Value whose share differs most, if TFDV names it.
    """

    feature: str
    kind: str
    value: float
    limit: float
    most_different: str = ""


@dataclass(frozen=True)
class Comparison:
    """Comparison of a set of rows with a reference set.

    Attributes:
        current: Statistics of the rows to check.
        reference: Statistics of the rows to compare with.
        distances: One distance for each comparator of the schema.
        row_problems: TFDV's descriptions of unexpected numbers of rows, one sentence each.
    """

    current: SplitStatistics
    reference: SplitStatistics
    distances: Sequence[Distance] = ()
    row_problems: Sequence[str] = ()


def find_anomalies(
    splits: Mapping[str, SplitStatistics],
    violations: Mapping[str, Sequence[SchemaViolation]],
    min_filled: Mapping[str, float],
    drift: Comparison | None,
    skew: Mapping[str, Comparison],
    config: AnomalyGateConfig,
) -> tuple[list[Finding], dict[str, Any]]:
    """Find all anomalies of the data.

    Args:
        splits: Statistics, by split.
        violations: TFDV's anomalies, by split.
        min_filled: Smallest share of rows that must have a value, by feature, for the features that
            the schema does not require in every row.
        drift: Comparison of the train split with the train split that was accepted last; None if
            there is none.
        skew: Comparison of each other split with the train split, by split.
        config: Limits in addition to those in the schema.

    Returns:
        The findings, with equal findings of several splits merged, and a report that can be written
        as JSON: rows and shares of filled cells by split, and measured distances with their limits.
    """
    # Names of splits, by feature, problem and remedy.
    splits_by_anomaly: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for split, split_violations in violations.items():
        for anomaly in _filter_violations(split_violations, splits[split]):
            splits_by_anomaly[anomaly].append(split)
    # TFDV counts a feature as present in a row even if it has no values there, and CsvExampleGen
    # writes empty cells that way. The shares are therefore checked here.
    for split, statistics in splits.items():
        for feature, minimum in min_filled.items():
            share = statistics.filled.get(feature, 1.0)
            if share < minimum and feature not in statistics.absent:
                problem = (
                    f"Missing values: {share:.1%} of the rows have a value, "
                    f"expected at least {minimum:.1%}"
                )
                anomaly = (feature, problem, _REMEDIES[_TOO_FEW_FILLED])
                splits_by_anomaly[anomaly].append(split)

    report: dict[str, Any] = {
        "limits": config.model_dump(),
        "splits": {
            split: {"rows": statistics.rows, "filled": dict(statistics.filled)}
            for split, statistics in splits.items()
        },
        "drift": None,
        "skew": {},
    }
    # Features with an anomaly are not compared: a value far out of range stretches the histogram
    # and makes distances meaningless.
    anomalous = {feature for feature, *_ in splits_by_anomaly}
    comparisons = [
        (split, f"the {Split.TRAIN} split", comparison) for split, comparison in skew.items()
    ]
    if drift is not None:
        comparisons.insert(0, (Split.TRAIN, "the last accepted data", drift))
    for split, reference_name, comparison in comparisons:
        problems, measured = _compare(comparison, config)
        if comparison is drift:
            report["drift"], remedy = measured, _DRIFT_REMEDY
        else:
            report["skew"][split], remedy = measured, _SKEW_REMEDY
        for feature, problem in problems:
            if feature not in anomalous:
                anomaly = (feature, f"differs from {reference_name}: {problem}", remedy)
                splits_by_anomaly[anomaly].append(split)
    return [Finding(tuple(names), *anomaly) for anomaly, names in splits_by_anomaly.items()], report


def _filter_violations(
    violations: Sequence[SchemaViolation], statistics: SplitStatistics
) -> Iterator[tuple[str, str, str]]:
    """Yield feature, problem and remedy of the violations that do not follow from others."""
    if not statistics.rows:
        yield WHOLE_SPLIT, "there are no rows", "Add more movies"
        return
    wrong_type = {violation.feature for violation in violations if violation.kind == _TYPE_CHANGED}
    for violation in violations:
        # All other violations of a feature of the wrong type follow from its type.
        follows = violation.feature in wrong_type and violation.kind != _TYPE_CHANGED
        # TFDV takes 0 for the smallest value of a feature that has no values in the split.
        empty = violation.kind in _OUT_OF_RANGE and not statistics.values.get(violation.feature)
        if not follows and not empty:
            remedy = _REMEDIES.get(violation.kind, _OTHER_REMEDY)
            yield violation.feature, violation.problem, remedy


def _compare(
    comparison: Comparison, config: AnomalyGateConfig
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Check a comparison against the limits of the schema and of the configuration.

    Returns:
        (feature, problem) pairs, and a report of the comparison that can be written as JSON.
    """
    current, reference = comparison.current, comparison.reference
    measured: dict[str, Any] = {"rows": current.rows, "reference_rows": reference.rows}
    problems = [
        (WHOLE_SPLIT, f"{count(current.rows, 'row')} instead of {reference.rows}: {problem}")
        for problem in comparison.row_problems
    ]
    min_rows = config.min_comparable_rows
    if min(current.rows, reference.rows) < min_rows:
        measured["not_compared"] = f"fewer than {count(min_rows, 'row')}"
        return problems, measured

    distances = measured["distances"] = {}
    for distance in comparison.distances:
        if min(side.values.get(distance.feature, 0) for side in (current, reference)) < min_rows:
            continue
        distances[distance.feature] = {
            "kind": distance.kind,
            "value": distance.value,
            "limit": distance.limit,
        }
        if distance.value > distance.limit:
            problem = (
                f"{_DISTANCE_NAMES[distance.kind]} {distance.value:.3g}, limit {distance.limit:g}"
            )
            if distance.most_different:
                problem += f", largest difference for {distance.most_different!r}"
            problems.append((distance.feature, problem))

    problems += [
        (
            feature,
            f"{current.filled[feature]:.1%} of the rows have a value instead of "
            f"{reference.filled[feature]:.1%}",
        )
        for feature in sorted(current.filled.keys() & reference.filled.keys())
        if abs(current.filled[feature] - reference.filled[feature]) > config.max_filled_change
    ]
    length, expected = current.plot_bytes, reference.plot_bytes
    measured["mean_plot_bytes"], measured["reference_mean_plot_bytes"] = length, expected
    if abs(length - expected) > config.max_plot_length_change * expected:
        problem = f"mean length of {length:.0f} bytes instead of {expected:.0f}"
        problems.append((raw.PLOT, problem))
    return problems, measured
