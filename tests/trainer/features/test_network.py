"""From ids to features: exact values, and the folds that they are computed with."""

import numpy as np
import tensorflow as tf

from schema import features as raw
from schema.genres import NUM_GENRES
from trainer.data import Rows
from trainer.features import fields, network, people, texts
from trainer.hparams import HParams
from transform import features as xf

HPARAMS = HParams(folds=2, people_prior=2.0)
ROWS = 60


def movies() -> Rows:
    """Movies of which two neighbours share their split key."""
    rng = np.random.default_rng(3)
    inputs = {
        name: tf.RaggedTensor.from_row_lengths(
            rng.integers(1, 9, 4 * ROWS).astype(np.int32), np.full(ROWS, 4)
        )
        for name in xf.HASHED_FEATURES
    }
    inputs[xf.SPLIT_GROUP] = tf.constant(np.arange(ROWS) // 2 + 100, tf.int64)
    labels = (rng.uniform(size=(ROWS, NUM_GENRES)) < 0.4).astype(np.float32)
    return Rows(inputs, labels)


def test_movies_that_belong_together_share_a_fold() -> None:
    folds = network.folds_of(movies(), HPARAMS)
    np.testing.assert_array_equal(folds, 1 + np.arange(ROWS) // 2 % 2)
    assert folds.dtype == np.int32
    assert set(network.folds_of(movies(), HPARAMS.changed({"folds": 5}))) == {1, 2, 3, 4, 5}


def test_a_copy_of_a_movie_does_not_tell_its_genres() -> None:
    """Neither a word nor a person that only a movie and its copy have says anything of it."""
    train = movies()
    inputs = dict(train.inputs)
    inputs[xf.PLOT_NGRAMS] = tf.ragged.constant(
        [[1 + row // 4, 99] for row in range(ROWS)], dtype=tf.int32
    )
    directors = xf.PEOPLE_IDS[raw.DIRECTORS]
    inputs[directors] = tf.ragged.constant([[1 + row // 2] for row in range(ROWS)], dtype=tf.int32)
    inputs[xf.SPLIT_GROUP] = tf.constant(np.arange(ROWS) // 4, tf.int64)
    train = Rows(inputs, train.labels)
    folds = network.folds_of(train, HPARAMS)
    fitted = network.fit(train, HPARAMS)
    assert len(fitted.people[directors].vocabulary) == ROWS // 2
    places = np.arange(ROWS) // 2 + 1
    assert not fitted.people[directors].counts[folds, places].any()
    assert fitted.people[directors].counts[0, places, -1].tolist() == [2.0] * ROWS
    own = fitted.terms[xf.PLOT_NGRAMS].vocabulary.tolist().index(3) + 1
    rows = np.flatnonzero(np.arange(ROWS) // 4 == 2)
    assert not fitted.terms[xf.PLOT_NGRAMS].coefficients[folds[rows], own].any()


def test_features_have_exact_values() -> None:
    train = movies()
    fitted = network.fit(train, HPARAMS)
    extract = network.build(fitted, HPARAMS)
    folds = network.folds_of(train, HPARAMS)
    assert sorted(item.name for item in extract.inputs) == sorted(
        [*xf.HASHED_FEATURES, network.TABLE]
    )
    found = network.compute(extract, train, folds)
    assert {name: (value.dtype, value.shape) for name, value in found.items()} == {
        fields.PLOT_LOGITS: (np.float16, (ROWS, NUM_GENRES)),
        fields.TITLE_LOGITS: (np.float16, (ROWS, NUM_GENRES)),
        fields.PEOPLE_LIFTS: (np.float16, (ROWS, 4 * fields.LIFT_SIZE)),
        fields.CREDIT_COUNTS: (np.float16, (ROWS, 3)),
    }
    np.testing.assert_allclose(found[fields.CREDIT_COUNTS], np.log(5), rtol=1e-3)

    row = 7
    cast = sorted(set(train.inputs["cast_ids"][row].numpy()))
    others = folds != folds[row]
    pooled = np.zeros(NUM_GENRES + 1)
    for person in train.inputs["cast_ids"][row].numpy():
        has = np.array([person in one for one in train.inputs["cast_ids"].to_list()]) & others
        pooled += np.append(train.labels[has].sum(0), has.sum())
    rates = train.labels.mean(0)
    expected = np.log((pooled[:-1] + 2 * rates) / (pooled[-1] + 2) / rates)
    of_cast = found[fields.PEOPLE_LIFTS][row].reshape(4, -1)[raw.PEOPLE.index(raw.CAST)]
    np.testing.assert_allclose(of_cast[NUM_GENRES : 2 * NUM_GENRES], expected, atol=0.01)
    assert cast
    np.testing.assert_allclose(of_cast[-1], np.log1p(pooled[-1]), rtol=1e-2)


def test_other_splits_are_described_by_all_training_movies() -> None:
    train = movies()
    fitted = network.fit(train, HPARAMS)
    served = network.build(fitted.for_serving(), HPARAMS)
    of_others = network.compute(network.build(fitted, HPARAMS), train)
    for name, value in network.compute(served, train).items():
        np.testing.assert_array_equal(value, of_others[name])


def test_unknown_ids_are_counted_as_names_and_say_nothing() -> None:
    extract = network.build(network.fit(movies(), HPARAMS), HPARAMS)
    inputs = {
        name: tf.ragged.constant([[1000, 1001], []], dtype=tf.int32) for name in xf.HASHED_FEATURES
    }
    found = network.compute(extract, Rows(inputs, np.zeros((2, NUM_GENRES), np.float32)))
    np.testing.assert_allclose(found[fields.CREDIT_COUNTS], [[np.log(3)] * 3, [0, 0, 0]], rtol=1e-3)
    for name in (fields.PLOT_LOGITS, fields.TITLE_LOGITS, fields.PEOPLE_LIFTS):
        assert not found[name].any()


def test_serving_keeps_the_tables_of_all_movies() -> None:
    fitted = network.fit(movies(), HPARAMS)
    served = fitted.for_serving()
    for name in texts.TERMS:
        whole = fitted.terms[name].coefficients[:1]
        np.testing.assert_array_equal(served.terms[name].coefficients, whole)
    for name in people.FIELDS:
        np.testing.assert_array_equal(served.people[name].counts, fitted.people[name].counts[:1])
