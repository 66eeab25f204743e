"""Figures behind the charts: counts, intervals and curves of multi-label decisions.

All arrays that are called labels or decided are bool [films, genres], probabilities are float of
the same shape.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Z: Final = 1.959964
"""Of the normal distribution, for intervals of 95%."""

THRESHOLDS: Final = np.linspace(0.01, 0.99, 99)
"""Where threshold curves are computed."""

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
    """How often films have a genre, beside how often the model says so.

    Attributes:
        predicted: mean probability of each bin, rising; [bins].
        observed: share of the bin's films that have the genre.
        low: lower end of the share's 95% interval (Wilson's).
        high: upper end.
        films: in the bin.
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    films: Counts

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by films."""
        total = self.films.sum()
        if not total:
            return 0.0
        return float((np.abs(self.predicted - self.observed) * self.films).sum() / total)


def wilson(hits: npt.ArrayLike, total: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's 95% interval of a share.

    Args:
        hits: of the total.
        total: number of trials; where it is 0 the interval is all of 0 to 1.

    Returns:
        Lower and upper ends, float64 of the arguments' shape.
    """
    count = np.asarray(total, np.float64)
    share = _ratio(np.asarray(hits, np.float64), count)
    denominator = 1 + _ratio(np.full_like(count, Z**2), count)
    middle = (share + _ratio(np.full_like(count, Z**2 / 2), count)) / denominator
    spread = _ratio(np.full_like(count, Z), count) / denominator
    spread = spread * np.sqrt(count * share * (1 - share) + Z**2 / 4)
    low = np.where(count > 0, np.clip(middle - spread, 0.0, 1.0), 0.0)
    high = np.where(count > 0, np.clip(middle + spread, 0.0, 1.0), 1.0)
    return low, high


def f1_interval(
    hits: npt.ArrayLike, given: npt.ArrayLike, decided: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """A 95% interval of F1 that also holds where films are few.

    F1 is 2J / (1 + J) for the Jaccard index J, and J is a share: of the films that have the genre
    or were given it, those that are both. So its ends are those of Wilson's interval of J. (A
    bootstrap says that three right of three are sure to be right for ever.)

    Args:
        hits: films that have the genre and were given it.
        given: films that have it.
        decided: films that were given it.

    Returns:
        Lower and upper ends, float64 of the arguments' shape.
    """
    both = np.asarray(hits)
    low, high = wilson(both, np.asarray(given) + np.asarray(decided) - both)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def f1(labels: Labels, decided: Labels) -> Floats:
    """F1 of each genre, float64 [genres]; 0 where neither films nor decisions have it."""
    hits = (labels & decided).sum(axis=0)
    return _ratio(2.0 * hits, (labels.sum(axis=0) + decided.sum(axis=0)).astype(np.float64))


def threshold_curve(labels: npt.NDArray[np.bool_], probabilities: Floats) -> Curve:
    """What one genre's precision, recall and F1 would be at other thresholds; both [films]."""
    decided = probabilities[:, np.newaxis] >= THRESHOLDS
    hits = (decided & labels[:, np.newaxis]).sum(axis=0).astype(np.float64)
    positives, chosen = float(labels.sum()), decided.sum(axis=0).astype(np.float64)
    return Curve(
        precision=_ratio(hits, chosen),
        recall=_ratio(hits, np.full_like(hits, positives)),
        f1=_ratio(2 * hits, chosen + positives),
    )


def thresholds_used(probabilities: Floats, scores: Floats) -> Floats:
    """The median threshold that each genre was decided at, float64 [genres].

    Thresholds depend on what is known of a film. A decision score is the distance from probability
    to threshold in log-odds, put through the logistic function, so both together tell it.

    Args:
        probabilities: float [films, genres].
        scores: above one half where the genre is decided; float [films, genres].
    """
    logits = _logit(probabilities) - _logit(scores)
    return np.median(1 / (1 + np.exp(-logits)), axis=0)


def calibration(labels: npt.NDArray[np.bool_], probabilities: Floats) -> Calibration:
    """Calibration in bins of about equally many films; arguments of one shape, taken flat."""
    order = np.argsort(probabilities, axis=None, kind="stable")
    ranked, truth = probabilities.ravel()[order].astype(np.float64), labels.ravel()[order]
    parts = [part for part in np.array_split(np.arange(len(ranked)), CALIBRATION_BINS) if len(part)]
    films = np.array([len(part) for part in parts], np.int64)
    hits = np.array([truth[part].sum() for part in parts], np.int64)
    low, high = wilson(hits, films)
    return Calibration(
        predicted=np.array([ranked[part].mean() for part in parts], np.float64),
        observed=_ratio(hits.astype(np.float64), films.astype(np.float64)),
        low=low,
        high=high,
        films=films,
    )


def confusion(labels: Labels, decided: Labels) -> Counts:
    """Films that lack one genre and were given another in its place.

    Returns:
        int64 [genres, genres]: by the genre that was missed, and the one given without reason.
    """
    missed, wrong = labels & ~decided, decided & ~labels
    return missed.astype(np.int64).T @ wrong.astype(np.int64)


def together(labels: Labels) -> Counts:
    """Films that have two genres, int64 [genres, genres]; films of one genre on the diagonal."""
    whole = labels.astype(np.int64)
    return whole.T @ whole


def shares(counts: Counts, totals: Counts) -> Floats:
    """Rows of counts as shares of each row's total, float64; 0 where the total is 0.

    Args:
        counts: int64 [genres, genres].
        totals: int64 [genres].
    """
    whole = np.broadcast_to(totals[:, np.newaxis], counts.shape).astype(np.float64)
    return _ratio(counts.astype(np.float64), whole)


def log_losses(labels: Labels, probabilities: Floats) -> Floats:
    """Mean log loss of each film over the genres, float64 [films]."""
    logits = _logit(probabilities)
    return (np.logaddexp(0, logits) - labels * logits).mean(axis=1)


def film_f1(labels: Labels, decided: Labels) -> Floats:
    """F1 of each film's own genres, float64 [films]."""
    return f1(labels.T, decided.T)


def _logit(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped) - np.log1p(-clipped)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; 0.0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
