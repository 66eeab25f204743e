"""Explain a prediction by occlusion: leave out each part of the movie and ask the model again.

The effect of a part on a genre is the log-odds of the genre's probability with the part minus the
log-odds without it. It is positive if the part makes the genre more probable. Each effect is exact
for one part, with all other parts in place. Effects do not add up: the effect of leaving out two
parts is not the sum of their effects. Effects smaller than the noise say nothing about a part.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from schema import features as raw
from schema.errors import UserError
from schema.occlusion import Span, punctuation_variants, text_parts, without_spans
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
    """A part of a movie that can be left out.

    Attributes:
        kind: What the part is.
        field: Name of the field.
        text: The name, or the words in lower case; empty for the whole field.
        spans: Occurrences of the words in their field; empty for names and whole fields.
        movie_without: Movie without the part.
    """

    kind: Literal["field", "name", "word", "function words"]
    field: str
    text: str
    spans: tuple[Span, ...]
    movie_without: Movie


@dataclass(frozen=True)
class Effect:
    """The effect of one part on each genre, in the order of `Explanation.genres`.

    Attributes:
        part: Part that was left out.
        probabilities: Probabilities without the part.
        differences: Log-odds with the part minus log-odds without it.
    """

    part: Part
    probabilities: tuple[float, ...]
    differences: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """The effects of a movie's parts.

    Attributes:
        genres: Names of the genres.
        probabilities: Probabilities of the genres.
        noise: Largest change of each genre's log-odds by a change of punctuation.
        movie: Movie as the model reads it. Spans of words refer to its texts.
        effects: One effect for each part that was tried.
        skipped_parts: Number of parts that there was no time to try.
    """

    genres: tuple[str, ...]
    probabilities: tuple[float, ...]
    noise: tuple[float, ...]
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
    changes = [
        log_odds_differences(baseline, other) for other in predict(punctuation_changes(known))
    ]
    noise = tuple(max(map(abs, values)) for values in zip(*changes, strict=True))
    parts = movie_parts(known)
    effects: list[Effect] = []
    while time.monotonic() < end and (batch := list(islice(parts, BATCH_SIZE))):
        predictions = predict([part.movie_without for part in batch])
        effects.extend(
            Effect(part, probabilities(prediction), log_odds_differences(baseline, prediction))
            for part, prediction in zip(batch, predictions, strict=True)
        )
    return Explanation(
        baseline.names,
        probabilities(baseline),
        noise,
        known,
        tuple(effects),
        sum(1 for _ in parts),
    )


def punctuation_changes(movie: Movie) -> list[Movie]:
    """Return the movie itself, and copies of it that differ in the punctuation of a text only.

    The movie itself is among them because probabilities of a model that computes in bfloat16 depend
    on the other movies of a request.
    """
    changed = [movie]
    for field in filter(movie.get, raw.TEXTS):
        changed += [{**movie, field: text} for text in punctuation_variants(movie[field])]
    return changed


def movie_parts(movie: Movie) -> Iterator[Part]:
    """Iterate over the fields, then the names, then the words of a movie.

    A word is left out wherever it occurs in its text. Function words are left out together.
    """
    for field in movie:
        yield Part("field", field, "", (), {**movie, field: ""})
    for field in raw.PEOPLE:
        people = list(filter(None, movie.get(field, "").split(raw.LIST_SEPARATOR)))
        for person in islice(dict.fromkeys(people), MAX_PARTS_PER_FIELD):
            others = raw.LIST_SEPARATOR.join(name for name in people if name != person)
            yield Part("name", field, person, (), {**movie, field: others})
    for field in reversed(raw.TEXTS):
        text = movie.get(field, "")
        for part in text_parts(text, MAX_PARTS_PER_FIELD):
            yield Part(
                "function words" if part.is_group else "word",
                field,
                " ".join(part.words),
                tuple(part.spans),
                {**movie, field: without_spans(text, part.spans)},
            )


def probabilities(prediction: Prediction) -> tuple[float, ...]:
    """Return the probability of each genre."""
    return tuple(genre.probability for genre in prediction.genres)


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
