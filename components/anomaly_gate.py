"""Stops the run when the data are not what the curated schema expects.

TFX's own ExampleValidator records anomalies and lets the run go on, and it compares neither spans
nor splits, so that a schema's drift and skew comparators have no effect. `AnomalyGate` reads what
it found, applies the comparators, and fails with one line for each finding.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import tensorflow_data_validation as tfdv
from absl import logging
from ml_metadata import MetadataStore
from pydantic import Field
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor as example_validator
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from schema import features as raw
from schema.errors import UserError
from schema.settings import Count, Settings

TRAIN: Final = "train"
WHOLE_SPLIT: Final = "(all rows)"
"""Stands for the feature in a finding about a split as such."""

STATISTICS_FILE: Final = stats_artifact_utils.BINARY_PB_BASENAME
REPORT_FILE: Final = "report.json"

STATISTICS: Final = "statistics"
SCHEMA: Final = "schema"
ANOMALIES: Final = "anomalies"
PREVIOUS: Final = "previous"
ACCEPTED: Final = "accepted"

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
_Reason: TypeAlias = anomalies_pb2.AnomalyInfo.Reason

_OUT_OF_RANGE: Final = frozenset(
    anomalies_pb2.AnomalyInfo.Type.Value(name)
    for name in (
        "INT_TYPE_SMALL_INT",
        "INT_TYPE_BIG_INT",
        "FLOAT_TYPE_SMALL_FLOAT",
        "FLOAT_TYPE_BIG_FLOAT",
    )
)
_TYPE_CHANGED: Final = anomalies_pb2.AnomalyInfo.UNEXPECTED_DATA_TYPE

_ROWS_COMPARED: Final = (
    anomalies_pb2.AnomalyInfo.COMPARATOR_LOW_NUM_EXAMPLES,
    anomalies_pb2.AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES,
)
_DISTANCES: Final[dict[str, str]] = {
    "l_infty": "largest difference in the share of one value",
    "jensen_shannon_divergence": "Jensen-Shannon divergence",
    "normalized_abs_difference": "normalized absolute difference",
}

_REMEDIES: Final[dict[str, str]] = {
    "SCHEMA_MISSING_COLUMN": "Put the column back, or take the feature out of schema/schema.pbtxt",
    "FEATURE_TYPE_NOT_PRESENT": "Fill it in, or lower its presence in schema/schema.pbtxt",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "Fill it in, or lower its presence in schema/schema.pbtxt",
    "FEATURE_TYPE_LOW_NUMBER_VALUES": "Fill the empty cells or leave those rows out",
    "SCHEMA_NEW_COLUMN": "Take the column out, or accept it with `make schema`",
    "UNEXPECTED_DATA_TYPE": "Correct the values that are not of that type",
    **{
        anomalies_pb2.AnomalyInfo.Type.Name(kind): (
            "Correct the values, or accept a wider range with `make schema`"
        )
        for kind in _OUT_OF_RANGE
    },
}
_OTHER_REMEDY: Final = "Correct the data, or look at the difference with `make schema`"
_DRIFT_REMEDY: Final = (
    "Look for the cause in the data; if the change is meant, accept it once with --accept-drift"
)
_SKEW_REMEDY: Final = (
    f"Make the splits alike (films are dealt out by their {raw.SPLIT_KEY}), "
    "or raise the limit in schema/schema.pbtxt"
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data.

    Attributes:
        splits: names of the splits it was found in.
        feature: name of the feature, or `WHOLE_SPLIT`.
        problem: what is wrong, without a full stop.
        remedy: what to do, without a full stop.
    """

    splits: tuple[str, ...]
    feature: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """The finding on one line."""
        return f"{', '.join(self.splits)}: {self.feature}: {self.problem}. {self.remedy}."


