"""Regressions on plot and title."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from trainer.data import Rows
from trainer.features import texts
from trainer.features.texts import TextLogits, TextRegression
from trainer.features.vocabulary import incidence_matrix
from transform import features as xf

NUM_GENRES = 7


def fit_coefficients() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return coefficients from movies whose first genre depends on one word."""
    rng = np.random.default_rng(0)
    words = (rng.uniform(size=(300, 6)) < 0.3).astype(np.float32)
    labels = np.zeros((300, NUM_GENRES), np.float32)
    labels[:, 0] = words[:, 2]
    labels[:, 3] = 1
    terms = {"words": sparse.csr_matrix(words), "names": sparse.csr_matrix((300, 2))}
    folds = 1 + np.arange(300) % 2
    return texts.fit_out_of_fold(terms, labels, folds, seed=1), words, labels


def test_the_word_has_the_highest_coefficient() -> None:
    coefficients, words, labels = fit_coefficients()
    assert {name: value.shape for name, value in coefficients.items()} == {
        "words": (3, 6, NUM_GENRES),
        "names": (3, 2, NUM_GENRES),
    }
    for table in coefficients["words"]:
        assert table[:, 0].argmax() == 2
        logits = words @ table[:, 0]
        assert logits[labels[:, 0] == 1].min() > logits[labels[:, 0] == 0].max()
    assert not coefficients["names"].any()


def test_a_genre_of_no_movie_or_of_all_has_no_coefficients() -> None:
    coefficients, *_ = fit_coefficients()
    assert not coefficients["words"][:, :, [1, 3]].any()


def test_the_same_movies_give_the_same_coefficients() -> None:
    np.testing.assert_array_equal(fit_coefficients()[0]["words"], fit_coefficients()[0]["words"])


def test_coefficients_exclude_the_fold() -> None:
    """Each movie has a unique word, whose coefficient would reveal the genres of the movie."""
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(60, NUM_GENRES)) < 0.4).astype(np.float32)
    labels[:, 5] = np.arange(60) % 2
    common = np.stack([labels[:, 5], 1 - labels[:, 5]], axis=1)
    words = sparse.csr_matrix(np.concatenate([common, 3 * np.eye(60)], axis=1))
    folds = 1 + np.arange(60) // 2 % 3
    tables = texts.fit_out_of_fold({"words": words}, labels, folds, seed=1)["words"]
    assert tables.shape == (4, 62, NUM_GENRES)
    unique = 2 + np.arange(60)
    assert (np.abs(tables[0, unique, 0]) > 0.1).all()
    assert not tables[folds, unique].any()
    assert (tables[:, 0, 5] > 0.5).all()


def test_a_single_movie_has_zero_coefficients() -> None:
    words = {"words": sparse.csr_matrix(np.ones((1, 3), np.float32))}
    tables = texts.fit_out_of_fold(words, np.ones((1, NUM_GENRES)), np.ones(1, int), seed=1)[
        "words"
    ]
    np.testing.assert_array_equal(tables, np.zeros((2, 3, NUM_GENRES)))


def test_rare_terms_have_a_higher_inverse_document_frequency() -> None:
    ids = tf.ragged.constant([[10, 20], [10], [10]], dtype=tf.int32)
    idf = texts.inverse_document_frequency(incidence_matrix(np.array([10, 20, 30], np.int32), ids))
    np.testing.assert_allclose(idf, [0, 1, np.log(2) + 1, 0], atol=1e-6)


def test_logits_are_coefficients_weighted_by_normalized_tfidf() -> None:
    coefficients = np.arange(2 * 3 * NUM_GENRES, dtype=np.float32).reshape(2, 3, NUM_GENRES)
    regression = TextRegression(
        np.array([5, 9], np.int32), np.array([0, 3, 4], np.float32), coefficients
    )
    layer = TextLogits(regression)
    indices = np.array([[1, 2, 0], [0, 2, 0], [0, 0, 0]], np.int32)
    first, second = coefficients
    logits = layer(indices, np.zeros((3, 1), np.int32))
    np.testing.assert_allclose(
        logits, [0.6 * first[1] + 0.8 * first[2], first[2], 0 * first[0]], rtol=1e-5
    )
    logits = layer(indices, np.array([[1], [0], [1]], np.int32))
    np.testing.assert_allclose(
        logits, [0.6 * second[1] + 0.8 * second[2], first[2], 0 * first[0]], rtol=1e-5
    )
    unknown = layer(np.zeros((2, 1), np.int32), np.zeros((2, 1), np.int32))
    np.testing.assert_array_equal(unknown, np.zeros((2, NUM_GENRES)))


def test_the_layer_applies_the_regressions() -> None:
    rng = np.random.default_rng(4)
    ids = {
        name: tf.ragged.constant(rng.permuted(np.tile(np.arange(1, 13), (80, 1)), axis=1)[:, :4])
        for name in texts.VOCABULARY_LIMITS
    }
    inputs = {name: tf.cast(value, tf.int32) for name, value in ids.items()}
    labels = (rng.uniform(size=(80, NUM_GENRES)) < 0.3).astype(np.float32)
    folds = (1 + np.arange(80) % 2).astype(np.int32)
    regression = texts.fit(Rows(inputs, labels), folds, seed=1)[xf.PLOT_NGRAMS]
    assert regression.vocabulary.tolist() == list(range(1, 13))
    weights = (
        incidence_matrix(regression.vocabulary, inputs[xf.PLOT_NGRAMS]).toarray() * regression.idf
    )
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    expected = np.einsum("nt,ntg->ng", weights, regression.coefficients[folds])
    indices = inputs[xf.PLOT_NGRAMS].to_tensor()
    np.testing.assert_allclose(TextLogits(regression)(indices, folds[:, None]), expected, atol=1e-5)


@pytest.mark.parametrize(("name", "min_movies"), [(xf.PLOT_NGRAMS, 4), (xf.TITLE_WORDS, 3)])
def test_rare_terms_are_not_in_the_vocabulary(name: str, min_movies: int) -> None:
    rows = [[7, 8]] * (min_movies - 1) + [[8]]
    inputs = {
        feature: tf.ragged.constant(rows, dtype=tf.int32) for feature in texts.VOCABULARY_LIMITS
    }
    train = Rows(inputs, np.ones((len(rows), NUM_GENRES), np.float32))
    folds = np.ones(len(rows), np.int32)
    assert texts.fit(train, folds, seed=1)[name].vocabulary.tolist() == [8]
