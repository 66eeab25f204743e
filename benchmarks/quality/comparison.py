"""Fitting and evaluation of the baselines, and evaluation of the pipeline's model."""

import json
import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import tensorflow as tf

from benchmarks.quality.baselines import BASELINES, Baseline, Blend, Logits
from benchmarks.quality.dataset import (
    ALL_FIELDS,
    INPUT_VARIANTS,
    TEST_VIEW,
    TRAIN_VIEW,
    Movies,
    View,
    genres,
)
from benchmarks.quality.features import Cost, Features
from benchmarks.quality.scores import Predictions, calibrate_and_predict
from schema import features as raw
from schema.files import atomic_write
from schema.names import (
    EXTRA_ASSETS,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SERVING_SIGNATURE,
    TRAINING_RECORD_FILE,
    Split,
)

SERVING_BATCH_SIZE = 64
WARM_UP_BATCHES = 3


class ModelResult(NamedTuple):
    """Predictions and costs of a model on the test split.

    Attributes:
        title: Title in tables.
        predictions: Predictions by input variant, with thresholds chosen for the same variant.
        predictions_with_thresholds_for_all_fields: Predictions by input variant, with thresholds
            chosen on movies with all fields.
        training_seconds: Float. Training time.
        size_bytes: Float. Size of the stored model.
        movies_per_second: Float. Prediction speed.
    """

    title: str
    predictions: Mapping[str, Predictions]
    predictions_with_thresholds_for_all_fields: Mapping[str, Predictions]
    training_seconds: float
    size_bytes: float
    movies_per_second: float


class FittedBaseline(NamedTuple):
    """Result of fitting a baseline.

    Attributes:
        logits: float32 [movies, 22]. Logits by view.
        costs: Costs by name of the feature set or model.
    """

    logits: Mapping[View, Logits]
    costs: Mapping[str, Cost]


def fit_baseline(name: str, features: Features, directory: Path) -> tuple[FittedBaseline, bool]:
    """Fit a baseline, or load it if it has been stored before.

    Args:
        name: Name of the baseline in `BASELINES`.
        features: Features of all movies.
        directory: Directory of the stored baselines, whose name identifies the movies and the code.

    Returns:
        A tuple `(baseline, loaded)`; `loaded` is True if nothing had to be fitted.
    """
    baseline = BASELINES[name]
    if isinstance(baseline, Blend):
        parts = [
            (weight, *fit_baseline(part, features, directory))
            for part, weight in baseline.weights.items()
        ]
        logits = {
            view: np.sum(
                [np.float32(weight) * fitted.logits[view] for weight, fitted, _ in parts], axis=0
            )
            for view in parts[0][1].logits
        }
        costs = {key: cost for _, fitted, _ in parts for key, cost in fitted.costs.items()}
        return FittedBaseline(logits, costs), all(loaded for *_, loaded in parts)
    file = directory / f"{name}.joblib"
    if file.exists():
        return joblib.load(file), True
    fitted = _fit(name, baseline, features)
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        joblib.dump(fitted, part)
    return fitted, False


def _fit(name: str, baseline: Baseline, features: Features) -> FittedBaseline:
    # The features are computed first, since their cost is measured separately.
    matrices = {
        view: {name: features.get(name, view) for name in baseline.feature_sets}
        for view in features.views
    }
    started = time.monotonic()
    predict, parameters = baseline.fit(matrices.pop(TRAIN_VIEW), features.labels)
    training_seconds = time.monotonic() - started
    logits, seconds = {}, {}
    for view, of_view in matrices.items():
        started = time.monotonic()
        logits[view] = np.asarray(predict(of_view), np.float32)
        seconds[view] = time.monotonic() - started
    own = Cost(training_seconds, seconds[TEST_VIEW], len(pickle.dumps(parameters)))
    return FittedBaseline(logits, {f"model {name}": own, **features.costs(baseline.feature_sets)})


def evaluate_baseline(
    name: str, fitted: FittedBaseline, views: Mapping[View, Movies]
) -> ModelResult:
    """Predict the genres of the test movies, with thresholds chosen on the eval split."""
    labels = genres(views[Split.EVAL, ALL_FIELDS])

    def predict(threshold_variant: str, variant: str) -> Predictions:
        eval_logits = fitted.logits[Split.EVAL, threshold_variant]
        return calibrate_and_predict(eval_logits, labels, fitted.logits[Split.TEST, variant])

    training, predicting, size = map(sum, zip(*fitted.costs.values(), strict=True))
    return ModelResult(
        BASELINES[name].title,
        predictions={variant: predict(variant, variant) for variant in INPUT_VARIANTS},
        predictions_with_thresholds_for_all_fields={
            variant: predict(ALL_FIELDS, variant) for variant in INPUT_VARIANTS
        },
        training_seconds=training,
        size_bytes=size,
        movies_per_second=len(views[TEST_VIEW]) / max(predicting, 1e-9),
    )


def evaluate_pipeline_model(directory: Path, views: Mapping[View, Movies]) -> ModelResult:
    """Predict the genres of the test movies with the pipeline's model, as it is served.

    Args:
        directory: Directory of the model version.
        views: Movies of each view.
    """
    model = tf.saved_model.load(str(directory))
    signature = model.signatures[SERVING_SIGNATURE]
    predictions, seconds = {}, {}
    for variant in INPUT_VARIANTS:
        predictions[variant], seconds[variant] = _predict(signature, views[Split.TEST, variant])
    file = directory / EXTRA_ASSETS / TRAINING_RECORD_FILE
    record = json.loads(file.read_text(encoding="utf-8"))
    return ModelResult(
        "**the pipeline's model**",
        predictions=predictions,
        predictions_with_thresholds_for_all_fields=predictions,
        training_seconds=record["seconds"] + record["cached_finetuning_seconds"],
        size_bytes=sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()),
        movies_per_second=len(views[TEST_VIEW]) / seconds[ALL_FIELDS],
    )


def _predict(
    signature: Callable[..., Mapping[str, tf.Tensor]], movies: Movies
) -> tuple[Predictions, float]:
    """Return the predictions and the seconds for all movies, in batches."""
    columns = tf.data.Dataset.from_tensor_slices(dict(movies[list(raw.MODEL_INPUTS)]))
    batches = list(columns.batch(SERVING_BATCH_SIZE))
    for batch in batches[:WARM_UP_BATCHES]:
        signature(**batch)
    started = time.monotonic()
    outputs = [signature(**batch) for batch in batches]
    probabilities, predicted = (
        np.concatenate([output[name].numpy() for output in outputs])
        for name in (PROBABILITIES_OUTPUT, PREDICTED_OUTPUT)
    )
    return Predictions(probabilities, predicted), time.monotonic() - started
