"""What is counted and factored on the training split."""

import numpy as np
import tensorflow as tf
from scipy import sparse

from schema.genres import NUM_GENRES
from trainer.data import Rows
from trainer.features import factors
from trainer.hparams import HParams
from transform import features as xf

SIZES = dict.fromkeys(xf.ID_FEATURES, 5)  # four known ids and one for all others
HPARAMS = HParams(ngram_factors=3, title_factors=2, people_factors=2, people_folds=2)


def rows(count: int = 40, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    inputs = {
        name: tf.RaggedTensor.from_row_lengths(
            rng.integers(1, 6, 3 * count).astype(np.int32), np.full(count, 3)
        )
        for name in xf.ID_FEATURES
    }
    inputs[xf.NUMBERS] = tf.constant(rng.normal(size=(count, 4)).astype(np.float32))
    inputs[xf.NUMBERS_MISSING] = tf.zeros((count, 4))
    labels = (rng.uniform(size=(count, NUM_GENRES)) < 0.3).astype(np.float32)
    return Rows(inputs, labels)


def test_incidence_counts_an_id_once_and_unknown_ids_never() -> None:
    ids = tf.ragged.constant([[1, 1, 5], [], [4, 2]], dtype=tf.int32)
    expected = [[0, 1, 0, 0, 0, 0], [0] * 6, [0, 0, 1, 0, 1, 0]]
    np.testing.assert_array_equal(factors.incidence(ids, 5).toarray(), expected)


def test_rare_ids_weigh_more_and_absent_ones_nothing() -> None:
    ids = tf.ragged.constant([[1, 2], [1], [1]], dtype=tf.int32)
    weight = factors.inverse_frequency(factors.incidence(ids, 5))
    np.testing.assert_allclose(weight, [0, 1, np.log(2) + 1, 0, 0, 0], atol=1e-6)


def test_factors_span_what_the_matrix_does() -> None:
    rng = np.random.default_rng(2)
    low_rank = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 7))
    loadings = factors.factor(sparse.csr_matrix(low_rank.astype(np.float32)), 2, seed=1)
    np.testing.assert_allclose(low_rank @ loadings @ loadings.T, low_rank, atol=1e-4)


def test_more_factors_than_there_are_stay_zero() -> None:
    found = factors.fit(rows(), SIZES, HPARAMS.changed({"title_factors": 9}))
    basis = found.bases[xf.TITLE_WORDS]
    assert basis.shape == (6, 9)
    assert basis[:, :4].any()
    assert not basis[:, 5:].any()


def test_no_film_is_counted_among_those_that_describe_it() -> None:
    train = rows()
    found = factors.fit(train, SIZES, HPARAMS)
    folds = factors.folds_of(len(train), HPARAMS)
    for name in xf.PEOPLE_IDS.values():
        has = factors.incidence(train.inputs[name], SIZES[name]).toarray()
        for fold in (0, 1, 2):
            others = np.ones(len(train), bool) if fold == 0 else folds != fold
            expected = has[others].T @ train.labels[others]
            table = found.counts[name][fold]
            np.testing.assert_allclose(table[:, :-1], expected, atol=1e-4)
            np.testing.assert_allclose(table[:, -1], has[others].sum(0), atol=1e-4)


def test_leads_are_the_first_three_of_the_cast() -> None:
    train = rows()
    short = factors.fit(train, SIZES, HPARAMS).counts
    cast = train.inputs["cast_ids"]
    longer = {**train.inputs, "cast_ids": tf.concat([cast, tf.ones([40, 4], tf.int32)], axis=1)}
    long = factors.fit(Rows(longer, train.labels), SIZES, HPARAMS).counts
    np.testing.assert_array_equal(short[factors.LEADS], long[factors.LEADS])
    assert not np.array_equal(short["cast_ids"], long["cast_ids"])


def test_serving_keeps_the_table_of_all_films() -> None:
    found = factors.fit(rows(), SIZES, HPARAMS)
    kept = found.for_serving()
    for name, table in kept.counts.items():
        np.testing.assert_array_equal(table, found.counts[name][:1])