class AnomaliesFound(UserError):  # noqa: N818 (it is what happened, not an error of the gate)
    """The data do not fit the schema, or are unlike the data before.

    Attributes:
        findings: what was found; the message has one line for each.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Take the findings, of which there is at least one."""
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


class Limits(Settings):
    """What the gate asks beside the schema.

    Attributes:
        min_comparable_rows: two sets of rows are compared only if both have this many, and the
            values of a feature only if this many rows hold one; distances between smaller sets are
            mostly chance.
        max_filled_change: by how much the share of rows that hold a value may differ, for any
            feature.
        max_plot_length_change: by how much the mean length of the plots may differ, as a share of
            the mean that it is compared with.
    """

    min_comparable_rows: Count = 100
    max_filled_change: float = Field(default=0.2, gt=0)
    max_plot_length_change: float = Field(default=0.5, gt=0)


DEFAULT_LIMITS: Final = Limits()


class AcceptedStatistics(Artifact):
    """Statistics of a train split that the gate let through, and the gate's report.

    The next run's data are compared with these and not with the statistics of the run before: data
    that were refused once would otherwise pass at the second try.
    """

    TYPE_NAME = "AcceptedStatistics"
    PROPERTIES = {
        # Id of the ExampleStatistics artifact that was let through.
        "statistics_id": Property(type=PropertyType.INT),
        # Id of the AcceptedStatistics that it was compared with; 0 if it was the first.
        "previous_id": Property(type=PropertyType.INT),
    }


