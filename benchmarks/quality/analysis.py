"""Where the model is strong and weak, read from its predictions on the test split."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.quality import leakage
from benchmarks.quality.dataset import SEED, Movies, genres
from benchmarks.quality.report import MODEL, SHORT_TITLES, short
from benchmarks.quality.scores import Predictions, scores
from benchmarks.tables import table
from ingest.split_key import MAX_SHINGLE_MOVIES, SHINGLE_WORDS
from report.metrics import Floats, Labels, confusion, ratio
from schema import features as raw
from schema.genres import GENRES

MOST: Final = 15
"""Rows of the tables of confusions and of doubts."""
LEAST_MOVIES: Final = 30
"""Movies that a slice must have to be shown."""

RANDOM_PAIRS: Final = 10_000

FOREIGN_ARTICLE: Final = re.compile(
    r"(?:les?|la|une?|el|los|las|il|lo|gli|der|die|das|ein|eine|den|det|het|een|os|um|uma) ",
    re.IGNORECASE,
)

Rows = list[list[str]]
"""Of a table."""


def analysis(
    splits: Mapping[str, Movies], test: Movies, predictions: Mapping[str, Predictions]
) -> str:
    """Strengths and weaknesses, in Markdown.

    Args:
        splits: Movies of each split.
        test: Movies of the test split.
        predictions: Predictions for the test movies with all fields, by name of the arm.
    """
    everything = pd.concat(splits.values(), ignore_index=True)
    listed = genres(everything).sum(axis=1)
    probabilities, decided = predictions[MODEL]
    doubtful = ["movie", "title", "listed", "in doubt", "probability"]
    shared = {
        f"a stretch of {SHINGLE_WORDS} words of the plot in common": leakage.windows(everything),
        "the same title stem": leakage.stems(everything),
    }
    return "\n\n".join(
        [
            "### Genres that are confused",
            table(
                ["missed", "given in its place", "movies", "share of the missed genre"],
                confusions(genres(test), decided, MOST),
                texts=2,
            ),
            "### Slices",
            _slice_table(test, predictions),
            "### Doubtful labels",
            "Not listed, and the model is sure of them:",
            table(doubtful, doubts(test, probabilities, False, MOST), texts=4),
            "Listed, and the model is sure of the contrary:",
            table(doubtful, doubts(test, probabilities, True, MOST), texts=4),
            "### How far labels can be trusted",
            f"Of {len(listed):,} movies, {(listed == 1).mean():.0%} have one genre, "
            f"{(listed == 2).mean():.0%} two and {(listed >= 3).mean():.0%} three or more. "
            "Agreement of the genres of two movies (mean Jaccard index):",
            table(
                ["pairs of movies with", "pairs", "agreement", "two movies at random"],
                [[name, *agreement(everything, values)] for name, values in shared.items()],
            ),
        ]
    )


def confusions(given: Labels, decided: Labels, count: int) -> Rows:
    """The pairs of genres that most movies confuse: missed, given in its place, movies, share."""
    both, support = confusion(given, decided), given.sum(axis=0)
    order = np.argsort(-both, axis=None, kind="stable")[:count]
    return [
        [GENRES[g], GENRES[h], str(both[g, h]), f"{both[g, h] / support[g]:.0%}"]
        for g, h in zip(*np.unravel_index(order, both.shape), strict=True)
        if both[g, h]
    ]


def doubts(movies: Movies, probabilities: Floats, listed: bool, count: int) -> Rows:
    """The labels of which the model is surest that they are wrong; a movie counts once.

    Args:
        movies: with their labels.
        probabilities: float [movies, 22].
        listed: whether labels that are there are doubted, or such as are not.
        count: how many rows: movie, title, listed genres, the one in doubt, and its probability.
    """
    wrong = np.where(listed, 1 - probabilities, probabilities)
    wrong = np.where(genres(movies) == listed, wrong, -1.0)
    genre = wrong.argmax(axis=1)
    rows = np.argsort(-wrong.max(axis=1), kind="stable")[:count]
    return [
        [
            movies[raw.TCONST][row],
            movies[raw.TITLE][row].replace("|", "/"),
            movies[raw.GENRES_FIELD][row].replace(raw.LIST_SEPARATOR, ", "),
            GENRES[genre[row]],
            f"{probabilities[row, genre[row]]:.3f}",
        ]
        for row in rows
    ]


def _slice_table(movies: Movies, predictions: Mapping[str, Predictions]) -> str:
    columns = [(arm, score) for arm in predictions for score in ("micro-F1", "mAP")]
    labels = genres(movies)
    rows: Rows = []
    kind_before = ""
    for kind, name, chosen in slices(movies):
        if kind != kind_before:
            rows.append([f"**{kind}**", *[""] * (len(columns) + 2)])
            kind_before = kind
        of_arms = {
            arm: scores(labels[chosen], Predictions(one.probabilities[chosen], one.decided[chosen]))
            for arm, one in predictions.items()
        }
        listed = labels[chosen].sum(axis=1).mean()
        values = [short(of_arms[arm][score]) for arm, score in columns]
        rows.append([name, f"{chosen.sum():,}", f"{listed:.1f}", *values])
    names = [f"{SHORT_TITLES[arm]}: {score.removesuffix('-F1')}" for arm, score in columns]
    return table(["slice", "movies", "genres a movie", *names], rows)


def slices(movies: Movies) -> list[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Kind and name of slices with enough movies, and which they are, bool [movies]."""
    return [one for one in _slices(movies) if one[2].sum() >= LEAST_MOVIES]


