"""Select movies of the test split for the report and explain their predictions by occlusion."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from report import metrics
from report.content import ExplainedMovie, MovieProbability, OcclusionEffect, Predictions
from report.metrics import Floats, log_odds
from schema import features as raw
from schema.occlusion import punctuation_variants, text_parts, without_spans

MOVIES_PER_GROUP: Final = 3
"""Number of movies that are explained with a correct prediction, and with a wrong one."""

MAX_DOUBTFUL_LABELS: Final = 10
"""Number of doubtful labels of each kind that are listed."""

FUNCTION_WORDS: Final = "function words"
"""Name of the function words of a text, which are left out together."""

MAX_WORDS_PER_TEXT: Final = 80
"""Number of distinct words of a text that are tried, from its beginning."""

Movie = Mapping[str, str | float | None]
"""Values by the names of `schema.features.MODEL_INPUTS`. A value is unknown if it is None, empty,
NaN, zero or negative."""

Predict = Callable[[Sequence[Movie]], Floats]
"""Function from movies to probabilities, float [movies, genres]."""


def explain_movies(
    predictions: Predictions,
    columns: Mapping[str, npt.NDArray[Any]],
    predict: Predict,
    names: Sequence[str],
) -> list[ExplainedMovie]:
    """Explain the movies with the best and the worst predictions.

    Args:
        predictions: Movies of the test split with predictions.
        columns: Arrays [movies]. Raw values by the names of `schema.features.MODEL_INPUTS`.
        predict: Function from movies to probabilities.
        names: Names of the genres, in the order of the arrays' columns.
    """
    best, worst = best_and_worst(predictions, MOVIES_PER_GROUP)
    explained = []
    for row in (*best, *worst):
        correct = row in best
        genre = genre_to_explain(predictions, row, correct=correct)
        movie = {
            name: float(columns[name][row]) if name in raw.NUMBERS else str(columns[name][row])
            for name in raw.MODEL_INPUTS
        }
        explained.append(
            ExplainedMovie(
                tconst=predictions.tconst[row],
                title=predictions.title[row],
                listed=_genre_names(predictions.labels[row], names),
                predicted=_genre_names(predictions.predicted[row], names),
                genre=names[genre],
                probability=float(predictions.probabilities[row, genre]),
                correct=correct,
                effects=tuple(occlusion_effects(predict, movie, genre)),
            )
        )
    return explained


def best_and_worst(predictions: Predictions, count: int) -> tuple[list[int], list[int]]:
    """Return the rows of the movies with the best and the worst predictions.

    The best predictions are entirely correct: movies of several genres come first, then those with
    the lowest log loss. The worst predictions have the lowest F1, then the highest log loss.

    Args:
        predictions: Movies of the test split with predictions.
        count: Largest number of rows in each list.
    """
    losses = metrics.log_losses(predictions.labels, predictions.probabilities)
    f1 = metrics.movie_f1(predictions.labels, predictions.predicted)
    several = predictions.labels.sum(axis=1) > 1
    best = [int(row) for row in np.lexsort((losses, ~several)) if f1[row] == 1.0]
    worst = [int(row) for row in np.lexsort((-losses, f1)) if f1[row] < 1.0]
    return best[:count], worst[:count]


def genre_to_explain(predictions: Predictions, row: int, *, correct: bool) -> int:
    """Return the column of the genre whose probability is explained.

    It is the most probable genre of a correct prediction. For a wrong prediction it is the most
    probable wrong genre or, if no genre is wrong, the least probable genre that was missed.
    """
    probabilities = predictions.probabilities[row]
    labels, predicted = predictions.labels[row], predictions.predicted[row]
    if correct:
        return int(np.where(labels & predicted, probabilities, -1.0).argmax())
    wrong = predicted & ~labels
    if wrong.any():
        return int(np.where(wrong, probabilities, -1.0).argmax())
    return int(np.where(labels & ~predicted, probabilities, 2.0).argmin())


def doubtful_labels(
    predictions: Predictions, names: Sequence[str], *, listed: bool
) -> list[MovieProbability]:
    """Return the labels that are most probably wrong, at most one per movie.

    Args:
        predictions: Movies of the test split with predictions.
        names: Names of the genres, in the order of the arrays' columns.
        listed: Whether to return listed genres with a low probability (True) or genres that are
            not listed with a high probability (False).
    """
    doubt = metrics.label_doubts(predictions.labels, predictions.probabilities)
    doubt = np.where(predictions.labels == listed, doubt, -1.0)
    genre = doubt.argmax(axis=1)
    rows = np.argsort(-doubt.max(axis=1), kind="stable")[:MAX_DOUBTFUL_LABELS]
    return [
        MovieProbability(
            tconst=predictions.tconst[row],
            title=predictions.title[row],
            genre=names[genre[row]],
            listed=_genre_names(predictions.labels[row], names),
            probability=float(predictions.probabilities[row, genre[row]]),
        )
        for row in rows
        if doubt[row, genre[row]] > metrics.DOUBT_ABOVE
    ]


def occlusion_effects(predict: Predict, movie: Movie, genre: int) -> list[OcclusionEffect]:
    """Return the effect of each field, and of the words of title and plot, on one genre.

    Args:
        predict: Function from movies to probabilities.
        movie: Movie whose prediction is explained.
        genre: Column of the genre in the probabilities.

    Returns:
        Effects, the strongest first.
    """
    parts = list(_movies_without_parts(movie))
    changed = list(_movies_with_other_punctuation(movie))
    movies = [movie, *(without for _, _, without in parts), *changed]
    probabilities = predict(movies)[:, genre]
    differences = log_odds(probabilities[:1]) - log_odds(probabilities[1:])
    noise = np.abs(differences[len(parts) :]).max(initial=0.0)
    effects = [
        OcclusionEffect(
            field, word, float(probability), float(difference), bool(abs(difference) <= noise)
        )
        for (field, word, _), probability, difference in zip(
            parts, probabilities[1:], differences, strict=False
        )
    ]
    return sorted(effects, key=lambda effect: -abs(effect.difference))


def _movies_without_parts(movie: Movie) -> Iterator[tuple[str, str, Movie]]:
    """Iterate over field, word (empty for the whole field) and the movie without it."""
    for name in raw.MODEL_INPUTS:
        if is_known(movie[name]):
            yield name, "", {**movie, name: None}
    for name in raw.TEXTS:
        text = str(movie[name] or "")
        for part in text_parts(text, MAX_WORDS_PER_TEXT):
            label = FUNCTION_WORDS if part.is_group else part.words[0]
            yield name, label, {**movie, name: without_spans(text, part.spans)}


def _movies_with_other_punctuation(movie: Movie) -> Iterator[Movie]:
    for name in raw.TEXTS:
        if text := str(movie[name] or ""):
            yield from ({**movie, name: other} for other in punctuation_variants(text))


def is_known(value: str | float | None) -> bool:
    """Return whether a field has a value."""
    return value > 0 and bool(np.isfinite(value)) if isinstance(value, float) else bool(value)


def _genre_names(labels: Iterable[bool], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name, has in zip(names, labels, strict=True) if has)