class LastAcceptedStrategy(ResolverStrategy):
    """Resolves the gate's `previous` to the statistics that the gate last let through.

    Statistics that were themselves let through last resolve to what they were compared with then: a
    run on unchanged data has unchanged inputs and is a cache hit.
    """

    def __init__(self, accept_drift: bool = False) -> None:
        """Make the strategy.

        Args:
            accept_drift: resolve to nothing, so that this run's data become the new reference
                whatever they look like.
        """
        self._accept_drift = accept_drift

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Choose among the accepted statistics.

        Args:
            store: not used.
            input_dict: `statistics`, those of this run; `previous`, all that were ever accepted.

        Returns:
            `input_dict` with at most one artifact left in `previous`.
        """
        del store
        accepted = {artifact.id: artifact for artifact in input_dict[PREVIOUS]}
        chosen = accepted[max(accepted)] if accepted and not self._accept_drift else None
        current = {artifact.id for artifact in input_dict[STATISTICS]}
        if chosen is not None and chosen.statistics_id in current:
            chosen = accepted.get(chosen.previous_id)
        return {**input_dict, PREVIOUS: [] if chosen is None else [chosen]}


def examine(
    statistics: Mapping[str, Statistics],
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    schema: schema_pb2.Schema,
    previous: Statistics | None,
    limits: Limits,
) -> tuple[list[Finding], dict[str, Any]]:
    """Look for everything that is wrong with the data.

    Args:
        statistics: by split.
        anomalies: what ExampleValidator found, by split.
        schema: the curated schema.
        previous: statistics of the train split that was accepted last.
        limits: what is asked beside the schema.

    Returns:
        The findings, equal ones of several splits as one, and a report that JSON can hold: for each
        split its rows, the share of rows that hold a value, and the distances measured with their
        limits.
    """
    findings: list[Finding] = []
    for split, found in anomalies.items():
        findings += _violations(split, found, statistics[split])
    for split, statistic in statistics.items():
        findings += _too_often_empty(split, statistic, schema)

    report: dict[str, Any] = {
        "limits": limits.model_dump(),
        "splits": {
            split: {"rows": _rows(statistic), "filled": filled_shares(statistic)}
            for split, statistic in statistics.items()
        },
        "drift": None,
        "skew": {},
    }
    # A value far out of range stretches a histogram: of such a feature, distances say nothing more.
    wrong = {finding.feature for finding in findings}
    train = statistics[TRAIN]
    if previous is not None:
        problems, report["drift"] = _compare(train, previous, schema, limits, skew=False)
        findings += [
            Finding((TRAIN,), feature, f"unlike the data accepted last: {problem}", _DRIFT_REMEDY)
            for feature, problem in problems
            if feature not in wrong
        ]
    for split, statistic in statistics.items():
        if split != TRAIN:
            problems, report["skew"][split] = _compare(statistic, train, schema, limits, skew=True)
            findings += [
                Finding((split,), feature, f"unlike the {TRAIN} split: {problem}", _SKEW_REMEDY)
                for feature, problem in problems
                if feature not in wrong
            ]
    return _merged(findings), report


def filled_shares(statistics: Statistics) -> dict[str, float]:
    """Share of rows that hold a value, by feature; features with lists of values are left out."""
    rows = _rows(statistics)
    return {
        name: round(common.tot_num_values / rows, 6)
        for name, common in _common_statistics(statistics)
        if rows and common.max_num_values <= 1
    }


class AnomalyGateSpec(ComponentSpec):
    """Channels and parameters of `AnomalyGate`."""

    INPUTS = {
        STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
        ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        PREVIOUS: ChannelParameter(type=AcceptedStatistics, optional=True),
    }
    OUTPUTS = {ACCEPTED: ChannelParameter(type=AcceptedStatistics)}
    PARAMETERS = {
        "min_comparable_rows": ExecutionParameter(type=int),
        "max_filled_change": ExecutionParameter(type=float),
        "max_plot_length_change": ExecutionParameter(type=float),
        "code_fingerprint": ExecutionParameter(type=str),
    }


class Executor(base_executor.BaseExecutor):
    """Fails on findings, else writes the accepted statistics and the report."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Run the gate.

        Raises:
            AnomaliesFound: the data do not fit.
        """
        current = artifact_utils.get_single_instance(input_dict[STATISTICS])
        anomalies = artifact_utils.get_single_instance(input_dict[ANOMALIES])
        accepted = artifact_utils.get_single_instance(output_dict[ACCEPTED])
        previous = next(iter(input_dict.get(PREVIOUS) or []), None)
        schema_uri = artifact_utils.get_single_uri(input_dict[SCHEMA])

        statistics = {
            split: stats_artifact_utils.load_statistics(current, split).proto()
            for split in artifact_utils.decode_split_names(current.split_names)
        }
        findings, report = examine(
            statistics,
            {
                split: load_anomalies(anomalies, split)
                for split in artifact_utils.decode_split_names(anomalies.split_names)
            },
            io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri)),
            None if previous is None else load_accepted(previous.uri),
            Limits(**{name: exec_properties[name] for name in Limits.model_fields}),
        )
        if findings:
            raise AnomaliesFound(findings)

        folder = Path(accepted.uri)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STATISTICS_FILE).write_bytes(statistics[TRAIN].SerializeToString())
        (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        accepted.statistics_id = current.id
        accepted.previous_id = 0 if previous is None else previous.id
        logging.info("The data were let through: %s", folder / REPORT_FILE)


class AnomalyGate(base_component.BaseComponent):
    """Fails the run when the data do not fit the curated schema or are unlike the data before.

    Nothing downstream needs its output; make Transform wait for it with `add_upstream_node`. On the
    first run there are no accepted statistics yet, and only the schema and the splits are looked
    at.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: types.BaseChannel[Any],
        schema: types.BaseChannel[Any],
        anomalies: types.BaseChannel[Any],
        previous: types.BaseChannel[Any] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        code_fingerprint: str = "",
    ) -> None:
        """Make the node.

        Args:
            statistics: ExampleStatistics of this run, all splits.
            schema: the curated Schema.
            anomalies: ExampleAnomalies that ExampleValidator found in `statistics` by `schema`.
            previous: AcceptedStatistics, from a Resolver with `LastAcceptedStrategy`.
            limits: what is asked beside the schema.
            code_fingerprint: enters the cache key only, so that a change to the gate's code runs it
                again.
        """
        super().__init__(
            AnomalyGateSpec(
                **{
                    STATISTICS: statistics,
                    SCHEMA: schema,
                    ANOMALIES: anomalies,
                    PREVIOUS: previous,
                },
                **limits.model_dump(),
                code_fingerprint=code_fingerprint,
                **{ACCEPTED: types.Channel(type=AcceptedStatistics)},
            )
        )


