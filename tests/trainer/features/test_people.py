"""Target encoding of people."""

import numpy as np
import tensorflow as tf

from trainer.data import Rows
from trainer.features import fields, people
from trainer.features.people import PeopleTargetEncoding
from trainer.features.vocabulary import incidence_matrix
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)


def rows(count: int = 40) -> tuple[Rows, np.ndarray]:
    """Return movies of random people, and their folds."""
    rng = np.random.default_rng(0)
    inputs = {
        name: tf.RaggedTensor.from_row_lengths(
            rng.integers(1, 9, 4 * count).astype(np.int32), np.full(count, 4)
        )
        for name in xf.PEOPLE_IDS.values()
    }
    labels = (rng.uniform(size=(count, NUM_GENRES)) < 0.3).astype(np.float32)
    return Rows(inputs, labels), (1 + np.arange(count) % 2).astype(np.int32)


def test_counts_exclude_the_fold() -> None:
    train, folds = rows()
    fitted = people.fit(train, folds)
    assert tuple(fitted) == people.ENCODED_FIELDS
    for field, genre_counts in fitted.items():
        has = incidence_matrix(
            genre_counts.vocabulary, people.person_ids(train.inputs, field)
        ).toarray()
        assert genre_counts.counts.shape == (3, 1 + len(genre_counts.vocabulary), NUM_GENRES + 1)
        for fold in (0, 1, 2):
            outside = folds != fold
            table = genre_counts.counts[fold]
            np.testing.assert_allclose(table[:, :-1], has[outside].T @ train.labels[outside])
            np.testing.assert_allclose(table[:, -1], has[outside].sum(0))


def test_lead_actors_are_the_first_three_of_the_cast() -> None:
    train, folds = rows()
    short = people.fit(train, folds)
    cast = train.inputs["cast_ids"]
    longer = {**train.inputs, "cast_ids": tf.concat([cast, tf.ones([40, 4], tf.int32)], axis=1)}
    long = people.fit(Rows(longer, train.labels), folds)
    np.testing.assert_array_equal(short[people.LEAD_ACTORS].counts, long[people.LEAD_ACTORS].counts)
    assert not np.array_equal(short["cast_ids"].counts, long["cast_ids"].counts)


def test_target_encoding() -> None:
    counts = np.zeros((2, 4, NUM_GENRES + 1), np.float32)
    counts[0, 1, [0, -1]] = 6, 8  # 6 of 8 movies have the first genre.
    counts[0, 2, [0, -1]] = 0, 2
    counts[1] = counts[0]
    counts[1, 2] = 0  # Both movies of this person are in fold 1.
    rates = np.full(NUM_GENRES, 0.25)
    layer = PeopleTargetEncoding(counts, rates, smoothing=2.0)
    indices = np.array([[1, 2, 3], [1, 2, 3], [0, 0, 0]], np.int32)
    encoding = np.asarray(layer(indices, np.array([[0], [1], [0]], np.int32)))

    first, second = np.log((6 + 0.5) / 10 / 0.25), np.log(0.5 / 4 / 0.25)
    pooled = np.log((6 + 0.5) / 12 / 0.25)
    assert encoding.shape == (3, SIZE)
    np.testing.assert_allclose(
        encoding[:, [0, NUM_GENRES, SIZE - 2, SIZE - 1]],
        [
            [(first + second) / 2, pooled, np.log1p(2), np.log1p(10)],
            [first, first, np.log1p(1), np.log1p(8)],
            [0, 0, 0, 0],
        ],
        atol=1e-5,
    )
    known = fields.has_known_people({fields.PEOPLE_TARGET_ENCODING: np.tile(encoding, (1, 4))})
    assert np.asarray(known).tolist() == [True, True, False]


def test_the_encoding_of_a_movie_does_not_depend_on_the_other_movies() -> None:
    """The trees compare these values with thresholds, so even the last digit must be the same."""
    rng = np.random.default_rng(1)
    counts = np.zeros((1, 400, NUM_GENRES + 1), np.float32)
    counts[0, 1:, :-1] = rng.integers(0, 9, (399, NUM_GENRES))
    counts[0, 1:, -1] = counts[0, 1:, :-1].max(1) + rng.integers(1, 5, 399)
    layer = PeopleTargetEncoding(counts, np.full(NUM_GENRES, 0.13), smoothing=2.0)
    indices, fold = rng.integers(0, 400, (96, 5)).astype(np.int32), np.zeros((1, 1), np.int32)
    together = layer(indices, np.tile(fold, (96, 1)))
    alone = np.concatenate([layer(indices[i : i + 1], fold) for i in range(96)])
    np.testing.assert_array_equal(together, alone)
