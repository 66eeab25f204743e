"""Stops the run when the data are not what the curated schema expects.

TFX's own ExampleValidator records anomalies and lets the run go on, and it compares neither spans
nor splits, so that a schema's drift and skew comparators have no effect. `AnomalyGate` reads what
it found, applies the comparators, and fails with one line for each finding. Why TFX's
DistributionValidator does not do is in docs/adr/0005-anomaly-gate.md.
"""

import json
from pathlib import Path

from absl import logging
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.utils import io_utils

from components.anomaly_gate import figures
from components.anomaly_gate.decision import AnomaliesFound, AnomalyGateConfig, examine
from schema.names import ANOMALY_REPORT_FILE, STATISTICS_FILE, Split


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


@component
def AnomalyGate(  # noqa: N802 (TFX names the node after the function)
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    accepted: OutputArtifact[AcceptedStatistics],
    limits: Parameter[str],
    previous: InputArtifact[AcceptedStatistics] = None,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Fail on anomalies, else write the accepted statistics and the report.

    No node reads `accepted`; make Transform wait for it with `add_upstream_node`. On the first run
    there are no accepted statistics yet, and the data are compared with the schema and between
    splits only.

    Args:
        statistics: statistics of this run, all splits.
        schema: the curated schema.
        anomalies: output of ExampleValidator for `statistics` and `schema`.
        accepted: output: the statistics of the train split and the report.
        limits: `AnomalyGateConfig` as JSON.
        previous: statistics of the last accepted data, from a Resolver with
            `LastAcceptedStatisticsStrategy`; none on the first run.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        AnomaliesFound: the data do not fit.
    """
    by_split = {
        split: stats_artifact_utils.load_statistics(statistics, split).proto()
        for split in artifact_utils.decode_split_names(statistics.split_names)
    }
    curated = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    train = by_split[Split.TRAIN]
    findings, report = examine(
        splits={split: figures.split_figures(one) for split, one in by_split.items()},
        violations={
            split: figures.violations(figures.load_anomalies(anomalies, split))
            for split in artifact_utils.decode_split_names(anomalies.split_names)
        },
        min_filled={
            feature.name: feature.presence.min_fraction
            for feature in curated.feature
            if not feature.value_count.min
        },
        drift=None
        if previous is None
        else figures.compare(train, figures.load_accepted(previous.uri), curated, skew=False),
        skew={
            split: figures.compare(one, train, curated, skew=True)
            for split, one in by_split.items()
            if split != Split.TRAIN
        },
        limits=AnomalyGateConfig.from_json(limits),
    )
    if findings:
        raise AnomaliesFound(findings)

    directory = Path(accepted.uri)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / STATISTICS_FILE).write_bytes(train.SerializeToString())
    (directory / ANOMALY_REPORT_FILE).write_text(
        json.dumps(report, indent=2) + "\n", encoding="utf-8"
    )
    accepted.statistics_id = statistics.id
    accepted.previous_id = 0 if previous is None else previous.id
    logging.info("The data were let through: %s", directory / ANOMALY_REPORT_FILE)
