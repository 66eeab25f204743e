"""Reads TFDV's statistics and anomalies into plain figures for the decision."""

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

_ROWS_COMPARED = (
    anomalies_pb2.AnomalyInfo.COMPARATOR_LOW_NUM_EXAMPLES,
    anomalies_pb2.AnomalyInfo.COMPARATOR_HIGH_NUM_EXAMPLES,
)


def load_accepted(uri: str) -> Statistics:
    """Statistics that an AcceptedStatistics artifact at `uri` holds."""
    return tfdv.load_stats_binary(str(Path(uri) / STATISTICS_FILE))


def load_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    """What ExampleValidator found in one split."""
    directory = Path(artifact_utils.get_split_uri([artifact], split))
    return anomalies_pb2.Anomalies.FromString(
        (directory / example_validator.DEFAULT_FILE_NAME).read_bytes()
    )


def split_figures(statistics: Statistics) -> decision.SplitFigures:
    """The figures of one split."""
    if not statistics.datasets:
        return decision.SplitFigures(rows=0)
    rows, features = statistics.datasets[0].num_examples, statistics.datasets[0].features
    common = {
        one.path.step[0]: getattr(one, one.WhichOneof("stats")).common_stats for one in features
    }
    plots = (one.string_stats.avg_length for one in features if one.path.step[0] == raw.PLOT)
    return decision.SplitFigures(
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


def violations(anomalies: anomalies_pb2.Anomalies) -> list[decision.Violation]:
    """What TFDV found in one split, whole-split anomalies first, then by feature."""
    found = [(decision.WHOLE_SPLIT, reason) for reason in anomalies.dataset_anomaly_info.reason]
    for feature in sorted(anomalies.anomaly_info):
        found += [(feature, reason) for reason in anomalies.anomaly_info[feature].reason]
    return [
        decision.Violation(
            feature, anomalies_pb2.AnomalyInfo.Type.Name(reason.type), _description(reason)
        )
        for feature, reason in found
    ]


def compare(
    current: Statistics, reference: Statistics, schema: schema_pb2.Schema, *, skew: bool
) -> decision.Comparison:
    """Measure rows beside those that they should be like.

    What is compared, and how, is said by the schema's comparators of skew, or else of drift.
    """
    if skew:
        anomalies = tfdv.validate_statistics(reference, schema, serving_statistics=current)
    else:
        anomalies = tfdv.validate_statistics(current, schema, previous_statistics=reference)
    return decision.Comparison(
        current=split_figures(current),
        reference=split_figures(reference),
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
            if reason.type in _ROWS_COMPARED
        ],
    )


def _description(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    text = " ".join(reason.description.split()).replace("(upto six significant digits)", "")
    return f"{reason.short_description}: {text.rstrip('. ')}"


def _most_different(anomaly: anomalies_pb2.AnomalyInfo | None) -> str:
    """The value that differs most, which TFDV names for strings in its description only."""
    for reason in anomaly.reason if anomaly else ():
        if match := re.search(r"value with maximum difference is: (.+)$", reason.description):
            return match[1]
    return ""
