"""Metrics of multi-label predictions: counts, confidence intervals and curves.

Unless a docstring says otherwise, `labels` and `predicted` are bool [movies, genres] and
`probabilities` is float [movies, genres].
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Z_95: Final = 1.959964
"""Quantile of the standard normal distribution for 95% confidence intervals."""

THRESHOLDS: Final = np.linspace(0.01, 0.99, 99)
"""Thresholds at which threshold curves are computed."""

CALIBRATION_BINS: Final = 10

MIN_CALIBRATED: Final = 0.02
"""Probability up to which predictions are left out of calibration. Most genres of most movies have
such probabilities, which would hide how wrong the others are."""

DOUBT_ABOVE: Final = 0.5
"""Probability of being wrong above which a label is doubtful."""

Labels = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ThresholdCurve:
    """Precision, recall and F1 of one genre at each of `THRESHOLDS`, float64 [thresholds]."""

    precision: Floats
    recall: Floats
    f1: Floats


@dataclass(frozen=True)
class CalibrationCurve:
    """Predicted probabilities and observed shares in bins of predictions.

    Attributes:
        predicted: float64 [bins]. Mean predicted probability, ascending.
        observed: float64 [bins]. Share of the movies that have the genre.
        low: float64 [bins]. Lower end of the share's 95% confidence interval.
        high: float64 [bins]. Upper end of the interval.
        movies: int64 [bins]. Number of movies.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    movies: Counts

    @property
    def expected_error(self) -> float:
        """Expected calibration error (ECE): mean of |predicted - observed|, weighted by movies.

        It is that of Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3, with
        bins of equal width, for the probability of one genre instead of the highest probability,
        and of the predictions above `MIN_CALIBRATED` only.
        """
        total = max(int(self.movies.sum()), 1)
        return float((np.abs(self.predicted - self.observed) * self.movies).sum() / total)


def wilson_interval(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the 95% confidence interval of a share by Wilson's method (1927).

    Args:
        successes: Numbers of successes, any shape.
        trials: Numbers of trials, same shape. The interval is 0 to 1 if there are none.

    Returns:
        Lower and upper ends, float64 of the same shape.
    """
    hits, total = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    centre = (hits + Z_95**2 / 2) / (total + Z_95**2)
    variance = hits * (total - hits) / np.maximum(total, 1.0) + Z_95**2 / 4
    margin = Z_95 * np.sqrt(variance) / (total + Z_95**2)
    return np.clip(centre - margin, 0.0, 1.0), np.clip(centre + margin, 0.0, 1.0)


def f1_interval(
    true_positives: npt.ArrayLike, support: npt.ArrayLike, predicted_positives: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Return a 95% confidence interval of F1 that is valid for small numbers of movies.

    F1 is 2J / (1 + J) for the Jaccard index J, the share of true positives among the movies that
    have the genre or for which it is predicted. The ends are those of Wilson's interval of J. A
    bootstrap would give three correct predictions of three an interval of width 0.

    Args:
        true_positives: Numbers of movies that have the genre and for which it is predicted.
        support: Numbers of movies that have the genre.
        predicted_positives: Numbers of movies for which the genre is predicted.

    Returns:
        Lower and upper ends, float64 of the arguments' shape.
    """
    hits = np.asarray(true_positives)
    low, high = wilson_interval(hits, np.asarray(support) + np.asarray(predicted_positives) - hits)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def threshold_curve(labels: Labels, probabilities: Floats) -> ThresholdCurve:
    """Compute precision, recall and F1 of one genre at each of `THRESHOLDS`.

    Args:
        labels: bool [movies]. Whether each movie has the genre.
        probabilities: float [movies]. Predicted probabilities.
    """
    predicted = probabilities[:, np.newaxis] >= THRESHOLDS
    hits = (predicted & labels[:, np.newaxis]).sum(axis=0)
    support, positives = labels.sum(), predicted.sum(axis=0)
    return ThresholdCurve(
        precision=ratio(hits, positives),
        recall=ratio(hits, support),
        f1=ratio(2 * hits, positives + support),
    )


def median_thresholds(probabilities: Floats, scores: Floats) -> Floats:
    """Return the median over the movies, the first axis, of the thresholds that the model used.

    Thresholds depend on which fields of a movie are known. They follow from the decision score, the
    logistic function of the log-odds of the probability minus the log-odds of the threshold.

    Args:
        probabilities: float [movies, ...]. Predicted probabilities.
        scores: float of the same shape. Decision scores.
    """
    thresholds = expit(log_odds(probabilities) - log_odds(scores))
    return np.asarray(np.median(thresholds, axis=0))


def calibration_curve(labels: Labels, probabilities: Floats) -> CalibrationCurve:
    """Compute calibration of the probabilities above `MIN_CALIBRATED` in bins of equal width.

    The bins divide the range from 0 to 1; a bin without predictions is left out.

    Args:
        labels: bool of any shape. Whether a movie has a genre.
        probabilities: float of the same shape. Predicted probabilities.
    """
    chosen = probabilities > MIN_CALIBRATED
    values, truth = probabilities[chosen].astype(np.float64), labels[chosen]
    bins = np.minimum((values * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    used = counts > 0
    movies = counts[used]
    hits = np.bincount(bins, truth, CALIBRATION_BINS)[used].astype(np.int64)
    predicted = np.bincount(bins, values, CALIBRATION_BINS)[used] / movies
    low, high = wilson_interval(hits, movies)
    return CalibrationCurve(predicted, ratio(hits, movies), low, high, movies)


def confusion_counts(labels: Labels, predicted: Labels) -> Counts:
    """Count the movies for which one genre was missed and another was wrongly predicted.

    Returns:
        int64 [missed genre, wrongly predicted genre].
    """
    missed, wrong = labels & ~predicted, predicted & ~labels
    return missed.astype(np.int64).T @ wrong.astype(np.int64)


def co_occurrence_counts(labels: Labels) -> Counts:
    """Count the movies that have both of two genres, int64 [genres, genres]."""
    integers = labels.astype(np.int64)
    return integers.T @ integers


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Return the mean log loss of each movie over the genres, float64 [movies]."""
    logits = log_odds(probabilities)
    return (np.logaddexp(0, logits) - labels * logits).mean(axis=1)


def movie_f1(labels: Labels, predicted: Labels) -> Floats:
    """Return the F1 of each movie over the genres, float64 [movies]; 0 without any genre."""
    return ratio(2 * (labels & predicted).sum(axis=1), labels.sum(axis=1) + predicted.sum(axis=1))


def label_doubts(labels: Labels, probabilities: Floats) -> Floats:
    """Return the probability, by the model, that each label is wrong; float, shaped as `labels`."""
    return np.where(labels, 1 - probabilities, probabilities)


def log_odds(probabilities: Floats) -> Floats:
    """Return the log-odds of probabilities, which are limited to 1e-6 from 0 and 1."""
    return np.asarray(logit(np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)))


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """Divide as float64. The result is 0 where the denominator is 0."""
    dividend, divisor = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.divide(dividend, divisor, out=np.zeros_like(dividend), where=divisor != 0)
