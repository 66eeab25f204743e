"""Scores of multi-label predictions and their bootstrap intervals."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    label_ranking_average_precision_score,
)

from benchmarks.quality.dataset import SEED
from components.simple_baseline.model import evaluate
from report.metrics import Floats, Labels, ratio
from trainer.ensemble import decision_rule

CALIBRATION_BINS: Final = 15
"""Number of bins of equal width of the calibration error."""

RESAMPLES: Final = 1000
CONFIDENCE_LEVEL: Final = 0.95


class Predictions(NamedTuple):
    """Predictions of a model.

    Attributes:
        probabilities: float [movies, 22]. Calibrated probabilities.
        predicted: bool [movies, 22]. Predicted genres.
    """

    probabilities: Floats
    predicted: Labels


class Interval(NamedTuple):
    """A value with the ends of its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def calibrate_and_predict(eval_logits: Floats, eval_labels: Labels, logits: Floats) -> Predictions:
    """Calibrate logits and choose thresholds in the same way as the pipeline's model.

    Args:
        eval_logits: float [eval movies, 22]. Logits for the calibration and the thresholds.
        eval_labels: bool [eval movies, 22]. Labels of the same movies.
        logits: float [movies, 22]. Logits of the movies to predict.

    Returns:
        Calibrated probabilities, and at least one predicted genre for each movie.
    """
    labels = eval_labels.astype(np.float32)
    # This is the calibration of an ensemble with one member.
    weights, intercepts = decision_rule.fit_stacking(eval_logits[:, np.newaxis], labels)

    def calibrate(values: Floats) -> Floats:
        return np.asarray(
            expit(decision_rule.stack_logits(values[:, np.newaxis], weights, intercepts))
        )

    thresholds = decision_rule.choose_thresholds(calibrate(eval_logits), labels)
    probabilities = calibrate(logits)
    return Predictions(probabilities, decision_rule.predict_genres(probabilities, thresholds))


def scores(labels: Labels, predictions: Predictions) -> dict[str, float]:
    """Return all scores by their names in tables; means are over the genres that occur."""
    probabilities, predicted = predictions
    metrics = evaluate(labels, predicted)
    present = labels.any(axis=0)
    return {
        "macro-F1": metrics["macro_f1"],
        "micro-F1": metrics["micro_f1"],
        "weighted F1": float(f1_score(labels, predicted, average="weighted", zero_division=0)),
        "samples F1": metrics["samples_f1"],
        "mAP": float(average_precision_score(labels[:, present], probabilities[:, present])),
        "LRAP": float(label_ranking_average_precision_score(labels, probabilities)),
        "subset accuracy": metrics["subset_accuracy"],
        "Hamming loss": 1 - metrics["hamming_accuracy"],
        "ECE": float(calibration_errors(labels, probabilities).mean()),
    }


def f1_by_genre(labels: Labels, predictions: Predictions) -> Floats:
    """Return the F1 of each genre, float64 [22]; 0 if it is neither a label nor predicted."""
    return np.asarray(f1_score(labels, predictions.predicted, average=None, zero_division=0))


def calibration_errors(labels: Labels, probabilities: Floats) -> Floats:
    """Return the expected calibration error of each genre, float64 [22].

    The movies are divided into bins of equal width by their probability. The error of a bin is the
    distance between its mean probability and its share of movies with the genre; the result is the
    mean over the bins, weighted by their numbers of movies.
    """
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    differences = probabilities.astype(np.float64) - labels
    sums = [np.bincount(*of_genre) for of_genre in zip(bins.T, differences.T, strict=True)]
    return np.array([np.abs(by_bin).sum() for by_bin in sums]) / len(labels)


def resampled_macro_f1(labels: Labels, predictions: Mapping[str, Predictions]) -> dict[str, Floats]:
    """Compute macro-F1 on bootstrap resamples of the movies, which are the same for all models.

    Returns:
        Dict. float64 [1 + RESAMPLES] for each model. The first value is that of the movies
        themselves. Each value is the mean over the genres that occur in the resample.
    """
    movies = len(labels)
    generator = np.random.default_rng(SEED)
    counts = generator.multinomial(movies, np.full(movies, 1 / movies), RESAMPLES)
    weights = np.vstack([np.ones((1, movies)), counts])
    support = weights @ labels
    present = support > 0
    result = {}
    for name, prediction in predictions.items():
        hits = weights @ (labels & prediction.predicted)
        f1 = ratio(2 * hits, support + weights @ prediction.predicted)
        result[name] = ratio((f1 * present).sum(axis=1), present.sum(axis=1))
    return result


def interval(resamples: Floats) -> Interval:
    """Return the interval of one result of `resampled_macro_f1`, or of a difference of two."""
    low, high = np.quantile(resamples[1:], [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2])
    return Interval(float(resamples[0]), float(low), float(high))
