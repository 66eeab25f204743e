"""Decides from figures of the data whether the run may go on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import Field

from schema import features as raw
from schema.config import Config, PositiveInt
from schema.errors import UserError
from schema.names import Split

WHOLE_SPLIT: Final = "(all rows)"
"""Stands for the feature in a finding about a whole split."""

_OUT_OF_RANGE: Final = frozenset(
    {"INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT", "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT"}
)
_TYPE_CHANGED: Final = "UNEXPECTED_DATA_TYPE"
_TOO_FEW_FILLED: Final = "FEATURE_TYPE_LOW_FRACTION_PRESENT"

_REMEDIES: Final[dict[str, str]] = {
    "SCHEMA_MISSING_COLUMN": "Put the column back, or take the feature out of schema/schema.pbtxt",
    "FEATURE_TYPE_NOT_PRESENT": "Fill it in, or lower its presence in schema/schema.pbtxt",
    _TOO_FEW_FILLED: "Fill it in, or lower its presence in schema/schema.pbtxt",
    "FEATURE_TYPE_LOW_NUMBER_VALUES": "Fill the empty cells or leave those rows out",
    "SCHEMA_NEW_COLUMN": "Take the column out, or accept it with `make schema`",
    _TYPE_CHANGED: "Correct the values that are not of that type",
    **dict.fromkeys(
        _OUT_OF_RANGE, "Correct the values, or accept a wider range with `make schema`"
    ),
}
_OTHER_REMEDY: Final = "Correct the data, or look at the difference with `make schema`"
_DRIFT_REMEDY: Final = (
    "Look for the cause in the data; if the change is meant, accept it once with --accept-drift"
)
_SKEW_REMEDY: Final = (
    f"Make the splits alike (movies are dealt out by their {raw.SPLIT_KEY}), "
    "or raise the limit in schema/schema.pbtxt"
)
_DISTANCES: Final[dict[str, str]] = {
    "l_infty": "largest difference in the share of one value",
    "jensen_shannon_divergence": "Jensen-Shannon divergence",
    "normalized_abs_difference": "normalized absolute difference",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data.

    Attributes:
        splits: names of the splits in which it was found.
        feature: name of the feature, or `WHOLE_SPLIT`.
        problem: a clause that names the mistake, without a full stop.
        remedy: a clause that names the correction, without a full stop.
    """

    splits: tuple[str, ...]
    feature: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """The finding on one line."""
        return f"{', '.join(self.splits)}: {self.feature}: {self.problem}. {self.remedy}."


class AnomaliesFound(UserError):  # noqa: N818 (it is what happened, not an error of the gate)
    """The data do not fit the schema, or are unlike the data before; a line for each finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Take the findings, of which there is at least one."""
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


class AnomalyGateConfig(Config):
    """AnomalyGateConfig of the gate beside those of the schema.

    Attributes:
        min_comparable_rows: two sets of rows are compared only if both have this many, and the
            values of a feature only if this many rows hold one; distances between smaller sets are
            mostly chance.
        max_filled_change: by how much the share of rows that hold a value may differ, for any
            feature.
        max_plot_length_change: by how much the mean length of the plots may differ, as a share of
            the mean that it is compared with.
    """

    min_comparable_rows: PositiveInt = 100
    max_filled_change: float = Field(default=0.2, gt=0)
    max_plot_length_change: float = Field(default=0.5, gt=0)


@dataclass(frozen=True)
class Violation:
    """Something that TFDV found in one split by the schema.

    `feature` may be `WHOLE_SPLIT`. `kind` is TFDV's name of the kind (`AnomalyInfo.Type`), and
    `problem` its description, without a full stop.
    """

    feature: str
    kind: str
    problem: str


@dataclass(frozen=True)
class SplitFigures:
    """Figures of one split.

    Attributes:
        rows: number of rows.
        values: number of values, by feature.
        filled: share of rows that hold a value, by feature, but for features with lists of values.
        absent: features that TFDV itself counts as missing in every row.
        plot_bytes: mean length of the plots in bytes; 0 without plots.
    """

    rows: int
    values: Mapping[str, int] = field(default_factory=dict)
    filled: Mapping[str, float] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    plot_bytes: float = 0.0


@dataclass(frozen=True)
class Distance:
    """How far the values of a feature are from those of other rows.

    `kind` is TFDV's name of the measure, in lower case, and `limit` the largest distance that the
    schema allows. `most_different` is the value whose share differs most, where TFDV names it.
    """

    feature: str
    kind: str
    value: float
    limit: float
    most_different: str = ""


@dataclass(frozen=True)
class Comparison:
    """The rows that are examined beside the rows that they should be like.

    There is a distance for each comparator of the schema. `row_problems` has TFDV's descriptions of
    unexpected numbers of rows, one sentence each.
    """

    current: SplitFigures
    reference: SplitFigures
    distances: Sequence[Distance] = ()
    row_problems: Sequence[str] = ()


