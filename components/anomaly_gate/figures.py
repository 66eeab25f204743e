"""Reads TFDV's statistics and anomalies into plain figures for the decision."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.example_validator import executor as example_validator
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.anomaly_gate.decision import (
    WHOLE_SPLIT,
    Comparison,
    Distance,
    SplitFigures,
    Violation,
)
from schema import features as raw
from schema.names import STATISTICS_FILE

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
_Reason: TypeAlias = anomalies_pb2.AnomalyInfo.Reason

_ROWS_COMPARED = (
    anomalies_pb2.AnomalyInfo.COMPARATOR_LOW_NUM_EXAMPLES,
    anomalies_pb2.AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES,
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


def split_figures(statistics: Statistics) -> SplitFigures:
    """The figures of one split."""
    if not statistics.datasets:
        return SplitFigures(rows=0)
    rows = statistics.datasets[0].num_examples
    common = dict(_common_statistics(statistics))
    plots = [
        feature.string_stats.avg_length
        for feature in statistics.datasets[0].features
        if feature.path.step[0] == raw.PLOT
    ]
    return SplitFigures(
        rows=rows,
        values={name: one.tot_num_values for name, one in common.items()},
        filled={
            name: round(one.tot_num_values / rows, 6)
            for name, one in common.items()
            if rows and one.max_num_values <= 1
        },
        absent=frozenset(name for name, one in common.items() if not one.num_non_missing),
        plot_bytes=round(sum(plots), 3),
    )


def violations(anomalies: anomalies_pb2.Anomalies) -> list[Violation]:
    """What TFDV found in one split, whole-split anomalies first, then by feature."""
    found = [(WHOLE_SPLIT, reason) for reason in anomalies.dataset_anomaly_info.reason]
    for feature in sorted(anomalies.anomaly_info):
        found += [(feature, reason) for reason in anomalies.anomaly_info[feature].reason]
    return [
        Violation(feature, anomalies_pb2.AnomalyInfo.Type.Name(reason.type), _description(reason))
        for feature, reason in found
    ]


def min_filled(schema: schema_pb2.Schema) -> Mapping[str, float]:
    """`presence.min_fraction` of the features that the schema does not require in every row."""
    return {
        feature.name: feature.presence.min_fraction
        for feature in schema.feature
        if not feature.value_count.min
    }


def compare(
    current: Statistics, reference: Statistics, schema: schema_pb2.Schema, *, skew: bool
) -> Comparison:
    """Measure rows beside others by the schema's comparators.

    Args:
        current: statistics of the rows that are examined.
        reference: statistics of the rows that they should be like.
        schema: its `skew_comparator` or `drift_comparator` says what is compared, and how.
        skew: use the skew comparators, not those of drift.
    """
    if skew:
        anomalies = tfdv.validate_statistics(reference, schema, serving_statistics=current)
    else:
        anomalies = tfdv.validate_statistics(current, schema, previous_statistics=reference)
    return Comparison(
        current=split_figures(current),
        reference=split_figures(reference),
        distances=[
            Distance(
                feature=info.path.step[0],
                kind=anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(measured.type).lower(),
                value=round(measured.value, 6),
                limit=measured.threshold,
                most_different=_most_different(anomalies.anomaly_info.get(info.path.step[0])),
            )
            for info in anomalies.drift_skew_info
            for measured in (info.skew_measurements if skew else info.drift_measurements)
        ],
        row_problems=[
            _description(reason)
            for reason in anomalies.dataset_anomaly_info.reason
            if reason.type in _ROWS_COMPARED
        ],
    )


def _common_statistics(
    statistics: Statistics,
) -> Iterator[tuple[str, statistics_pb2.CommonStatistics]]:
    """Name and common statistics of each feature."""
    for feature in statistics.datasets[0].features:
        yield feature.path.step[0], getattr(feature, feature.WhichOneof("stats")).common_stats


def _description(reason: _Reason) -> str:
    text = " ".join(reason.description.split()).replace("(upto six significant digits)", "")
    return f"{reason.short_description}: {text.rstrip('. ')}"


def _most_different(anomaly: anomalies_pb2.AnomalyInfo | None) -> str:
    """The value that differs most, which TFDV names for strings in its description only."""
    for reason in anomaly.reason if anomaly else ():
        if match := re.search(r"value with maximum difference is: (.+)$", reason.description):
            return match[1]
    return ""
