"""Target encoding of people by the genres of their other movies (Micci-Barreca 2001).

Genres are counted out of fold, so that the encoding of a movie excludes its own genres.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from scipy import sparse

from schema import features as raw
from trainer.data import Rows
from trainer.features.vocabulary import add_constant_weight, build_vocabulary, incidence_matrix
from transform import features as xf

LEAD_ACTORS: Final = "lead_actors"
NUM_LEAD_ACTORS: Final = 3
"""Number of names at the beginning of the cast that are encoded a second time on their own."""

ENCODED_FIELDS: Final = (*xf.PEOPLE_IDS.values(), LEAD_ACTORS)
"""Encoded fields, in the order of the columns of `fields.PEOPLE_TARGET_ENCODING`."""

MAX_PEOPLE: Final = 200_000
"""Largest number of people of a field; those with the most movies are chosen."""


@dataclass(frozen=True)
class GenreCounts:
    """Genre counts of the people of one field.

    Attributes:
        vocabulary: int32 [people]. Ascending hashes of the names.
        counts: float32 [1 + folds, people + 1, genres + 1]. Number of a person's movies of each
            genre, and of all genres. Table 0 counts all training movies, table f those outside of
            fold f. Row 0 is zero.
    """

    vocabulary: np.ndarray
    counts: np.ndarray


def person_ids(inputs: Any, field: str) -> Any:
    """Return the ids, [N, varying], of one of `ENCODED_FIELDS` from the model inputs by name."""
    if field == LEAD_ACTORS:
        return inputs[xf.PEOPLE_IDS[raw.CAST]][:, :NUM_LEAD_ACTORS]
    return inputs[field]


def fit(train: Rows, folds: np.ndarray) -> dict[str, GenreCounts]:
    """Count the genres of the people of each of `ENCODED_FIELDS`.

    Args:
        train: Training split.
        folds: int32 [rows]. Fold of each row, counted from 1.
    """
    fitted = {}
    for field in ENCODED_FIELDS:
        ids = person_ids(train.inputs, field)
        vocabulary = build_vocabulary(ids, max_size=MAX_PEOPLE, min_movies=1)
        counts = count_genres(incidence_matrix(vocabulary, ids), train.labels, folds)
        fitted[field] = GenreCounts(vocabulary, counts)
    return fitted


def count_genres(incidence: sparse.csr_matrix, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Count the movies of each person by genre, in all folds and outside of each fold.

    Args:
        incidence: float32 [movies, people]. 1.0 where a movie has a person.
        labels: float32 [movies, genres].
        folds: int32 [movies]. Fold of each movie, counted from 1.

    Returns:
        float32 [1 + folds, people, genres + 1], the counts of `GenreCounts`.
    """
    counted = np.concatenate([labels, np.ones((len(labels), 1), np.float32)], axis=1)
    all_movies = incidence.T @ counted
    in_fold = (folds == fold for fold in range(1, folds.max(initial=0) + 1))
    outside = [all_movies - incidence[rows].T @ counted[rows] for rows in in_fold]
    return np.stack([all_movies, *outside]).astype(np.float32)


class PeopleTargetEncoding(keras.layers.Layer):
    """Target encoding of the people of a movie by the genres of their movies.

    The encoding of a person for a genre is the log ratio of the genre's share of their movies to
    its share of all movies, smoothed by adding `smoothing` average movies. A movie gets the mean
    encoding of its people, the encoding of their movies pooled, and the numbers n of these people
    and movies as log(1 + n). A person without another movie is ignored, so a movie without known
    people gets zeros.

    Args:
        counts: float32 [1 + folds, people + 1, genres + 1]. Counts of `GenreCounts`.
        genre_rates: float32 [genres]. Share of each genre among the training movies.
        smoothing: Float. Number of average movies added to the movies of each person.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, counts: np.ndarray, genre_rates: np.ndarray, smoothing: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.table_size = counts.shape[1]
        self.smoothing = smoothing
        self.genre_rates = np.maximum(genre_rates, 1e-4).astype(np.float64)
        self.counts = add_constant_weight(self, "counts", counts.reshape(-1, counts.shape[2]))

    def call(self, indices: Any, folds: Any) -> Any:
        """Encode the people of each movie.

        Args:
            indices: int32 [N, L]. Vocabulary indices of the people, padded with 0.
            folds: int32 [N, 1]. Fold whose movies are excluded; 0 excludes none.

        Returns:
            float32 [N, `fields.target_encoding_size(genres)`].
        """
        counts = ops.take(self.counts, indices + folds * self.table_size, axis=0)
        # In float32, the last digit of a logarithm depends on the number of rows of the batch.
        counts = ops.cast(counts, "float64")
        by_genre, movies = counts[..., :-1], counts[..., -1:]
        known = ops.cast(movies > 0, "float64")
        num_people, num_movies = ops.sum(known, axis=1), ops.sum(movies, axis=1)
        total = ops.sum(self._log_ratio(by_genre, movies) * known, axis=1)
        mean = total / ops.maximum(num_people, 1.0)
        pooled = self._log_ratio(ops.sum(by_genre, axis=1), num_movies)
        encoding = [mean, pooled, ops.log1p(num_people), ops.log1p(num_movies)]
        return ops.cast(ops.concatenate(encoding, axis=-1), "float32")

    def _log_ratio(self, by_genre: Any, movies: Any) -> Any:
        share = (by_genre + self.smoothing * self.genre_rates) / (movies + self.smoothing)
        return ops.log(share / self.genre_rates)
