"""Convert TFDV's statistics and anomalies to the plain data that the decision needs."""

import re
from pathlib import Path
from typing import TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.example_validator import executor as example_validator
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.anomaly_gate import decision
from schema import features as raw
from schema.names import STATISTICS_FILE

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList

_ROW_COUNT_ANOMALIES = (
    anomalies_pb2.AnomalyInfo.COMPARATOR_LOW_NUM_EXAMPLES,
    anomalies_pb2.AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES,
)


def load_accepted_statistics(uri: str) -> Statistics:
    """Load the statistics of an AcceptedStatistics artifact."""
    return tfdv.load_stats_binary(str(Path(uri) / STATISTICS_FILE))


def load_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    """Load the anomalies that ExampleValidator found in one split."""
    directory = Path(artifact_utils.get_split_uri([artifact], split))
    return anomalies_pb2.Anomalies.FromString(
        (directory / example_validator.DEFAULT_FILE_NAME).read_bytes()
    )


def split_statistics(statistics: Statistics) -> decision.SplitStatistics:
    """Convert the statistics of one split."""
    if not statistics.datasets:
        return decision.SplitStatistics(rows=0)
    rows, features = statistics.datasets[0].num_examples, statistics.datasets[0].features
    common_stats = {
        feature.path.step[0]: getattr(feature, feature.WhichOneof("stats")).common_stats
        for feature in features
    }
    plot_lengths = (
        feature.string_stats.avg_length for feature in features if feature.path.step[0] == raw.PLOT
    )
    return decision.SplitStatistics(
        rows=rows,
        values={name: stats.tot_num_values for name, stats in common_stats.items()},
        filled={
            name: round(stats.tot_num_values / rows, 6)
            for name, stats in common_stats.items()
            if rows and stats.max_num_values <= 1
        },
        absent=frozenset(name for name, stats in common_stats.items() if not stats.num_non_missing),
        plot_bytes=round(sum(plot_lengths), 3),
    )


def schema_violations(anomalies: anomalies_pb2.Anomalies) -> list[decision.SchemaViolation]:
    """Convert the anomalies of one split: first those of the whole split, then by feature."""
    reasons = [(decision.WHOLE_SPLIT, reason) for reason in anomalies.dataset_anomaly_info.reason]
    for feature in sorted(anomalies.anomaly_info):
        reasons += [(feature, reason) for reason in anomalies.anomaly_info[feature].reason]
    return [
        decision.SchemaViolation(
            feature, anomalies_pb2.AnomalyInfo.Type.Name(reason.type), _description(reason)
        )
        for feature, reason in reasons
    ]


def compare_statistics(
    current: Statistics, reference: Statistics, schema: schema_pb2.Schema, *, skew: bool
) -> decision.Comparison:
    """Compare statistics with reference statistics by the comparators of the schema.

    Args:
        current: Statistics to check.
        reference: Statistics to compare with.
        schema: Schema whose comparators name the features, distances and limits.
        skew: Whether to apply the skew comparators; otherwise the drift comparators apply.
    """
    if skew:
        anomalies = tfdv.validate_statistics(reference, schema, serving_statistics=current)
    else:
        anomalies = tfdv.validate_statistics(current, schema, previous_statistics=reference)
    return decision.Comparison(
        current=split_statistics(current),
        reference=split_statistics(reference),
        distances=[
            decision.Distance(
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
            if reason.type in _ROW_COUNT_ANOMALIES
        ],
    )


def _description(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    text = " ".join(reason.description.split()).replace("(upto six significant digits)", "")
    return f"{reason.short_description}: {text.rstrip('. ')}"


def _most_different(anomaly: anomalies_pb2.AnomalyInfo | None) -> str:
    """Return the value whose share differs most, which TFDV only names in descriptions."""
    for reason in anomaly.reason if anomaly else ():
        if match := re.search(r"value with maximum difference is: (.+)$", reason.description):
            return match[1]
    return ""
