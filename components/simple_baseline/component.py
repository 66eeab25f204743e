"""Fits and measures the simple model that a served one has to beat. TFX has no such component."""

import json
import time
from pathlib import Path
from typing import Any

from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType

from components import examples as example_files
from components.simple_baseline.model import best_thresholds, decide, evaluate, fit_predict, labels
from schema import features as raw
from schema.errors import UserError
from schema.names import SIMPLE_BASELINE_FILE, Split


class SimpleBaselineMetrics(Artifact):
    """What the simple baseline reached on the test split; `metrics.json` as `evaluate` gives it."""

    # The name in ML Metadata of earlier runs.
    TYPE_NAME = "BaselineMetrics"
    PROPERTIES = {
        "macro_f1": Property(type=PropertyType.FLOAT),
        "micro_f1": Property(type=PropertyType.FLOAT),
        "samples_f1": Property(type=PropertyType.FLOAT),
    }


@component
def SimpleBaseline(  # noqa: N802 (TFX names the node after the function)
    examples: InputArtifact[standard_artifacts.Examples],
    metrics: OutputArtifact[SimpleBaselineMetrics],
    seed: Parameter[int] = 1,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Fit on `train`, tune thresholds on `eval`, measure on `test`.

    Args:
        examples: raw examples with these splits.
        metrics: output: figures on the test split.
        seed: of the solver.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: a split has no movies, or their plots share no words.
    """
    started = time.monotonic()
    texts, given = {}, {}
    for split in Split:
        columns = example_files.read_columns(
            examples, split, [raw.PLOT, raw.TITLE, raw.GENRES_FIELD]
        )
        texts[split] = [
            f"{plot}\n{title}"
            for plot, title in zip(columns[raw.PLOT], columns[raw.TITLE], strict=True)
        ]
        given[split] = labels(columns[raw.GENRES_FIELD].tolist())
        if not texts[split]:
            raise UserError(f"The {split} split has no movies. Give more movies.")
    tuning, unseen = fit_predict(
        texts[Split.TRAIN], given[Split.TRAIN], [texts[Split.EVAL], texts[Split.TEST]], seed
    )
    thresholds = best_thresholds(tuning, given[Split.EVAL])
    measured = evaluate(given[Split.TEST], decide(unseen, thresholds))
    measured["seconds"] = round(time.monotonic() - started, 1)

    directory = Path(metrics.uri)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SIMPLE_BASELINE_FILE).write_text(
        json.dumps(measured, indent=2) + "\n", encoding="utf-8"
    )
    for name in SimpleBaselineMetrics.PROPERTIES:
        setattr(metrics, name, measured[name])
    logging.info(
        "SimpleBaseline: macro-F1 %.3f on %d movies of the test split",
        measured["macro_f1"],
        measured["movies"],
    )


def load_metrics(uri: str) -> dict[str, Any]:
    """Read the metrics of a SimpleBaselineMetrics artifact at `uri`, as `evaluate` gives them."""
    return json.loads((Path(uri) / SIMPLE_BASELINE_FILE).read_text(encoding="utf-8"))
