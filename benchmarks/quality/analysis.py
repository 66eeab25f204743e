"""Where the model is strong and weak, read from its predictions on the test split."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.quality.films import Films
from benchmarks.quality.scores import Predictions, scores
from ingest.split_key import TOO_COMMON
from report.metrics import Floats, Labels
from schema import features as raw
from schema.genres import GENRES

LEAST_FILMS: Final = 30
"""Films that a slice must have to be shown."""

RANDOM_PAIRS: Final = 10_000

FOREIGN_ARTICLE: Final = re.compile(
    r"(?:les?|la|une?|el|los|las|il|lo|gli|der|die|das|ein|eine|den|det|het|een|os|um|uma) ",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Slice:
    """Scores on some films.

    Attributes:
        kind: what the films are sliced by.
        name: of the slice.
        films: how many.
        listed: genres that a film has, on average.
        scores: of each arm, as `scores` gives them.
    """

    kind: str
    name: str
    films: int
    listed: float
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Confusion:
    """Two genres of which one is given in place of the other.

    Attributes:
        missed: a genre that films have and that was not given.
        given: one that was given to the same films, which do not have it.
        films: how many.
        share: of all films that have the missed genre.
    """

    missed: str
    given: str
    films: int
    share: float


@dataclass(frozen=True)
class Doubt:
    """A label that the model would bet against.

    Attributes:
        tconst: of the film.
        title: of the film.
        listed: its genres.
        genre: the one in doubt.
        probability: of that genre, as the model says.
    """

    tconst: str
    title: str
    listed: str
    genre: str
    probability: float


def confusions(given: Labels, decided: Labels, count: int) -> list[Confusion]:
    """The pairs of genres that most films confuse.

    Args:
        given: bool [films, 22].
        decided: bool [films, 22].
        count: how many pairs.
    """
    missed, wrong = given & ~decided, decided & ~given
    both = missed.astype(int).T @ wrong.astype(int)
    order = np.argsort(-both, axis=None, kind="stable")[:count]
    support = given.sum(axis=0)
    return [
        Confusion(GENRES[g], GENRES[h], int(both[g, h]), both[g, h] / support[g])
        for g, h in zip(*np.unravel_index(order, both.shape), strict=True)
        if both[g, h]
    ]


def doubts(films: Films, probabilities: Floats, listed: bool, count: int) -> list[Doubt]:
    """The labels of which the model is surest that they are wrong.

    Args:
        films: with their labels.
        probabilities: float [films, 22].
        listed: whether labels that are there are doubted, or such as are not.
        count: how many; a film counts once.
    """
    wrong = np.where(listed, 1 - probabilities, probabilities)
    wrong = np.where(films.labels == listed, wrong, -1.0)
    genre = wrong.argmax(axis=1)
    rows = np.argsort(-wrong.max(axis=1), kind="stable")[:count]
    return [
        Doubt(
            films[raw.TCONST][row],
            films[raw.TITLE][row],
            films[raw.GENRES_FIELD][row].replace(raw.LIST_SEPARATOR, ", "),
            GENRES[genre[row]],
            float(probabilities[row, genre[row]]),
        )
        for row in rows
    ]


def slices(films: Films, predictions: Mapping[str, Predictions]) -> list[Slice]:
    """Scores by decade, length of plot, language of title, popularity and missing fields.

    Args:
        films: of the test split.
        predictions: of the same films, by arm.
    """
    labels = films.labels
    found = []
    for kind, name, rows in _slices(films):
        if (count := int(rows.sum())) >= LEAST_FILMS:
            of_arms = {
                arm: scores(labels[rows], Predictions(one.probabilities[rows], one.decided[rows]))
                for arm, one in predictions.items()
            }
            found.append(Slice(kind, name, count, float(labels[rows].sum(axis=1).mean()), of_arms))
    return found


def _slices(films: Films) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Kind, name and which films; bool [films]."""
    year, votes = films[raw.YEAR], films[raw.VOTES]
    for start in (1890, 1920, 1930, 1940, 1950, 1960, 1970, 1980, 1990, 2000, 2010, 2020):
        end = 1920 if start == 1890 else start + 10
        name = "before 1920" if start == 1890 else f"{start}s"
        yield "decade", name, (year >= start) & (year < end)
    length = np.array([len(plot.split()) for plot in films[raw.PLOT]])
    yield from _ranges("words of the plot", length, (0, 15, 30, 60, 120))
    language = np.array([title_language(title) for title in films[raw.TITLE]])
    for name in sorted(set(language)):
        yield "title", name, language == name
    yield "votes", "none", ~np.isfinite(votes)
    yield from _ranges("votes", votes, (1, 100, 1000, 10_000, 100_000))
    listed = films.labels.sum(axis=1)
    for number in (1, 2):
        yield "genres listed", str(number), listed == number
    yield "genres listed", "3 and more", listed >= 3
    for field in (raw.RUNTIME, raw.RATING):
        yield "not known", field, ~np.isfinite(films[field])
    for field in raw.PEOPLE:
        yield "not known", field, films[field] == ""


def _ranges(
    kind: str, values: npt.NDArray[np.number], starts: Sequence[int]
) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        if end is None:
            yield kind, f"{start:,} and more", values >= start
        else:
            yield kind, f"{start:,} to {end - 1:,}", (values >= start) & (values < end)


def title_language(title: str) -> str:
    """A guess, from the letters and the first word alone: most foreign titles look English too."""
    if not title.isascii():
        return "with letters beyond ASCII"
    return "with a foreign article first" if FOREIGN_ARTICLE.match(title) else "all others"


@dataclass(frozen=True)
class Agreement:
    """How far the genres of like films agree.

    Attributes:
        pairs: of films.
        same: mean Jaccard index of the genres of each pair; NaN without pairs.
        chance: the same for films paired at random.
    """

    pairs: int
    same: float
    chance: float


def agreement(films: Films, shared: Iterable[set[str]], seed: int) -> Agreement:
    """How far the labels of films agree that share something.

    Args:
        films: all there are.
        shared: of each film what it may share with others, such as its title stem.
        seed: of the random pairs.
    """
    groups: dict[str, list[int]] = {}
    for row, values in enumerate(shared):
        for value in values:
            groups.setdefault(value, []).append(row)
    # Neighbours in a group alone: a large group does not outweigh the others by its square.
    pairs = {
        pair
        for rows in groups.values()
        if len(rows) <= TOO_COMMON
        for pair in itertools.pairwise(rows)
    }
    labels = films.labels
    random = np.random.default_rng(seed).integers(0, len(labels), (RANDOM_PAIRS, 2))
    return Agreement(
        len(pairs),
        _jaccard(labels, np.array(sorted(pairs), int).reshape(-1, 2)),
        _jaccard(labels, random),
    )


def _jaccard(labels: Labels, pairs: npt.NDArray[np.int64]) -> float:
    if not len(pairs):
        return float("nan")
    one, other = labels[pairs[:, 0]], labels[pairs[:, 1]]
    union = np.maximum((one | other).sum(axis=1), 1)
    return float(((one & other).sum(axis=1) / union).mean())
