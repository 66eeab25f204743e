"""Which movies of the test split the report shows, and which of their words and fields decided."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from report import metrics
from report.facts import Effect, Example, Movies, ShownMovie
from report.metrics import Floats, log_odds
from schema import features as raw
from schema.genres import GENRES

EXAMPLES: Final = 3
"""Number of movies shown with a good prediction, and as many with a bad one."""

DOUBTS: Final = 10
"""Number of doubtful labels of each kind that are listed."""

MOST_WORDS: Final = 80
"""Number of different words of a text that are left out, counted from its beginning."""

Movie = Mapping[str, str | float | None]
"""A movie by the names of `schema.features.MODEL_INPUTS`. None, empty text, NaN and numbers that
are not positive are unknown."""

Ask = Callable[[Sequence[Movie]], Floats]
"""The model, from movies to probabilities, float [movies, genres]."""

_WORD: Final = re.compile(r"\w+(?:['’]\w+)*")


def examples(movies: Movies, columns: Mapping[str, npt.NDArray[Any]], ask: Ask) -> list[Example]:
    """The movies that the model did best and worst on, each with what decided.

    `columns` are arrays [movies] of raw values by the names of `schema.features.MODEL_INPUTS`;
    `ask` is the model.
    """
    best, worst = best_and_worst(movies, EXAMPLES)
    found = []
    for row in (*best, *worst):
        good = row in best
        genre = explained_genre(movies, row, good=good)
        movie = {
            name: float(columns[name][row]) if name in raw.NUMBERS else str(columns[name][row])
            for name in raw.MODEL_INPUTS
        }
        found.append(
            Example(
                tconst=movies.tconst[row],
                title=movies.title[row],
                listed=_names(movies.labels[row]),
                predicted=_names(movies.predicted[row]),
                genre=GENRES[genre],
                probability=float(movies.probabilities[row, genre]),
                good=good,
                effects=tuple(effects(ask, movie, genre)),
            )
        )
    return found


def best_and_worst(movies: Movies, count: int) -> tuple[list[int], list[int]]:
    """Rows of movies with the best and the worst predictions.

    Best are movies whose genres are all correct: those of several genres first, then those with the
    lowest log loss. Worst are those with the lowest F1, then those with the highest log loss. At
    most `count` of each are returned.
    """
    losses = metrics.log_losses(movies.labels, movies.probabilities)
    f1 = metrics.movie_f1(movies.labels, movies.predicted)
    several = movies.labels.sum(axis=1) > 1
    best = [int(row) for row in np.lexsort((losses, ~several)) if f1[row] == 1.0]
    worst = [int(row) for row in np.lexsort((-losses, f1)) if f1[row] < 1.0]
    return best[:count], worst[:count]


def explained_genre(movies: Movies, row: int, *, good: bool) -> int:
    """Column of the genre that is explained.

    Of a good prediction it is the most probable correct genre; of a bad one the most probable wrong
    genre, or without any the least probable genre that was missed.
    """
    probabilities = movies.probabilities[row]
    labels, predicted = movies.labels[row], movies.predicted[row]
    if good:
        return int(np.where(labels & predicted, probabilities, -1.0).argmax())
    wrong = predicted & ~labels
    if wrong.any():
        return int(np.where(wrong, probabilities, -1.0).argmax())
    return int(np.where(labels & ~predicted, probabilities, 2.0).argmin())


def doubtful_labels(movies: Movies, *, listed: bool) -> list[ShownMovie]:
    """The labels that are most probably wrong according to the model, at most one of each movie.

    With `listed` they are genres that the movies are listed under, else genres that they are not.
    """
    wrong = np.where(listed, 1 - movies.probabilities, movies.probabilities)
    wrong = np.where(movies.labels == listed, wrong, -1.0)
    genre = wrong.argmax(axis=1)
    rows = np.argsort(-wrong.max(axis=1), kind="stable")[:DOUBTS]
    return [
        ShownMovie(
            tconst=movies.tconst[row],
            title=movies.title[row],
            genre=GENRES[genre[row]],
            listed=_names(movies.labels[row]),
            probability=float(movies.probabilities[row, genre[row]]),
        )
        for row in rows
        if wrong[row, genre[row]] > 0.5
    ]


def effects(ask: Ask, movie: Movie, genre: int) -> list[Effect]:
    """The effects of each field, and of each word of title and plot, on a genre.

    `genre` is the index of the genre in the model's answer. The strongest effects come first.
    """
    without = list(_without_parts(movie))
    odds = log_odds(ask([movie, *(rest for _, _, rest in without)])[:, genre])
    found = [
        Effect(field, text, float(odds[0] - other))
        for (field, text, _), other in zip(without, odds[1:], strict=True)
    ]
    return sorted(found, key=lambda effect: -abs(effect.difference))


def _without_parts(movie: Movie) -> Iterator[tuple[str, str, Movie]]:
    """Field, word (empty for the whole field) and the movie without it."""
    for name in raw.MODEL_INPUTS:
        if known(movie[name]):
            yield name, "", {**movie, name: None}
    for name in raw.TEXTS:
        text = str(movie[name] or "")
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
        for word in words[:MOST_WORDS] if len(words) > 1 else []:
            yield name, word, {**movie, name: without_word(text, word)}


def known(value: str | float | None) -> bool:
    """Whether a field holds something."""
    return value > 0 and bool(np.isfinite(value)) if isinstance(value, float) else bool(value)


def without_word(text: str, word: str) -> str:
    """The text without any occurrence of a word, in upper or lower case."""
    return _WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text)


def _names(labels: Iterable[bool]) -> tuple[str, ...]:
    return tuple(name for name, has in zip(GENRES, labels, strict=True) if has)
