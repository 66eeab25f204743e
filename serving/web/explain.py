"""Which words and fields moved a prediction: each is left out, and the model asked again.

This is occlusion. The effect of a part on a genre is the log-odds of the genre's probability with
the part less those without it, so positive where the part speaks for the genre. It is exact for
what it says, the difference that one part makes with all others in place; effects of several parts
do not add up to the effect of all of them.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from schema import features as raw
from schema.errors import UserError
from serving.client import Movie, Prediction
from serving.client.movies import validate_movie

Predict = Callable[[Sequence[Movie]], list[Prediction]]

MOST_PARTS: Final = 400
"""Different words or names of one field that are tried."""

MOST_CHARACTERS: Final = 20_000
"""Of a movie whose parts are tried: each request holds the movie `ROWS_AT_ONCE` times."""

ROWS_AT_ONCE: Final = 32

SMALLEST: Final = 1e-6
"""Probabilities nearer to 0 or 1 count as that near: their float32 has no more digits."""

# Letters, digits and the marks that belong to them; an apostrophe within is part of the word.
_WORD: Final = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*")


@dataclass(frozen=True)
class Part:
    """Something that can be left out of a movie.

    Attributes:
        text: the word, in lower case, or the name; empty where it is the whole field.
        rest: the movie without it.
    """

    field: str
    text: str
    rest: Movie


@dataclass(frozen=True)
class Effect:
    """What a part does: differences of the log-odds, in the order of the prediction's genres."""

    part: Part
    by_genre: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """Names of the genres, effects of the parts, and how many parts there was no time for."""

    genres: tuple[str, ...]
    effects: tuple[Effect, ...]
    untried: int


def explain(predict: Predict, movie: Movie, seconds: float) -> Explanation:
    """Leave out each field, name and word in turn; after so many seconds no more are tried.

    Raises:
        UserError: the movie is too long, or has a value that does not fit.
        ServerError: the server fails.
    """
    end = time.monotonic() + seconds
    known = validate_movie(movie)
    if sum(len(str(value)) for value in known.values()) > MOST_CHARACTERS:
        raise UserError(
            f"the movie has more than {MOST_CHARACTERS:,} characters: too many to try its words"
        )
    [whole] = predict([known])
    parts = parts_of(known)
    effects: list[Effect] = []
    while time.monotonic() < end and (some := list(islice(parts, ROWS_AT_ONCE))):
        answers = predict([part.rest for part in some])
        effects.extend(
            Effect(part, differences(whole, without))
            for part, without in zip(some, answers, strict=True)
        )
    genres = tuple(genre.name for genre in whole.genres)
    return Explanation(genres, tuple(effects), sum(1 for _ in parts))


def parts_of(movie: Movie) -> Iterator[Part]:
    """Fields first, then names, then the different words of each text, from its beginning.

    A word is left out wherever it stands in its text.
    """
    for name in movie:
        yield Part(name, "", _with(movie, name, ""))
    for name in raw.PEOPLE:
        people = list(filter(None, movie.get(name, "").split(raw.LIST_SEPARATOR)))
        for person in islice(dict.fromkeys(people), MOST_PARTS):
            others = raw.LIST_SEPARATOR.join(one for one in people if one != person)
            yield Part(name, person, _with(movie, name, others))
    for name in reversed(raw.TEXTS):
        text = movie.get(name, "")
        for word in islice(_words(text), MOST_PARTS):
            yield Part(name, word, _with(movie, name, without_word(text, word)))


def without_word(text: str, word: str) -> str:
    """The text without a word, whatever its case, wherever it stands."""
    return _WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text)


def differences(whole: Prediction, without: Prediction) -> tuple[float, ...]:
    """Log-odds of each genre in `whole` less those in `without`."""
    return tuple(
        log_odds(one.probability) - log_odds(other.probability)
        for one, other in zip(whole.genres, without.genres, strict=True)
    )


def log_odds(probability: float) -> float:
    """The logarithm of p / (1 - p), for p not nearer to 0 or 1 than `SMALLEST`."""
    kept = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(kept / (1 - kept))


def _words(text: str) -> Iterable[str]:
    return dict.fromkeys(found[0].lower() for found in _WORD.finditer(text))


def _with(movie: Movie, name: str, value: str) -> Movie:
    return {**movie, name: value}
