"""Numbers behind the charts: counts, intervals and curves of multi-label predictions.

Arrays called `labels` and `predicted` are bool [movies, genres], and `probabilities` are float of
the same shape, unless a docstring says otherwise.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

Z: Final = 1.959964
"""Quantile of the normal distribution for intervals of 95%."""

THRESHOLDS: Final = np.linspace(0.01, 0.99, 99)
"""The thresholds of threshold curves."""

CALIBRATION_BINS: Final = 8

Labels = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 of one genre at each of `THRESHOLDS`; float64 [99] each."""

    precision: Floats
    recall: Floats
    f1: Floats


@dataclass(frozen=True)
class Calibration:
    """Predicted probabilities and observed shares, in bins of predictions; arrays [bins].

    `predicted` is the mean probability of each bin, rising; `observed` the share of its `movies`
    that have the genre, with the ends of the share's 95% interval.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    movies: Counts

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by movies."""
        total = max(int(self.movies.sum()), 1)
        return float((np.abs(self.predicted - self.observed) * self.movies).sum() / total)


def wilson(hits: npt.ArrayLike, total: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The ends of the 95% interval of the share `hits` / `total` (Wilson 1927), float64.

    The interval is 0 to 1 if `total` is 0.
    """
    successes, trials = np.asarray(hits, np.float64), np.asarray(total, np.float64)
    middle = (successes + Z**2 / 2) / (trials + Z**2)
    variance = successes * (trials - successes) / np.maximum(trials, 1.0) + Z**2 / 4
    spread = Z * np.sqrt(variance) / (trials + Z**2)
    return np.clip(middle - spread, 0.0, 1.0), np.clip(middle + spread, 0.0, 1.0)


def f1_interval(
    hits: npt.ArrayLike, support: npt.ArrayLike, predicted: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """A 95% interval of F1 that also holds if movies are few; ends, float64 of the arguments'
    shape.

    F1 is 2J / (1 + J) for the Jaccard index J, and J is a share: of the `support` movies that have
    the genre or the movies that were `predicted` to, the `hits` are both. So its ends are those of
    Wilson's interval of J. (A bootstrap over three correct predictions of three gives an interval
    of no width.)
    """
    both = np.asarray(hits)
    low, high = wilson(both, np.asarray(support) + np.asarray(predicted) - both)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def threshold_curve(labels: npt.NDArray[np.bool_], probabilities: Floats) -> Curve:
    """Precision, recall and F1 of one genre at each of `THRESHOLDS`; both arguments are
    [movies].
    """
    predicted = probabilities[:, np.newaxis] >= THRESHOLDS
    hits = (predicted & labels[:, np.newaxis]).sum(axis=0)
    support, chosen = labels.sum(), predicted.sum(axis=0)
    return Curve(ratio(hits, chosen), ratio(hits, support), ratio(2 * hits, chosen + support))


def thresholds_used(probabilities: Floats, scores: Floats) -> Floats:
    """The median over movies, the first axis, of the thresholds that were used.

    Thresholds depend on which fields of a movie are known. A decision score is the difference of
    the log-odds of probability and threshold, put through the logistic function.
    """
    thresholds = expit(log_odds(probabilities) - log_odds(scores))
    return np.asarray(np.median(thresholds, axis=0))


def calibration(labels: npt.NDArray[np.bool_], probabilities: Floats) -> Calibration:
    """Calibration in bins of about equally many movies; arguments of one shape, taken flat."""
    order = np.argsort(probabilities, axis=None, kind="stable")
    ranked, truth = probabilities.ravel()[order].astype(np.float64), labels.ravel()[order]
    parts = [part for part in np.array_split(np.arange(len(ranked)), CALIBRATION_BINS) if len(part)]
    movies = np.array([len(part) for part in parts], np.int64)
    hits = np.array([truth[part].sum() for part in parts], np.int64)
    low, high = wilson(hits, movies)
    predicted = np.array([ranked[part].mean() for part in parts], np.float64)
    return Calibration(predicted, ratio(hits, movies), low, high, movies)


def confusion(labels: Labels, predicted: Labels) -> Counts:
    """How many movies lack the prediction of one genre and have a wrong one of another.

    int64 [genres, genres], by the genre that was missed and the genre wrongly predicted.
    """
    missed, wrong = labels & ~predicted, predicted & ~labels
    return missed.astype(np.int64).T @ wrong.astype(np.int64)


def together(labels: Labels) -> Counts:
    """How many movies have both of two genres, int64 [genres, genres]."""
    whole = labels.astype(np.int64)
    return whole.T @ whole


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Mean log loss of each movie over the genres, float64 [movies]."""
    logits = log_odds(probabilities)
    return (np.logaddexp(0, logits) - labels * logits).mean(axis=1)


def movie_f1(labels: Labels, predicted: Labels) -> Floats:
    """F1 over the genres of each movie, float64 [movies]; 0 without any."""
    return ratio(2 * (labels & predicted).sum(axis=1), labels.sum(axis=1) + predicted.sum(axis=1))


def log_odds(probabilities: Floats) -> Floats:
    """Log-odds of probabilities, which are first limited to 1e-6 from 0 and 1."""
    return np.asarray(logit(np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)))


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """Divide in float64; 0.0 where the denominator is 0."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)
