"""The feature extractor: exact values, and the exclusion of folds."""

import numpy as np
import tensorflow as tf

from schema import features as raw
from trainer.data import Rows
from trainer.features import extractor, fields, people, texts
from trainer.hparams import HParams
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)

HPARAMS = HParams(folds=2, people_smoothing=2.0)
ROWS = 60


def movies() -> Rows:
    """Return movies of which each two neighbours share their split key."""
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


def test_movies_with_the_same_split_key_share_a_fold() -> None:
    folds = extractor.assign_folds(movies(), HPARAMS)
    np.testing.assert_array_equal(folds, 1 + np.arange(ROWS) // 2 % 2)
    assert folds.dtype == np.int32
    assert set(extractor.assign_folds(movies(), HPARAMS.updated({"folds": 5}))) == {1, 2, 3, 4, 5}


def test_a_copy_of_a_movie_does_not_leak_its_genres() -> None:
    """A word or a person of only a movie and its copy has no effect on their features."""
    train = movies()
    inputs = dict(train.inputs)
    inputs[xf.PLOT_NGRAMS] = tf.ragged.constant(
        [[1 + row // 4, 99] for row in range(ROWS)], dtype=tf.int32
    )
    directors = xf.PEOPLE_IDS[raw.DIRECTORS]
    inputs[directors] = tf.ragged.constant([[1 + row // 2] for row in range(ROWS)], dtype=tf.int32)
    inputs[xf.SPLIT_GROUP] = tf.constant(np.arange(ROWS) // 4, tf.int64)
    train = Rows(inputs, train.labels)
    folds = extractor.assign_folds(train, HPARAMS)
    fitted = extractor.fit(train, HPARAMS)
    assert len(fitted.people[directors].vocabulary) == ROWS // 2
    indices = np.arange(ROWS) // 2 + 1
    assert not fitted.people[directors].counts[folds, indices].any()
    assert fitted.people[directors].counts[0, indices, -1].tolist() == [2.0] * ROWS
    unique_term = fitted.regressions[xf.PLOT_NGRAMS].vocabulary.tolist().index(3) + 1
    rows = np.flatnonzero(np.arange(ROWS) // 4 == 2)
    assert not fitted.regressions[xf.PLOT_NGRAMS].coefficients[folds[rows], unique_term].any()


def test_features_have_exact_values() -> None:
    train = movies()
    fitted = extractor.fit(train, HPARAMS)
    network = extractor.build(fitted, HPARAMS)
    folds = extractor.assign_folds(train, HPARAMS)
    assert sorted(tensor.name for tensor in network.inputs) == sorted(
        [*xf.HASHED_FEATURES, extractor.FOLD]
    )
    features = extractor.compute(network, train, folds)
    assert {name: (value.dtype, value.shape) for name, value in features.items()} == {
        fields.PLOT_LOGITS: (np.float16, (ROWS, NUM_GENRES)),
        fields.TITLE_LOGITS: (np.float16, (ROWS, NUM_GENRES)),
        fields.PEOPLE_TARGET_ENCODING: (np.float16, (ROWS, 4 * SIZE)),
        fields.CREDIT_COUNTS: (np.float16, (ROWS, 3)),
    }
    np.testing.assert_allclose(features[fields.CREDIT_COUNTS], np.log(5), rtol=1e-3)

    row = 7
    cast = sorted(set(train.inputs["cast_ids"][row].numpy()))
    outside = folds != folds[row]
    pooled = np.zeros(NUM_GENRES + 1)
    for person in train.inputs["cast_ids"][row].numpy():
        has = np.array([person in ids for ids in train.inputs["cast_ids"].to_list()]) & outside
        pooled += np.append(train.labels[has].sum(0), has.sum())
    rates = train.labels.mean(0)
    expected = np.log((pooled[:-1] + 2 * rates) / (pooled[-1] + 2) / rates)
    of_cast = features[fields.PEOPLE_TARGET_ENCODING][row].reshape(4, -1)[
        raw.PEOPLE.index(raw.CAST)
    ]
    np.testing.assert_allclose(of_cast[NUM_GENRES : 2 * NUM_GENRES], expected, atol=0.01)
    assert cast
    np.testing.assert_allclose(of_cast[-1], np.log1p(pooled[-1]), rtol=1e-2)


def test_features_of_other_splits_exclude_no_fold() -> None:
    train = movies()
    fitted = extractor.fit(train, HPARAMS)
    served = extractor.build(fitted.for_serving(), HPARAMS)
    expected = extractor.compute(extractor.build(fitted, HPARAMS), train)
    for name, value in extractor.compute(served, train).items():
        np.testing.assert_array_equal(value, expected[name])


def test_unknown_ids_are_counted_but_not_encoded() -> None:
    network = extractor.build(extractor.fit(movies(), HPARAMS), HPARAMS)
    inputs = {
        name: tf.ragged.constant([[1000, 1001], []], dtype=tf.int32) for name in xf.HASHED_FEATURES
    }
    features = extractor.compute(network, Rows(inputs, np.zeros((2, NUM_GENRES), np.float32)))
    np.testing.assert_allclose(
        features[fields.CREDIT_COUNTS], [[np.log(3)] * 3, [0, 0, 0]], rtol=1e-3
    )
    for name in (fields.PLOT_LOGITS, fields.TITLE_LOGITS, fields.PEOPLE_TARGET_ENCODING):
        assert not features[name].any()


def test_serving_keeps_the_tables_without_a_fold() -> None:
    fitted = extractor.fit(movies(), HPARAMS)
    served = fitted.for_serving()
    for name in texts.VOCABULARY_LIMITS:
        expected = fitted.regressions[name].coefficients[:1]
        np.testing.assert_array_equal(served.regressions[name].coefficients, expected)
    for name in people.ENCODED_FIELDS:
        np.testing.assert_array_equal(served.people[name].counts, fitted.people[name].counts[:1])
