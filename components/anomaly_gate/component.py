"""Stop the run if the data violate the curated schema or differ too much from earlier data.

TFX's own ExampleValidator records anomalies but does not stop the run. It compares neither spans
nor splits, so the drift and skew comparators of a schema have no effect. `AnomalyGate` reads its
anomalies, applies the comparators, and fails with one line for each finding.
docs/adr/0005-anomaly-gate.md explains why TFX's DistributionValidator is not sufficient either.
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

from components.anomaly_gate import tfdv_adapter
from components.anomaly_gate.decision import AnomalyGateConfig, DataAnomaliesError, find_anomalies
from schema.names import ANOMALY_REPORT_FILE, STATISTICS_FILE, Split


class AcceptedStatistics(Artifact):
    """Statistics of a train split that the gate accepted, and the gate's report.

    The data of the next run are compared with these statistics, not with those of the previous run.
    Otherwise, data that were refused once would pass at the second attempt.
    """

    TYPE_NAME = "AcceptedStatistics"
    PROPERTIES = {
        # Id of the ExampleStatistics artifact that was accepted.
        "statistics_id": Property(type=PropertyType.INT),
        # Id of the AcceptedStatistics that it was compared with; 0 if there was none.
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
    """Fail on anomalies; otherwise write the accepted statistics and a report.

    No node reads `accepted`, so Transform must be made to wait with `add_upstream_node`. On the
    first run there are no accepted statistics yet, and the data are only compared with the schema
    and between splits.

    Args:
        statistics: Statistics of this run, for all splits.
        schema: Curated schema.
        anomalies: Output of ExampleValidator for `statistics` and `schema`.
        accepted: Output with the statistics of the train split and the report.
        limits: `AnomalyGateConfig` as JSON.
        previous: Statistics accepted last, from a Resolver with `LastAcceptedStatisticsStrategy`;
            none on the first run.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        DataAnomaliesError: The data have anomalies.
    """
    by_split = {
        split: stats_artifact_utils.load_statistics(statistics, split).proto()
        for split in artifact_utils.decode_split_names(statistics.split_names)
    }
    curated = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    train = by_split[Split.TRAIN]
    drift = None
    if previous is not None:
        reference = tfdv_adapter.load_accepted_statistics(previous.uri)
        drift = tfdv_adapter.compare_statistics(train, reference, curated, skew=False)
    findings, report = find_anomalies(
        splits={name: tfdv_adapter.split_statistics(split) for name, split in by_split.items()},
        violations={
            split: tfdv_adapter.schema_violations(tfdv_adapter.load_anomalies(anomalies, split))
            for split in artifact_utils.decode_split_names(anomalies.split_names)
        },
        min_filled={
            feature.name: feature.presence.min_fraction
            for feature in curated.feature
            if not feature.value_count.min
        },
        drift=drift,
        skew={
            name: tfdv_adapter.compare_statistics(split, train, curated, skew=True)
            for name, split in by_split.items()
            if name != Split.TRAIN
        },
        config=AnomalyGateConfig.from_json(limits),
    )
    if findings:
        raise DataAnomaliesError(findings)

    directory = Path(accepted.uri)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / STATISTICS_FILE).write_bytes(train.SerializeToString())
    report_file = directory / ANOMALY_REPORT_FILE
    report_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    accepted.statistics_id = statistics.id
    accepted.previous_id = 0 if previous is None else previous.id
    logging.info("AnomalyGate: data accepted, report in %s", report_file)
