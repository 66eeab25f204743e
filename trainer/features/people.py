"""People, described by the genres of their other movies (target encoding, Micci-Barreca 2001).

The movies are counted out of fold, so that no movie is described by its own genres.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from scipy import sparse

from schema import features as raw
from trainer.data import Rows
from trainer.features.vocabulary import fixed, incidence, most_frequent
from transform import features as xf

LEADS: Final = "leads"
NUM_LEADS: Final = 3
"""The first names of the cast, which are counted a second time on their own."""

FIELDS: Final = (*xf.PEOPLE_IDS.values(), LEADS)
"""Fields that are counted, in the order of the columns of `fields.PEOPLE_LIFTS`."""

MOST_PEOPLE: Final = 200_000
"""Number of people of a field whose movies are counted: those with the most movies."""


@dataclass(frozen=True)
class People:
    """The people of one field.

    `vocabulary` has the ascending hashes of their names, int32 [people]. `counts`, float32 [1 +
    folds, people + 1, 22 + 1], has the movies of each genre, and movies; the first table counts all
    training movies, table f + 1 those outside of fold f. Row 0 is empty.
    """

    vocabulary: np.ndarray
    counts: np.ndarray


def ids_of(inputs: Any, field: str) -> Any:
    """The ids of a field in `FIELDS`; [N, varying] as the field of the cast."""
    return inputs[xf.PEOPLE_IDS[raw.CAST]][:, :NUM_LEADS] if field == LEADS else inputs[field]


def fit(train: Rows, folds: np.ndarray) -> dict[str, People]:
    """The people of each field in `FIELDS`; `folds` are int32 [rows], counted from 1."""
    found = {}
    for field in FIELDS:
        ids = ids_of(train.inputs, field)
        vocabulary = most_frequent(ids, most=MOST_PEOPLE, min_movies=1)
        found[field] = People(vocabulary, count(incidence(vocabulary, ids), train.labels, folds))
    return found


def count(matrix: sparse.csr_matrix, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Movies of each person by genre, all and those outside of each fold, as in `People`.

    `matrix` is float32 [movies, people], 1.0 where a movie has a person; `labels` are float32
    [movies, 22]; `folds` int32 [movies], counted from 1.
    """
    counted = np.concatenate([labels, np.ones((len(labels), 1), np.float32)], axis=1)
    whole = matrix.T @ counted
    inside = (folds == fold for fold in range(1, folds.max(initial=0) + 1))
    parts = [whole - matrix[rows].T @ counted[rows] for rows in inside]
    return np.stack([whole, *parts]).astype(np.float32)


class PeopleLift(keras.layers.Layer):
    """How much likelier each genre is, given who made a movie.

    A person's lift of a genre is the log of the ratio of the genre's share of their movies to its
    share of all movies, shrunk as if `prior` movies more had been average ones. A movie gets the
    mean lift of its people, the lift of their movies taken together, and the numbers of these
    people and movies, both as log(1 + n). A person with no other movie is not counted, so a movie
    without known people gets zeros. `counts` are those of `People`, and `genre_rates` the shares of
    all movies, float32 [22].
    """

    def __init__(
        self, counts: np.ndarray, genre_rates: np.ndarray, prior: float, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.people = counts.shape[1]
        self.prior = prior
        self.rates = np.maximum(genre_rates, 1e-4).astype(np.float32)
        self.counts = fixed(self, "counts", counts.reshape(-1, counts.shape[2]))

    def call(self, places: Any, table: Any) -> Any:
        """Describe movies: float32 [N, `fields.LIFT_SIZE`].

        `places` in the vocabulary are int32 [N, L], 0 for none; `table` is int32 [N, 1], that of
        the counts for each row.
        """
        found = ops.take(self.counts, places + table * self.people, axis=0)
        by_genre, movies = found[..., :-1], found[..., -1:]
        known = ops.cast(movies > 0, "float32")
        people, pooled = ops.sum(known, axis=1), ops.sum(movies, axis=1)
        mean = ops.sum(self._lift(by_genre, movies) * known, axis=1) / ops.maximum(people, 1.0)
        together = self._lift(ops.sum(by_genre, axis=1), pooled)
        return ops.concatenate([mean, together, ops.log1p(people), ops.log1p(pooled)], axis=-1)

    def _lift(self, by_genre: Any, movies: Any) -> Any:
        share = (by_genre + self.prior * self.rates) / (movies + self.prior)
        return ops.log(share / self.rates)