def examine(
    splits: Mapping[str, SplitFigures],
    violations: Mapping[str, Sequence[Violation]],
    min_filled: Mapping[str, float],
    drift: Comparison | None,
    skew: Mapping[str, Comparison],
    limits: AnomalyGateConfig,
) -> tuple[list[Finding], dict[str, Any]]:
    """Look for everything that is wrong with the data.

    Figures and TFDV's violations are by split. `min_filled` is the smallest share of rows that must
    hold a value, by feature, for the features that the schema does not require in every row.
    `drift` is the train split beside the one that was accepted last, if there is one, and `skew`
    each other split beside the train split.

    Returns:
        The findings, equal ones of several splits as one, and a report that JSON can hold: rows and
        filled shares of each split, and the distances measured with their limits.
    """
    # Names of splits by feature, problem and remedy.
    found: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for split, of_split in violations.items():
        for fault in _violations(of_split, splits[split]):
            found[fault].append(split)
    # TFDV counts a feature as present in a row even if it has no values there, and CsvExampleGen
    # writes every empty cell so.
    for split, figures in splits.items():
        for feature, least in min_filled.items():
            share = figures.filled.get(feature, 1.0)
            if share < least and feature not in figures.absent:
                few = f"{share:.1%} of the rows have one, at least {least:.1%} must"
                fault = (feature, f"Missing values: {few}", _REMEDIES[_TOO_FEW_FILLED])
                found[fault].append(split)

    report: dict[str, Any] = {
        "limits": limits.model_dump(),
        "splits": {
            split: {"rows": figures.rows, "filled": dict(figures.filled)}
            for split, figures in splits.items()
        },
        "drift": None,
        "skew": {},
    }
    # A value far out of range stretches a histogram: of such a feature, distances say nothing more.
    wrong = {feature for feature, *_ in found}
    compared = [(split, f"the {Split.TRAIN} split", one) for split, one in skew.items()]
    if drift is not None:
        compared.insert(0, (Split.TRAIN, "the data accepted last", drift))
    for split, other, comparison in compared:
        problems, measured = _compare(comparison, limits)
        if comparison is drift:
            report["drift"], remedy = measured, _DRIFT_REMEDY
        else:
            report["skew"][split], remedy = measured, _SKEW_REMEDY
        for feature, problem in problems:
            if feature not in wrong:
                fault = (feature, f"unlike {other}: {problem}", remedy)
                found[fault].append(split)
    return [Finding(tuple(names), *fault) for fault, names in found.items()], report


def _violations(
    violations: Sequence[Violation], figures: SplitFigures
) -> Iterator[tuple[str, str, str]]:
    """Feature, problem and remedy of what follows from TFDV's violations in one split."""
    if not figures.rows:
        yield WHOLE_SPLIT, "there are no rows", "Give more movies"
        return
    wrong_type = {one.feature for one in violations if one.kind == _TYPE_CHANGED}
    for one in violations:
        # Everything else that is said of a feature of the wrong type follows from its type.
        follows = one.feature in wrong_type and one.kind != _TYPE_CHANGED
        # TFDV takes 0 for the smallest value of a feature that has none in this split.
        empty = one.kind in _OUT_OF_RANGE and not figures.values.get(one.feature)
        if not follows and not empty:
            yield one.feature, one.problem, _REMEDIES.get(one.kind, _OTHER_REMEDY)


def _compare(
    comparison: Comparison, limits: AnomalyGateConfig
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Compare rows with others by the schema's distances and by the limits.

    Returns:
        (feature, problem) pairs, and what was measured, as JSON can hold it.
    """
    current, reference = comparison.current, comparison.reference
    measured: dict[str, Any] = {"rows": current.rows, "reference_rows": reference.rows}
    problems = [
        (WHOLE_SPLIT, f"{current.rows} rows against {reference.rows}: {problem}")
        for problem in comparison.row_problems
    ]
    least = limits.min_comparable_rows
    if min(current.rows, reference.rows) < least:
        measured["not_compared"] = f"fewer than {least} rows"
        return problems, measured

    distances = measured["distances"] = {}
    for one in comparison.distances:
        if min(side.values.get(one.feature, 0) for side in (current, reference)) < least:
            continue
        distances[one.feature] = {"kind": one.kind, "value": one.value, "limit": one.limit}
        if one.value > one.limit:
            most = f", most of all {one.most_different!r}" if one.most_different else ""
            problem = f"{_DISTANCES[one.kind]} {one.value:.3g}, limit {one.limit:g}{most}"
            problems.append((one.feature, problem))

    now, then = current.filled, reference.filled
    problems += [
        (feature, f"{now[feature]:.1%} of the rows have a value, {then[feature]:.1%} there")
        for feature in sorted(now.keys() & then.keys())
        if abs(now[feature] - then[feature]) > limits.max_filled_change
    ]
    length, other = current.plot_bytes, reference.plot_bytes
    measured["mean_plot_bytes"], measured["reference_mean_plot_bytes"] = length, other
    if abs(length - other) > limits.max_plot_length_change * other:
        problems.append((raw.PLOT, f"mean length {length:.0f} bytes, {other:.0f} there"))
    return problems, measured