def load_accepted(uri: str) -> Statistics:
    """Statistics that an AcceptedStatistics artifact at `uri` holds."""
    return tfdv.load_stats_binary(str(Path(uri) / STATISTICS_FILE))


def load_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    """What ExampleValidator found in one split."""
    folder = Path(artifact_utils.get_split_uri([artifact], split))
    return anomalies_pb2.Anomalies.FromString(
        (folder / example_validator.DEFAULT_FILE_NAME).read_bytes()
    )


def _violations(
    split: str, anomalies: anomalies_pb2.Anomalies, statistics: Statistics
) -> Iterator[Finding]:
    """What TFDV found in one split, in its words, with a remedy."""
    if anomalies.data_missing or not _rows(statistics):
        yield Finding((split,), WHOLE_SPLIT, "there are no rows", "Give more films")
        return
    without_values = {
        name for name, common in _common_statistics(statistics) if not common.tot_num_values
    }
    for reason in anomalies.dataset_anomaly_info.reason:
        yield Finding((split,), WHOLE_SPLIT, _sentence(reason), _remedy(reason))
    for feature in sorted(anomalies.anomaly_info):
        reasons = list(anomalies.anomaly_info[feature].reason)
        wrong_type = [reason for reason in reasons if reason.type == _TYPE_CHANGED]
        # Of a feature of the wrong type, everything else said only follows from that.
        for reason in wrong_type or reasons:
            # TFDV takes 0 for the smallest value of a feature that has none in this split.
            if not (feature in without_values and reason.type in _OUT_OF_RANGE):
                yield Finding((split,), feature, _sentence(reason), _remedy(reason))


def _sentence(reason: _Reason) -> str:
    text = " ".join(reason.description.split()).replace("(upto six significant digits)", "")
    return f"{reason.short_description}: {text.rstrip('. ')}"


def _remedy(reason: _Reason) -> str:
    return _REMEDIES.get(anomalies_pb2.AnomalyInfo.Type.Name(reason.type), _OTHER_REMEDY)


def _too_often_empty(
    split: str, statistics: Statistics, schema: schema_pb2.Schema
) -> Iterator[Finding]:
    """Features with fewer values than `presence.min_fraction` asks; required ones are TFDV's
    matter.

    TFDV counts a feature as present in a row even if it has no values there, and CsvExampleGen
    writes every empty cell so.
    """
    filled = filled_shares(statistics)
    seen_by_tfdv = {
        name for name, common in _common_statistics(statistics) if not common.num_non_missing
    }
    for feature in schema.feature:
        least = feature.presence.min_fraction
        share = filled.get(feature.name)
        required = feature.value_count.min > 0
        if (
            not required
            and feature.name not in seen_by_tfdv
            and share is not None
            and share < least
        ):
            yield Finding(
                (split,),
                feature.name,
                f"Missing values: {share:.1%} of the rows have one, at least {least:.1%} must",
                _REMEDIES["FEATURE_TYPE_LOW_FRACTION_PRESENT"],
            )


