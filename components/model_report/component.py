"""Write the report of a run, an HTML file that shows how good the model is and why it was pushed
or not.

TFX has no such component. The results of its Evaluator can only be viewed in notebooks and contain
neither the gate's verdict nor how the model was trained. `ModelReport` is the last node, so that it
can report whether the model was pushed, and so that its own failure does not prevent a push. Models
that the gate refused are reported too, since a refusal is not an error of a node.
"""

import time
from pathlib import Path

from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType

from components.anomaly_gate.component import AcceptedStatistics
from components.model_report.collect import collect_facts
from report import page
from schema.names import MODEL_REPORT_FILE


class ReportPage(Artifact):
    """Report of a run: one HTML file, `schema.names.MODEL_REPORT_FILE`."""

    TYPE_NAME = "ReportPage"
    PROPERTIES = {"macro_f1": Property(type=PropertyType.FLOAT)}


@component
def ModelReport(  # noqa: N802 (TFX names the node after the function)
    report: OutputArtifact[ReportPage],
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    evaluation: InputArtifact[standard_artifacts.ModelEvaluation],
    blessing: InputArtifact[standard_artifacts.ModelBlessing],
    infra_blessing: InputArtifact[standard_artifacts.InfraBlessing] = None,
    pushed_model: InputArtifact[standard_artifacts.PushedModel] = None,
    last_blessed: InputArtifact[standard_artifacts.Model] = None,
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies] = None,
    accepted: InputArtifact[AcceptedStatistics] = None,
    movies: Parameter[str] = "",
    metadata: Parameter[str] = "",
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Write an HTML file about a model and the run that trained it.

    Args:
        report: Output with the HTML file.
        examples: Raw examples.
        model: Model to report on.
        evaluation: TFMA's results from the Evaluator.
        blessing: Blessing of the Evaluator, with the verdict.
        infra_blessing: Blessing of the smoke test.
        pushed_model: Output of the Pusher.
        last_blessed: Model that was blessed last.
        anomalies: Anomalies that ExampleValidator found.
        accepted: Output of the AnomalyGate, with its report.
        movies: Path of the directory with the joined movies and the ingest summary.
        metadata: Path of ML Metadata's SQLite database; empty leaves lineage and times out.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: The verdict or the training record does not exist.
    """
    started = time.monotonic()
    facts = collect_facts(
        {
            "examples": examples,
            "model": model,
            "evaluation": evaluation,
            "blessing": blessing,
            "infra_blessing": infra_blessing,
            "pushed_model": pushed_model,
            "last_blessed": last_blessed,
            "anomalies": anomalies,
            "accepted": accepted,
        },
        movies,
        metadata,
    )
    path = Path(report.uri, MODEL_REPORT_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.render(facts), encoding="utf-8")
    report.macro_f1 = facts.verdict.macro_f1
    logging.info("ModelReport: %s, in %.1f s", path, time.monotonic() - started)