def _slices(movies: Movies) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    year, votes = movies[raw.YEAR], movies[raw.VOTES]
    yield "decade", "before 1920", (year >= 1890) & (year < 1920)
    for start in range(1920, 2030, 10):
        yield "decade", f"{start}s", (year >= start) & (year < start + 10)
    length = np.array([len(plot.split()) for plot in movies[raw.PLOT]])
    yield from _ranges("words of the plot", length, (0, 15, 30, 60, 120))
    language = np.array([title_language(title) for title in movies[raw.TITLE]])
    for name in sorted(set(language)):
        yield "title", name, language == name
    yield "votes", "none", ~np.isfinite(votes)
    yield from _ranges("votes", votes, (1, 100, 1000, 10_000, 100_000))
    listed = genres(movies).sum(axis=1)
    yield "genres listed", "1", listed == 1
    yield "genres listed", "2", listed == 2
    yield "genres listed", "3 and more", listed >= 3
    for field in (raw.RUNTIME, raw.RATING, *raw.PEOPLE):
        values = movies[field]
        yield "not known", field, values == "" if field in raw.PEOPLE else np.isnan(values)


def _ranges(
    kind: str, values: npt.NDArray[np.number], starts: Sequence[int]
) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    for start, end in itertools.pairwise(starts):
        yield kind, f"{start:,} to {end - 1:,}", (values >= start) & (values < end)
    yield kind, f"{starts[-1]:,} and more", values >= starts[-1]


def title_language(title: str) -> str:
    """A guess, from the letters and the first word alone: most foreign titles look English too."""
    if not title.isascii():
        return "with letters beyond ASCII"
    return "with a foreign article first" if FOREIGN_ARTICLE.match(title) else "all others"


def agreement(movies: Movies, shared: Iterable[set[str]]) -> list[str]:
    """How far the labels of movies agree that share a value, of which each movie has a set.

    Returns:
        The number of pairs, the mean Jaccard index of the genres of each, and the same for movies
        paired at random.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for row, values in enumerate(shared):
        for value in values:
            groups[value].append(row)
    # Neighbours in a group alone: a large group does not outweigh the others by its square.
    few = (rows for rows in groups.values() if len(rows) <= MAX_SHINGLE_MOVIES)
    pairs = sorted({pair for rows in few for pair in itertools.pairwise(rows)})
    random = np.random.default_rng(SEED).integers(0, len(movies), (RANDOM_PAIRS, 2))
    return [f"{len(pairs):,}", *(short(_jaccard(genres(movies), one)) for one in (pairs, random))]


def _jaccard(labels: Labels, pairs: npt.ArrayLike) -> float:
    """Mean index of the labels of pairs of rows; NaN without pairs."""
    one, other = labels[np.array(pairs, int).reshape(-1, 2).T]
    indices = ratio((one & other).sum(axis=1), (one | other).sum(axis=1))
    return float(indices.mean()) if len(indices) else float("nan")
