"""People, described by the genres of their other movies."""

import numpy as np
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.data import Rows
from trainer.features import fields, people
from trainer.features.people import PeopleLift
from trainer.features.vocabulary import incidence
from transform import features as xf


def rows(count: int = 40) -> tuple[Rows, np.ndarray]:
    """Movies of random people, and their folds."""
    rng = np.random.default_rng(0)
    inputs = {
        name: tf.RaggedTensor.from_row_lengths(
            rng.integers(1, 9, 4 * count).astype(np.int32), np.full(count, 4)
        )
        for name in xf.PEOPLE_IDS.values()
    }
    labels = (rng.uniform(size=(count, NUM_GENRES)) < 0.3).astype(np.float32)
    return Rows(inputs, labels), (1 + np.arange(count) % 2).astype(np.int32)


def test_no_movie_is_counted_among_those_that_describe_it() -> None:
    train, folds = rows()
    found = people.fit(train, folds)
    assert tuple(found) == people.FIELDS
    for field, known in found.items():
        has = incidence(known.vocabulary, people.ids_of(train.inputs, field)).toarray()
        assert known.counts.shape == (3, 1 + len(known.vocabulary), NUM_GENRES + 1)
        for fold in (0, 1, 2):
            others = folds != fold
            table = known.counts[fold]
            np.testing.assert_allclose(table[:, :-1], has[others].T @ train.labels[others])
            np.testing.assert_allclose(table[:, -1], has[others].sum(0))


def test_leads_are_the_first_three_of_the_cast() -> None:
    train, folds = rows()
    short = people.fit(train, folds)
    cast = train.inputs["cast_ids"]
    longer = {**train.inputs, "cast_ids": tf.concat([cast, tf.ones([40, 4], tf.int32)], axis=1)}
    long = people.fit(Rows(longer, train.labels), folds)
    np.testing.assert_array_equal(short[people.LEADS].counts, long[people.LEADS].counts)
    assert not np.array_equal(short["cast_ids"].counts, long["cast_ids"].counts)


def test_people_lift() -> None:
    counts = np.zeros((2, 4, NUM_GENRES + 1), np.float32)
    counts[0, 1, [0, -1]] = 6, 8  # 6 movies of 8 are of the first genre
    counts[0, 2, [0, -1]] = 0, 2
    counts[1] = counts[0]
    counts[1, 2] = 0  # whose two movies are both in the fold of table 1
    rates = np.full(NUM_GENRES, 0.25)
    layer = PeopleLift(counts, rates, prior=2.0)
    places = np.array([[1, 2, 3], [1, 2, 3], [0, 0, 0]], np.int32)
    lifts = np.asarray(layer(places, np.array([[0], [1], [0]], np.int32)))

    first, second = np.log((6 + 0.5) / 10 / 0.25), np.log(0.5 / 4 / 0.25)
    together = np.log((6 + 0.5) / 12 / 0.25)
    size = fields.LIFT_SIZE
    assert lifts.shape == (3, size)
    np.testing.assert_allclose(
        lifts[:, [0, NUM_GENRES, size - 2, size - 1]],
        [
            [(first + second) / 2, together, np.log1p(2), np.log1p(10)],
            [first, first, np.log1p(1), np.log1p(8)],
            [0, 0, 0, 0],
        ],
        atol=1e-5,
    )
    known = fields.anyone_known({fields.PEOPLE_LIFTS: np.tile(lifts, (1, 4))})
    assert np.asarray(known).tolist() == [True, True, False]
