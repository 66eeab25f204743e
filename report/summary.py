"""Strengths and weaknesses of a model in sentences, each computed from numbers."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from report import metrics
from report.facts import Genre, Movies, Slice, Verdict

FEW: Final = 3
"""Number of genres or confusions that a sentence names."""

LEAST_MOVIES: Final = 10
"""Number of movies that a slice must have to be called weak."""

NOTABLE: Final = 0.05
"""A difference in F1 or in a share of movies that is worth a sentence."""


def strengths(verdict: Verdict, movies: Movies) -> list[str]:
    """What the model is good at, one sentence each."""
    present = [row for row in verdict.genres if row.support]
    sentences = []
    if present:
        best = sorted(present, key=lambda row: -row.interval[0])[:FEW]
        figures = _listing(map(_figure, best))
        sentences.append(f"Surest genres, by the lower end of the interval: {figures}.")
    gains = _differences(present, "simple_baseline")
    if gains:
        better = sum(gain > NOTABLE for _, gain in gains)
        most = f", most of all in {_named(gains)}" if better else ""
        sentences.append(
            f"Better than the simple baseline by more than {NOTABLE:.2f} in {better} of "
            f"{len(gains)} genres{most}."
        )
    total = len(movies.labels)
    if total:
        exact = int((movies.labels == movies.predicted).all(axis=1).sum())
        touched = int((movies.labels & movies.predicted).any(axis=1).sum())
        sentences.append(
            f"All genres right for {exact:,} of {total:,} test movies ({exact / total:.0%}), at "
            f"least one right for {touched:,} ({touched / total:.0%})."
        )
    return sentences


def weaknesses(
    verdict: Verdict, movies: Movies, slices: Sequence[Slice], names: Sequence[str]
) -> list[str]:
    """What the model is bad at, and what cannot be said, one sentence each.

    Args:
        verdict: the verdict of the gate.
        movies: the test split.
        slices: slices of the test split.
        names: names of the genres, in the order of the arrays' columns.
    """
    present = [row for row in verdict.genres if row.support]
    sentences = []
    if present:
        worst = sorted(present, key=lambda row: row.interval[1])[:FEW]
        figures = _listing(map(_figure, worst))
        sentences.append(f"Weakest genres, by the upper end of the interval: {figures}.")
    for rival, field, least in (
        ("simple baseline", "simple_baseline", 0.0),
        ("last blessed model", "last_blessed", NOTABLE),
    ):
        lost = [pair for pair in reversed(_differences(present, field)) if pair[1] < -least]
        if lost:
            sentences.append(f"Below the {rival} in {_named(lost)}.")
    sentences += _confusions(movies, names)
    sentences += _slices(slices, verdict.aggregates.get("micro_f1_score"))
    sentences += _trust(movies)
    unsure = [row for row in present if row.interval[1] - row.interval[0] > 0.4]
    if unsure:
        few = _listing(f"{row.genre} ({row.support:,})" for row in unsure)
        sentences.append(
            f"Too few test movies to say much of {few}: each interval is wider than 0.4."
        )
    absent = [row.genre for row in verdict.genres if not row.support]
    if absent:
        sentences.append(f"Not measured, since no test movie has it: {_listing(absent)}.")
    return sentences


def _confusions(movies: Movies, names: Sequence[str]) -> list[str]:
    counts = metrics.confusion(movies.labels, movies.predicted)
    support = movies.labels.sum(axis=0)
    order = np.argsort(-counts, axis=None, kind="stable")[:FEW]
    pairs = [
        f"{names[given]} in place of {names[missed]} ({counts[missed, given]} of "
        f"{support[missed]} movies)"
        for missed, given in zip(*np.unravel_index(order, counts.shape), strict=True)
        if counts[missed, given]
    ]
    return [f"Most often confused: {_listing(pairs)}."] if pairs else []


def _slices(slices: Sequence[Slice], overall: float | None) -> list[str]:
    large = [one for one in slices if one.movies >= LEAST_MOVIES]
    if overall is None or not large:
        return []
    worst = min(large, key=lambda one: one.micro_f1)
    if worst.micro_f1 > overall - NOTABLE:
        return [f"No slice of {LEAST_MOVIES} movies or more is {NOTABLE:.2f} below the whole."]
    kind = worst.kind.replace("_", " ")
    return [
        f"Weakest slice: {kind} {worst.name}, micro-F1 {worst.micro_f1:.3f} on {worst.movies:,} "
        f"movies, {overall:.3f} on all."
    ]


def _trust(movies: Movies) -> list[str]:
    if not len(movies.labels):
        return []
    error = metrics.calibration(movies.labels, movies.probabilities).error
    said, true = movies.probabilities.sum(axis=1).mean(), movies.labels.sum(axis=1).mean()
    if abs(said / max(true, 1e-9) - 1) <= NOTABLE:
        tendency = "about as many genres as movies have"
    else:
        tendency = "too many genres" if said > true else "too few genres"
    return [
        f"Its probabilities are off by {error:.3f} on average (expected calibration error), and "
        f"promise {tendency}: {said:.2f} a movie, where movies have {true:.2f}."
    ]


def _differences(rows: Sequence[Genre], rival: str) -> list[tuple[Genre, float]]:
    """Genres and how far their F1 is above a rival's, the furthest first."""
    pairs = [(row, row.f1 - getattr(row, rival)) for row in rows if getattr(row, rival) is not None]
    return sorted(pairs, key=lambda pair: -pair[1])


def _figure(row: Genre) -> str:
    low, high = row.interval
    movies = "movie" if row.support == 1 else "movies"
    return f"{row.genre} (F1 {row.f1:.2f}, {low:.2f} to {high:.2f}, {row.support:,} {movies})"


def _named(differences: Sequence[tuple[Genre, float]]) -> str:
    """The first genres with their differences."""
    return _listing(f"{row.genre} ({difference:+.2f})" for row, difference in differences[:FEW])


def _listing(parts: Iterable[str]) -> str:
    """Parts as people list them: `a, b and c`."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
