"""Which films of the test split the report shows, and which of their words and fields decided."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from report import metrics
from report.facts import Effect, Example, Films, ShownFilm
from report.metrics import Floats, log_odds
from schema import features as raw
from schema.genres import GENRES

EXAMPLES: Final = 3
"""Number of films shown with a good prediction, and as many with a bad one."""

DOUBTS: Final = 10
"""Number of doubtful labels of each kind that are listed."""

MOST_WORDS: Final = 80
"""Number of different words of a text that are left out, counted from its beginning."""

Film = Mapping[str, str | float | None]
"""A film by the names of `schema.features.MODEL_INPUTS`. None, empty text, NaN and numbers that are
not positive are unknown."""

Ask = Callable[[Sequence[Film]], Floats]
"""The model, from films to probabilities, float [films, genres]."""

_WORD: Final = re.compile(r"\w+(?:['’]\w+)*")


def examples(films: Films, columns: Mapping[str, npt.NDArray[Any]], ask: Ask) -> list[Example]:
    """The films that the model did best and worst on, each with what decided.

    `columns` are arrays [films] of raw values by the names of `schema.features.MODEL_INPUTS`; `ask`
    is the model.
    """
    best, worst = best_and_worst(films, EXAMPLES)
    found = []
    for row in (*best, *worst):
        good = row in best
        genre = explained_genre(films, row, good=good)
        film = {
            name: float(columns[name][row]) if name in raw.NUMBERS else str(columns[name][row])
            for name in raw.MODEL_INPUTS
        }
        found.append(
            Example(
                tconst=films.tconst[row],
                title=films.title[row],
                listed=_names(films.labels[row]),
                predicted=_names(films.predicted[row]),
                genre=GENRES[genre],
                probability=float(films.probabilities[row, genre]),
                good=good,
                effects=tuple(effects(ask, film, genre)),
            )
        )
    return found


def best_and_worst(films: Films, count: int) -> tuple[list[int], list[int]]:
    """Rows of films with the best and the worst predictions.

    Best are films whose genres are all correct: those of several genres first, then those with the
    lowest log loss. Worst are those with the lowest F1, then those with the highest log loss. At
    most `count` of each are returned.
    """
    losses = metrics.log_losses(films.labels, films.probabilities)
    f1 = metrics.film_f1(films.labels, films.predicted)
    several = films.labels.sum(axis=1) > 1
    best = [int(row) for row in np.lexsort((losses, ~several)) if f1[row] == 1.0]
    worst = [int(row) for row in np.lexsort((-losses, f1)) if f1[row] < 1.0]
    return best[:count], worst[:count]


def explained_genre(films: Films, row: int, *, good: bool) -> int:
    """Column of the genre that is explained.

    Of a good prediction it is the most probable correct genre; of a bad one the most probable wrong
    genre, or without any the least probable genre that was missed.
    """
    probabilities = films.probabilities[row]
    labels, predicted = films.labels[row], films.predicted[row]
    if good:
        return int(np.where(labels & predicted, probabilities, -1.0).argmax())
    wrong = predicted & ~labels
    if wrong.any():
        return int(np.where(wrong, probabilities, -1.0).argmax())
    return int(np.where(labels & ~predicted, probabilities, 2.0).argmin())


def doubtful_labels(films: Films, *, listed: bool) -> list[ShownFilm]:
    """The labels that are most probably wrong according to the model, at most one of each film.

    With `listed` they are genres that the films are listed under, else genres that they are not.
    """
    wrong = np.where(listed, 1 - films.probabilities, films.probabilities)
    wrong = np.where(films.labels == listed, wrong, -1.0)
    genre = wrong.argmax(axis=1)
    rows = np.argsort(-wrong.max(axis=1), kind="stable")[:DOUBTS]
    return [
        ShownFilm(
            tconst=films.tconst[row],
            title=films.title[row],
            genre=GENRES[genre[row]],
            listed=_names(films.labels[row]),
            probability=float(films.probabilities[row, genre[row]]),
        )
        for row in rows
        if wrong[row, genre[row]] > 0.5
    ]


def effects(ask: Ask, film: Film, genre: int) -> list[Effect]:
    """The effects of each field, and of each word of title and plot, on a genre.

    `genre` is the index of the genre in the model's answer. The strongest effects come first.
    """
    without = list(_without_parts(film))
    odds = log_odds(ask([film, *(rest for _, _, rest in without)])[:, genre])
    found = [
        Effect(field, text, float(odds[0] - other))
        for (field, text, _), other in zip(without, odds[1:], strict=True)
    ]
    return sorted(found, key=lambda effect: -abs(effect.difference))


def _without_parts(film: Film) -> Iterator[tuple[str, str, Film]]:
    """Field, word (empty for the whole field) and the film without it."""
    for name in raw.MODEL_INPUTS:
        if known(film[name]):
            yield name, "", {**film, name: None}
    for name in raw.TEXTS:
        text = str(film[name] or "")
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
        for word in words[:MOST_WORDS] if len(words) > 1 else []:
            yield name, word, {**film, name: without_word(text, word)}


def known(value: str | float | None) -> bool:
    """Whether a field holds something."""
    return value > 0 and bool(np.isfinite(value)) if isinstance(value, float) else bool(value)


def without_word(text: str, word: str) -> str:
    """The text without any occurrence of a word, in upper or lower case."""
    return _WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text)


def _names(labels: Iterable[bool]) -> tuple[str, ...]:
    return tuple(name for name, has in zip(GENRES, labels, strict=True) if has)
