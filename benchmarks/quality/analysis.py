"""Analysis of the model's predictions on the test split by genre, slice and label."""

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
from benchmarks.quality.report import MODEL, SHORT_TITLES, format_score
from benchmarks.quality.scores import Predictions, scores
from benchmarks.tables import table
from ingest.split_key import MAX_SHINGLE_MOVIES, SHINGLE_WORDS
from report.metrics import Floats, Labels, confusion_counts, ratio
from schema import features as raw
from schema.genres import GENRES

MAX_ROWS: Final = 15
"""Largest number of rows in the tables of confusions and of doubtful labels."""

MIN_SLICE_MOVIES: Final = 30
"""Smallest number of movies of a slice that is shown."""

RANDOM_PAIRS: Final = 10_000
"""Number of random pairs of movies with which the agreement is compared."""

_FOREIGN_ARTICLE: Final = re.compile(
    r"(?:les?|la|une?|el|los|las|il|lo|gli|der|die|das|ein|eine|den|det|het|een|os|um|uma) ",
    re.IGNORECASE,
)

TableRows = list[list[str]]
"""Cells of the rows of a table."""


def analysis(
    splits: Mapping[str, Movies], test: Movies, predictions: Mapping[str, Predictions]
) -> str:
    """Return the analysis in Markdown.

    Args:
        splits: Movies of each split.
        test: Movies of the test split.
        predictions: Predictions for the test movies with all fields, by name of the model.
    """
    all_movies = pd.concat(splits.values(), ignore_index=True)
    genre_counts = genres(all_movies).sum(axis=1)
    probabilities, predicted = predictions[MODEL]
    head = ["movie", "title", "listed genres", "doubtful genre", "probability"]
    shared = {
        f"a common sequence of {SHINGLE_WORDS} words in the plot": leakage.shingles(all_movies),
        "the same title stem": leakage.stems(all_movies),
    }
    return "\n\n".join(
        [
            "### Genres that are confused",
            table(
                ["missed genre", "predicted instead", "movies", "share of the missed genre"],
                confusion_rows(genres(test), predicted, MAX_ROWS),
                text_columns=2,
            ),
            "### Slices",
            _slice_table(test, predictions),
            "### Doubtful labels",
            "Genres that are not listed, with the highest probabilities:",
            table(head, doubtful_label_rows(test, probabilities, False, MAX_ROWS), text_columns=4),
            "Listed genres with the lowest probabilities:",
            table(head, doubtful_label_rows(test, probabilities, True, MAX_ROWS), text_columns=4),
            "### Reliability of the labels",
            f"Of {len(genre_counts):,} movies, {(genre_counts == 1).mean():.0%} have one genre, "
            f"{(genre_counts == 2).mean():.0%} two and {(genre_counts >= 3).mean():.0%} three or "
            "more. "
            "Agreement of the genres of two movies (mean Jaccard index):",
            table(
                ["pairs of movies with", "pairs", "agreement", "agreement of random pairs"],
                [[name, *agreement(all_movies, values)] for name, values in shared.items()],
            ),
        ]
    )


def confusion_rows(labels: Labels, predicted: Labels, count: int) -> TableRows:
    """Return the most frequent pairs of a missed genre and a genre predicted instead.

    Returns:
        List of at most `count` rows: missed genre, predicted genre, number of movies, and its share
        of the movies of the missed genre.
    """
    counts, support = confusion_counts(labels, predicted), labels.sum(axis=0)
    order = np.argsort(-counts, axis=None, kind="stable")[:count]
    return [
        [
            GENRES[missed],
            GENRES[instead],
            str(counts[missed, instead]),
            f"{counts[missed, instead] / support[missed]:.0%}",
        ]
        for missed, instead in zip(*np.unravel_index(order, counts.shape), strict=True)
        if counts[missed, instead]
    ]


