"""Scores of multi-label predictions, and how sure they are."""

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

BINS: Final = 15
"""Of equal width, for the calibration error."""

RESAMPLES: Final = 1000
LEVEL: Final = 0.95


class Predictions(NamedTuple):
    """What an arm says of some movies: float [movies, 22], and bool of the same shape."""

    probabilities: Floats
    decided: Labels


class Interval(NamedTuple):
    """A number with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def decide(tuning: Floats, tuning_labels: Labels, logits: Floats) -> Predictions:
    """Calibrate and decide as the pipeline's model does it.

    Args:
        tuning: logits of movies whose genres are known, float [N, 22].
        tuning_labels: their genres, bool [N, 22].
        logits: of the movies to decide, float [movies, 22].

    Returns:
        Calibrated probabilities, and at least one genre for each movie.
    """
    given = tuning_labels.astype(np.float32)
    # The calibration of an ensemble with a single member.
    weights, intercepts = decision_rule.fit_stacking(tuning[:, np.newaxis], given)

    def calibrated(values: Floats) -> Floats:
        return np.asarray(
            expit(decision_rule.stack_logits(values[:, np.newaxis], weights, intercepts))
        )

    thresholds = decision_rule.choose_thresholds(calibrated(tuning), given)
    probabilities = calibrated(logits)
    return Predictions(probabilities, decision_rule.predict_genres(probabilities, thresholds))


def scores(given: Labels, predictions: Predictions) -> dict[str, float]:
    """All summary scores by their names in the tables; means over the genres that a movie has."""
    probabilities, decided = predictions
    counted = evaluate(given, decided)
    present = given.any(axis=0)
    return {
        "macro-F1": counted["macro_f1"],
        "micro-F1": counted["micro_f1"],
        "weighted F1": float(f1_score(given, decided, average="weighted", zero_division=0)),
        "samples F1": counted["samples_f1"],
        "mAP": float(average_precision_score(given[:, present], probabilities[:, present])),
        "LRAP": float(label_ranking_average_precision_score(given, probabilities)),
        "subset accuracy": counted["subset_accuracy"],
        "Hamming loss": 1 - counted["hamming_accuracy"],
        "ECE": float(calibration_errors(given, probabilities).mean()),
    }


def by_genre(given: Labels, predictions: Predictions) -> Floats:
    """F1 of each genre, float64 [22]; 0 where no movie has or gets it."""
    return np.asarray(f1_score(given, predictions.decided, average=None, zero_division=0))


def calibration_errors(given: Labels, probabilities: Floats) -> Floats:
    """Expected calibration error of each genre, float64 [22].

    The movies are put into bins of equal width by their probability; the error is the mean over the
    movies of the distance between their bin's mean probability and its share of movies that have
    the genre.
    """
    place = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    away = probabilities.astype(np.float64) - given
    sums = [np.bincount(*of_genre) for of_genre in zip(place.T, away.T, strict=True)]
    return np.array([np.abs(one).sum() for one in sums]) / len(given)


def resampled_macro_f1(given: Labels, predictions: Mapping[str, Predictions]) -> dict[str, Floats]:
    """Macro-F1 on the movies and on resamples of them, the same resamples for all arms.

    Returns:
        For each arm float64 [1 + RESAMPLES]; the first is that of the movies themselves. The mean
        of each goes over the genres that one of its movies has.
    """
    movies = len(given)
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(movies, np.full(movies, 1 / movies), RESAMPLES)
    weights = np.vstack([np.ones((1, movies)), drawn])
    support = weights @ given
    present = support > 0
    result = {}
    for name, prediction in predictions.items():
        hits = weights @ (given & prediction.decided)
        f1 = ratio(2 * hits, support + weights @ prediction.decided)
        result[name] = ratio((f1 * present).sum(axis=1), present.sum(axis=1))
    return result


def interval(resamples: Floats) -> Interval:
    """The interval of what `resampled_macro_f1` gives for an arm, or of a difference of two."""
    low, high = np.quantile(resamples[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(resamples[0]), float(low), float(high))
