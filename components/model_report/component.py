"""Writes the report of a run: one HTML file that says how good the model is, and why it was pushed
or not.

TFX has no such component. Its Evaluator's results open in notebooks only and know neither the gate
nor how the model was trained; a refused model leaves a reason and no way to look further. This node
comes last, so that it can report what happened to the model and no failure of its own stops a push.
A refusal is not an error of any node: a refused model is reported on like any other.
"""

import time
from pathlib import Path

from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType

from components.anomaly_gate.component import AcceptedStatistics
from components.model_report.gather import gather
from report import page
from schema.names import MODEL_REPORT_FILE


class ReportPage(Artifact):
    """One HTML file, `schema.names.MODEL_REPORT_FILE`."""

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
    """Write one HTML file about a model and the run that made it.

    The inputs are outputs of the nodes before; `examples` are raw, and `blessing` is the
    Evaluator's, with the verdict. `movies` is the directory of the joined movies, with ingest's
    report, and `metadata` ML Metadata's SQLite database; lineage and times are left out if it is
    empty.

    Raises:
        UserError: the verdict or the record of the training is missing.
    """
    started = time.monotonic()
    facts = gather(
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
