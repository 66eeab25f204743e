"""Fit and evaluate the simple baseline that the gate compares models with.

TFX has no such component.
"""

import json
import time
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact, Property, PropertyType

from components import examples as example_files
from components.simple_baseline.model import (
    best_thresholds,
    binarize_genres,
    evaluate,
    fit_predict,
    predict_genres,
)
from schema import features as raw
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import SIMPLE_BASELINE_FILE, Split
from schema.text import clean_plot, clean_text

_DEFAULT_GENRES: Final = json.dumps(GENRES)


class SimpleBaselineMetrics(Artifact):
    """Metrics of the simple baseline on the test split: the return value of `evaluate` as JSON."""

    # Earlier runs recorded the artifact under this name.
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
    genres: Parameter[str] = _DEFAULT_GENRES,
    seed: Parameter[int] = 1,
    code_fingerprint: Parameter[str] = "",  # noqa: ARG001
) -> None:
    """Fit the baseline on `train`, choose thresholds on `eval`, and evaluate on `test`.

    Test movies with corrected genres are left out, as in the Evaluator.

    Args:
        examples: Raw examples with these splits.
        metrics: Output with the metrics on the test split.
        genres: Names of the genres as a JSON list, in the order of the labels.
        seed: Seed of the solver.
        code_fingerprint: Hash of the sources that the node runs; part of its cache key.

    Raises:
        UserError: A split has no movies, or no two plots have a word in common.
    """
    started = time.monotonic()
    genre_names = json.loads(genres)
    texts, labels = {}, {}
    for split in Split:
        columns = example_files.read_columns(
            examples, split, [raw.PLOT, raw.TITLE, raw.GENRES_FIELD, raw.CORRECTED]
        )
        used = (columns[raw.CORRECTED] != 1) | (split is not Split.TEST)
        columns = {name: values[used] for name, values in columns.items()}
        texts[split] = [
            f"{clean_plot(plot)}\n{clean_text(title)}"
            for plot, title in zip(columns[raw.PLOT], columns[raw.TITLE], strict=True)
        ]
        labels[split] = binarize_genres(columns[raw.GENRES_FIELD].tolist(), genre_names)
        if not texts[split]:
            uncorrected = " with uncorrected genres" if len(used) else ""
            raise UserError(f"The {split} split has no movies{uncorrected}. Add more movies.")
    eval_probabilities, test_probabilities = fit_predict(
        texts[Split.TRAIN], labels[Split.TRAIN], [texts[Split.EVAL], texts[Split.TEST]], seed
    )
    thresholds = best_thresholds(eval_probabilities, labels[Split.EVAL])
    predicted = predict_genres(test_probabilities, thresholds)
    results = evaluate(labels[Split.TEST], predicted, genre_names)
    results["seconds"] = round(time.monotonic() - started, 1)

    directory = Path(metrics.uri)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SIMPLE_BASELINE_FILE).write_text(
        json.dumps(results, indent=2) + "\n", encoding="utf-8"
    )
    for name in SimpleBaselineMetrics.PROPERTIES:
        setattr(metrics, name, results[name])
    logging.info(
        "SimpleBaseline: macro-F1 %.3f on %d movies of the test split",
        results["macro_f1"],
        results["movies"],
    )


def load_metrics(uri: str) -> dict[str, Any]:
    """Load the metrics of a SimpleBaselineMetrics artifact (see `evaluate`)."""
    return json.loads((Path(uri) / SIMPLE_BASELINE_FILE).read_text(encoding="utf-8"))