def doubtful_label_rows(
    movies: Movies, probabilities: Floats, listed: bool, count: int
) -> TableRows:
    """Return the labels that contradict the model's probabilities most, at most one per movie.

    Args:
        movies: Movies with their labels.
        probabilities: float [movies, 22]. Probabilities of the model.
        listed: Whether to return listed genres with low probabilities (True) or unlisted genres
            with high probabilities (False).
        count: Int. Number of rows.

    Returns:
        List of rows: tconst, title, listed genres, doubtful genre and its probability.
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
    columns = [(model, score) for model in predictions for score in ("micro-F1", "mAP")]
    labels = genres(movies)
    rows: TableRows = []
    previous_kind = ""
    for kind, name, selected in slices(movies):
        if kind != previous_kind:
            rows.append([f"**{kind}**", *[""] * (len(columns) + 2)])
            previous_kind = kind
        by_model = {
            model: scores(
                labels[selected], Predictions(probabilities[selected], predicted[selected])
            )
            for model, (probabilities, predicted) in predictions.items()
        }
        genres_per_movie = labels[selected].sum(axis=1).mean()
        values = [format_score(by_model[model][score]) for model, score in columns]
        rows.append([name, f"{selected.sum():,}", f"{genres_per_movie:.1f}", *values])
    names = [f"{SHORT_TITLES[model]}: {score}" for model, score in columns]
    return table(["slice", "movies", "genres per movie", *names], rows)


def slices(movies: Movies) -> list[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Return the slices with enough movies: kind, name and a mask of the movies, bool [movies]."""
    return [
        (kind, name, selected)
        for kind, name, selected in _slices(movies)
        if selected.sum() >= MIN_SLICE_MOVIES
    ]


def _slices(movies: Movies) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    year, votes = movies[raw.YEAR], movies[raw.VOTES]
    yield "decade", "before 1920", (year >= 1890) & (year < 1920)
    for start in range(1920, 2030, 10):
        yield "decade", f"{start}s", (year >= start) & (year < start + 10)
    length = np.array([len(plot.split()) for plot in movies[raw.PLOT]])
    yield from _ranges("plot words", length, (0, 15, 30, 60, 120))
    language = np.array([title_language(title) for title in movies[raw.TITLE]])
    for name in sorted(set(language)):
        yield "title", name, language == name
    yield "votes", "none", ~np.isfinite(votes)
    yield from _ranges("votes", votes, (1, 100, 1000, 10_000, 100_000))
    genre_counts = genres(movies).sum(axis=1)
    yield "listed genres", "1", genre_counts == 1
    yield "listed genres", "2", genre_counts == 2
    yield "listed genres", "3 and more", genre_counts >= 3
    for field in (raw.RUNTIME, raw.RATING, *raw.PEOPLE):
        values = movies[field]
        yield "missing field", field, values == "" if field in raw.PEOPLE else np.isnan(values)


def _ranges(
    kind: str, values: npt.NDArray[np.number], starts: Sequence[int]
) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    for start, end in itertools.pairwise(starts):
        yield kind, f"{start:,} to {end - 1:,}", (values >= start) & (values < end)
    yield kind, f"{starts[-1]:,} and more", values >= starts[-1]


def title_language(title: str) -> str:
    """Guess the kind of a title from its letters and its first word."""
    if not title.isascii():
        return "with non-ASCII letters"
    return "beginning with a foreign article" if _FOREIGN_ARTICLE.match(title) else "all others"


def agreement(movies: Movies, shared: Iterable[set[str]]) -> list[str]:
    """Measure how well the labels of movies with a common value agree.

    Args:
        movies: Movies with their labels.
        shared: Set of values of each movie, such as its title stem.

    Returns:
        List of strings: number of pairs with a common value, mean Jaccard index of their genres,
        and that of random pairs.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for row, values in enumerate(shared):
        for value in values:
            groups[value].append(row)
    # Only neighbours in a group are paired, so that the weight of a group grows linearly.
    small = (rows for rows in groups.values() if len(rows) <= MAX_SHINGLE_MOVIES)
    pairs = sorted({pair for rows in small for pair in itertools.pairwise(rows)})
    random = np.random.default_rng(SEED).integers(0, len(movies), (RANDOM_PAIRS, 2))
    return [
        f"{len(pairs):,}",
        *(format_score(_jaccard(genres(movies), rows)) for rows in (pairs, random)),
    ]


def _jaccard(labels: Labels, pairs: npt.ArrayLike) -> float:
    """Return the mean Jaccard index of pairs of rows; NaN if there are none."""
    first, second = labels[np.array(pairs, int).reshape(-1, 2).T]
    indices = ratio((first & second).sum(axis=1), (first | second).sum(axis=1))
    return float(indices.mean()) if len(indices) else float("nan")
