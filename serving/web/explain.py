"""Explain a prediction by occlusion: leave out each part of the movie and ask the model again.

The effect of a part on a genre is the log-odds of the genre's probability with the part minus the
log-odds without it. It is positive if the part makes the genre more probable. Each effect is exact
for one part, with all other parts in place. Effects do not add up: the effect of leaving out two
parts is not the sum of their effects.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from schema import features as raw
from schema.errors import UserError
from schema.occlusion import Span, without_spans, word_spans
from serving.client import Movie, Prediction
from serving.client.movies import validate_movie

Predict = Callable[[Sequence[Movie]], list[Prediction]]

MAX_PARTS_PER_FIELD: Final = 400
"""Number of distinct words or names of one field that are tried."""

MAX_CHARACTERS: Final = 20_000
"""Number of characters that a movie may have. Each request holds the movie `BATCH_SIZE` times."""

BATCH_SIZE: Final = 32
"""Number of parts that one request to the model tries."""

MIN_PROBABILITY: Final = 1e-6
"""Probabilities closer than this to 0 or 1 are moved here: float32 cannot tell them apart."""


@dataclass(frozen=True)
class Part:
    """A part of a movie that can be left out: a whole field, a name or a word.

    Attributes:
        field: Name of the field.
        text: The name, or the word in lower case; empty for the whole field.
        spans: Occurrences of a word in its field; empty for names and whole fields.
        movie_without: Movie without the part.
    """

    field: str
    text: str
    spans: tuple[Span, ...]
    movie_without: Movie


@dataclass(frozen=True)
class Effect:
    """The effect of one part on each genre, as differences of the log-odds.

    Attributes:
        part: Part that was left out.
        differences: One value for each genre, in the order of `Explanation.genres`.
    """

    part: Part
    differences: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """The effects of a movie's parts.

    Attributes:
        genres: Names of the genres.
        movie: Movie as the model reads it. Spans of words refer to its texts.
        effects: One effect for each part that was tried.
        skipped_parts: Number of parts that there was no time to try.
    """

    genres: tuple[str, ...]
    movie: Movie
    effects: tuple[Effect, ...]
    skipped_parts: int


def explain(predict: Predict, movie: Movie, timeout: float) -> Explanation:
    """Leave out each field, name and word in turn.

    Args:
        predict: Function from movies to the model's predictions.
        movie: Values by the names of `schema.features.MODEL_INPUTS`.
        timeout: Time after which no further parts are tried, in seconds.

    Raises:
        UserError: The movie is too long, or a value is invalid.
        ServerError: The model server fails.
    """
    end = time.monotonic() + timeout
    known = validate_movie(movie)
    if sum(len(str(value)) for value in known.values()) > MAX_CHARACTERS:
        raise UserError(
            f"the movie has more than {MAX_CHARACTERS:,} characters, too many to explain its "
            "prediction; shorten the plot"
        )
    [baseline] = predict([known])
    parts = movie_parts(known)
    effects: list[Effect] = []
    while time.monotonic() < end and (batch := list(islice(parts, BATCH_SIZE))):
        predictions = predict([part.movie_without for part in batch])
        effects.extend(
            Effect(part, log_odds_differences(baseline, prediction))
            for part, prediction in zip(batch, predictions, strict=True)
        )
    genres = tuple(genre.name for genre in baseline.genres)
    return Explanation(genres, known, tuple(effects), sum(1 for _ in parts))


def movie_parts(movie: Movie) -> Iterator[Part]:
    """Iterate over the fields, then the names, then the words of a movie.

    A word is left out wherever it occurs in its text.
    """
    for field in movie:
        yield Part(field, "", (), {**movie, field: ""})
    for field in raw.PEOPLE:
        people = list(filter(None, movie.get(field, "").split(raw.LIST_SEPARATOR)))
        for person in islice(dict.fromkeys(people), MAX_PARTS_PER_FIELD):
            others = raw.LIST_SEPARATOR.join(name for name in people if name != person)
            yield Part(field, person, (), {**movie, field: others})
    for field in reversed(raw.TEXTS):
        text = movie.get(field, "")
        for word, spans in islice(word_spans(text).items(), MAX_PARTS_PER_FIELD):
            yield Part(field, word, tuple(spans), {**movie, field: without_spans(text, spans)})


def log_odds_differences(baseline: Prediction, other: Prediction) -> tuple[float, ...]:
    """Return the log-odds of each genre in `baseline` minus those in `other`."""
    return tuple(
        log_odds(genre.probability) - log_odds(other_genre.probability)
        for genre, other_genre in zip(baseline.genres, other.genres, strict=True)
    )


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)) for a probability limited to `MIN_PROBABILITY` from 0 and 1."""
    limited = min(max(probability, MIN_PROBABILITY), 1 - MIN_PROBABILITY)
    return math.log(limited / (1 - limited))