def _compare(
    current: Statistics,
    reference: Statistics,
    schema: schema_pb2.Schema,
    limits: Limits,
    *,
    skew: bool,
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Compare rows with others by the schema's comparators and by the limits.

    Args:
        current: of the rows that are looked at.
        reference: of the rows that they should be like.
        schema: says by `skew_comparator` or `drift_comparator` what is compared, and how.
        limits: what is asked beside the schema.
        skew: use the skew comparators, not those of drift.

    Returns:
        (feature, problem) pairs, and what was measured, as JSON can hold it.
    """
    if skew:
        anomalies = tfdv.validate_statistics(reference, schema, serving_statistics=current)
    else:
        anomalies = tfdv.validate_statistics(current, schema, previous_statistics=reference)
    rows, reference_rows = _rows(current), _rows(reference)
    measured: dict[str, Any] = {"rows": rows, "reference_rows": reference_rows}
    problems = [
        (WHOLE_SPLIT, f"{rows} rows against {reference_rows}: {_sentence(reason)}")
        for reason in anomalies.dataset_anomaly_info.reason
        if reason.type in _ROWS_COMPARED
    ]
    if min(rows, reference_rows) < limits.min_comparable_rows:
        measured["not_compared"] = f"fewer than {limits.min_comparable_rows} rows"
        return problems, measured

    comparable = {
        name
        for name, common in _common_statistics(current)
        if common.tot_num_values >= limits.min_comparable_rows
    } & {
        name
        for name, common in _common_statistics(reference)
        if common.tot_num_values >= limits.min_comparable_rows
    }
    distances = measured["distances"] = {}
    for info in anomalies.drift_skew_info:
        feature = info.path.step[0]
        if feature not in comparable:
            continue
        for distance in info.skew_measurements if skew else info.drift_measurements:
            kind = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(distance.type).lower()
            value = round(distance.value, 6)
            distances[feature] = {"kind": kind, "value": value, "limit": distance.threshold}
            if distance.value > distance.threshold:
                most = _most_different(anomalies.anomaly_info[feature])
                problems.append(
                    (feature, f"{_DISTANCES[kind]} {value:.3g}, limit {distance.threshold:g}{most}")
                )

    now, then = filled_shares(current), filled_shares(reference)
    problems += [
        (feature, f"{now[feature]:.1%} of the rows have a value, {then[feature]:.1%} there")
        for feature in sorted(now.keys() & then.keys())
        if abs(now[feature] - then[feature]) > limits.max_filled_change
    ]
    length, reference_length = _plot_length(current), _plot_length(reference)
    measured["mean_plot_bytes"], measured["reference_mean_plot_bytes"] = length, reference_length
    if abs(length - reference_length) > limits.max_plot_length_change * reference_length:
        problems.append((raw.PLOT, f"mean length {length:.0f} bytes, {reference_length:.0f} there"))
    return problems, measured


def _most_different(anomaly: anomalies_pb2.AnomalyInfo) -> str:
    """The value that differs most, which TFDV names for strings in its description only."""
    for reason in anomaly.reason:
        if match := re.search(r"value with maximum difference is: (.+)$", reason.description):
            return f", most of all {match[1]!r}"
    return ""


def _merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that differ in the split only become one; the order is that of the first ones."""
    splits: dict[tuple[str, str, str], list[str]] = {}
    for finding in findings:
        key = (finding.feature, finding.problem, finding.remedy)
        splits.setdefault(key, []).extend(finding.splits)
    return [Finding(tuple(names), *key) for key, names in splits.items()]


def _rows(statistics: Statistics) -> int:
    return sum(dataset.num_examples for dataset in statistics.datasets[:1])


def _common_statistics(
    statistics: Statistics,
) -> Iterator[tuple[str, statistics_pb2.CommonStatistics]]:
    """Name and common statistics of each feature."""
    for dataset in statistics.datasets[:1]:
        for feature in dataset.features:
            kind = feature.WhichOneof("stats")
            yield feature.path.step[0], getattr(feature, kind).common_stats


def _plot_length(statistics: Statistics) -> float:
    """Mean length of the plots in bytes; 0 without plots."""
    for dataset in statistics.datasets[:1]:
        for feature in dataset.features:
            if feature.path.step[0] == raw.PLOT:
                return round(feature.string_stats.avg_length, 3)
    return 0.0
