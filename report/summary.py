"""Strengths and weaknesses of a model as sentences, computed from its metrics."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from report import metrics
from report.content import GenreResult, Predictions, ReportVerdict, SliceMetrics
from report.formats import format_score

MAX_LISTED: Final = 3
"""Number of genres or confusions that a sentence lists."""

MIN_SLICE_MOVIES: Final = 10
"""Number of movies that a slice must have to be named as the weakest."""

NOTABLE_DIFFERENCE: Final = 0.05
"""Difference of F1, or relative difference of the number of genres, that is worth a sentence."""

WIDE_INTERVAL: Final = 0.4
"""Width of the confidence interval of F1 above which a genre has too few test movies."""


def strengths(verdict: ReportVerdict, predictions: Predictions) -> list[str]:
    """Return the strengths of the model, one sentence each."""
    present = [row for row in verdict.genres if row.support]
    sentences = []
    if best := _best_genres(present):
        genres = _join(map(_format_genre, best))
        sentences.append(f"Best genres, by the lower end of the 95% interval of F1: {genres}.")
    differences = _f1_differences(present, "simple_baseline")
    if differences:
        better = [pair for pair in differences if pair[1] > NOTABLE_DIFFERENCE]
        most = f", most of all in {_format_differences(better)}" if better else ""
        sentences.append(
            f"F1 is more than {NOTABLE_DIFFERENCE:.2f} above the simple baseline in {len(better)} "
            f"of {len(differences)} genres{most}."
        )
    total = len(predictions.labels)
    if total:
        exact = int((predictions.labels == predictions.predicted).all(axis=1).sum())
        partial = int((predictions.labels & predictions.predicted).any(axis=1).sum())
        sentences.append(
            f"All genres are correct for {exact:,} of {total:,} test movies ({exact / total:.0%}), "
            f"and at least one genre is correct for {partial:,} ({partial / total:.0%})."
        )
    return sentences


def weaknesses(
    verdict: ReportVerdict,
    predictions: Predictions,
    slices: Sequence[SliceMetrics],
    names: Sequence[str],
) -> list[str]:
    """Return the weaknesses of the model and the gaps of its evaluation, one sentence each.

    Args:
        verdict: Verdict of the gate.
        predictions: Movies of the test split with predictions.
        slices: Metrics by slice.
        names: Names of the genres, in the order of the arrays' columns.
    """
    present = [row for row in verdict.genres if row.support]
    sentences = []
    best = _best_genres(present)
    others = [row for row in present if row not in best]
    if worst := sorted(others, key=lambda row: row.interval[1])[:MAX_LISTED]:
        genres = _join(map(_format_genre, worst))
        sentences.append(f"Worst genres, by the upper end of the 95% interval of F1: {genres}.")
    for reference, field, tolerance, below in (
        ("simple baseline", "simple_baseline", 0.0, "below"),
        (
            "last blessed model",
            "last_blessed",
            NOTABLE_DIFFERENCE,
            f"more than {NOTABLE_DIFFERENCE:.2f} below",
        ),
    ):
        differences = _f1_differences(present, field)[::-1]
        lower = [(row, difference) for row, difference in differences if difference < -tolerance]
        if lower:
            listed = _format_differences(lower)
            if len(lower) > MAX_LISTED:
                listed = f"{len(lower)} of {len(differences)} genres, most of all in {listed}"
            sentences.append(f"F1 is {below} the {reference} in {listed}.")
    sentences += _frequent_confusions(predictions, names)
    sentences += _weakest_slice(slices, verdict.aggregates.get("micro_f1_score"))
    sentences += _calibration(predictions)
    uncertain = [row for row in present if row.interval[1] - row.interval[0] > WIDE_INTERVAL]
    if uncertain:
        genres = _join(f"{row.genre} ({row.support:,})" for row in uncertain)
        sentences.append(
            f"Too few test movies, so that the 95% interval of F1 is wider than {WIDE_INTERVAL}: "
            f"{genres}."
        )
    absent = [row.genre for row in verdict.genres if not row.support]
    if absent:
        sentences.append(f"Not measured, because no test movie has the genre: {_join(absent)}.")
    return sentences


def _frequent_confusions(predictions: Predictions, names: Sequence[str]) -> list[str]:
    counts = metrics.confusion_counts(predictions.labels, predictions.predicted)
    support = predictions.labels.sum(axis=0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MAX_LISTED]
    confusions = [
        f"{names[wrong]} instead of {names[missed]} ({counts[missed, wrong]:,} of "
        f"{format_movies(support[missed])})"
        for missed, wrong in zip(*np.unravel_index(order, counts.shape), strict=True)
        if counts[missed, wrong]
    ]
    return [f"Most frequent confusions: {_join(confusions)}."] if confusions else []


def _weakest_slice(slices: Sequence[SliceMetrics], overall: float | None) -> list[str]:
    large = [row for row in slices if row.movies >= MIN_SLICE_MOVIES]
    if overall is None or not large:
        return []
    weakest = min(large, key=lambda row: row.micro_f1)
    if weakest.micro_f1 > overall - NOTABLE_DIFFERENCE:
        return [
            f"No slice with at least {MIN_SLICE_MOVIES} movies has a micro-F1 that is more than "
            f"{NOTABLE_DIFFERENCE:.2f} below that of all movies."
        ]
    feature = weakest.feature.replace("_", " ")
    return [
        f"Weakest slice: {feature} {weakest.value}, with a micro-F1 of {weakest.micro_f1:.3f} on "
        f"{weakest.movies:,} movies, compared with {overall:.3f} on all movies."
    ]


def _calibration(predictions: Predictions) -> list[str]:
    if not len(predictions.labels):
        return []
    error = metrics.calibration_curve(predictions.labels, predictions.probabilities).expected_error
    predicted = predictions.probabilities.sum(axis=1).mean()
    observed = predictions.labels.sum(axis=1).mean()
    if abs(predicted / max(observed, 1e-9) - 1) <= NOTABLE_DIFFERENCE:
        tendency = "neither too high nor too low"
    else:
        tendency = "too high" if predicted > observed else "too low"
    return [
        f"The expected calibration error is {format_score(error)} for probabilities above "
        f"{metrics.MIN_CALIBRATED:.0%}. On average the probabilities are "
        f"{tendency}: they sum to {predicted:.2f} genres per movie, and the movies have "
        f"{observed:.2f}."
    ]


def _f1_differences(rows: Sequence[GenreResult], field: str) -> list[tuple[GenreResult, float]]:
    """Return genres with their F1 minus the F1 in a field, the largest difference first."""
    pairs = [(row, row.f1 - getattr(row, field)) for row in rows if getattr(row, field) is not None]
    return sorted(pairs, key=lambda pair: -pair[1])


def _best_genres(present: Sequence[GenreResult]) -> list[GenreResult]:
    """Return the genres that are named as the best, at most half of all, so that others remain."""
    best = sorted(present, key=lambda row: -row.interval[0])
    return best[: min(MAX_LISTED, (len(best) + 1) // 2)]


def format_movies(count: int) -> str:
    """Return a number of movies in words: `1 movie` or `1,200 movies`."""
    return f"{count:,} {'movie' if count == 1 else 'movies'}"


def _format_genre(row: GenreResult) -> str:
    low, high = row.interval
    return f"{row.genre} (F1 {row.f1:.2f}, {low:.2f} to {high:.2f}, {format_movies(row.support)})"


def _format_differences(differences: Sequence[tuple[GenreResult, float]]) -> str:
    """Format the first genres with their differences."""
    return _join(f"{row.genre} ({difference:+.2f})" for row, difference in differences[:MAX_LISTED])


def _join(parts: Iterable[str]) -> str:
    """Join parts as in a sentence: `a, b and c`."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
