"""Regressions of the genres on the words of plot and title, which have not seen the movie.

A logistic regression for each genre over the TF-IDF of n-grams and title words, fitted once on all
training movies and once without each fold. A training movie's features come from the regression
without its own fold, so that its own genres are not in them. Coordinate descent on the dual problem
(Yu, Huang and Lin 2011, Machine Learning 85; LIBLINEAR) fits each of them in seconds.
"""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import joblib
import keras
import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from trainer.data import Rows
from trainer.features.vocabulary import fixed, incidence, most_frequent
from transform import features as xf

TERMS: Final = {
    xf.PLOT_NGRAMS: {"most": 80_000, "min_movies": 4},
    xf.TITLE_WORDS: {"most": 8_000, "min_movies": 3},
}
"""Features that are read, with the size of each vocabulary and the number of movies in which a term
has to occur."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """The terms of one text feature.

    Attributes:
        vocabulary: int32 [terms], ascending hashes.
        weights: float32 [terms + 1], inverse document frequencies; 0 for an unknown term.
        coefficients: float32 [1 + folds, terms + 1, 22]; the first table is from all movies, table
            f + 1 from the movies outside of fold f.
    """

    vocabulary: np.ndarray
    weights: np.ndarray
    coefficients: np.ndarray


def fit(train: Rows, folds: np.ndarray, seed: int) -> dict[str, Terms]:
    """The terms of each feature in `TERMS`; `folds` are int32 [rows], counted from 1."""
    vocabularies = {name: most_frequent(train.inputs[name], **TERMS[name]) for name in TERMS}
    columns = {name: incidence(vocabularies[name], train.inputs[name]) for name in TERMS}
    weights = {name: inverse_frequency(columns[name]) for name in TERMS}
    scaled = {}
    for name in TERMS:
        matrix = columns[name] @ sparse.diags(weights[name])
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
        scaled[name] = sparse.diags(1 / np.maximum(lengths, 1e-6)) @ matrix
    tables = out_of_fold(scaled, train.labels, folds, seed)
    return {name: Terms(vocabularies[name], weights[name], tables[name]) for name in TERMS}


def inverse_frequency(matrix: sparse.csr_matrix) -> np.ndarray:
    """Smoothed log of the inverse share of rows that have a column; 0 if no row has it.

    [rows, columns] in, 1.0 where a row has the column; float32 [columns] out.
    """
    frequency = np.asarray(matrix.sum(0)).ravel()
    weight = np.log((1 + matrix.shape[0]) / (1 + frequency)) + 1
    return np.where(frequency > 0, weight, 0.0).astype(np.float32)


def out_of_fold(
    terms: Mapping[str, sparse.csr_matrix], labels: np.ndarray, folds: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Coefficients by feature from all rows, and from those outside of each fold, as in `Terms`.

    `terms` are weighted, float32 [rows, terms + 1] by feature; `labels` float32 [rows, 22]; `folds`
    int32 [rows], counted from 1. A genre that no row has, or each, has coefficients of zero.
    """
    rows = sparse.hstack([*terms.values()], format="csr")
    last = folds.max(initial=0)
    tables = np.zeros((1 + last, rows.shape[1], labels.shape[1]), np.float32)
    for fold in range(1 + last):
        others = folds != fold
        if others.any():
            tables[fold] = _coefficients(rows[others], labels[others] > 0.5, seed)
        log.info("regressions on text: %d of %d tables", fold + 1, 1 + last)
    ends = np.cumsum([matrix.shape[1] for matrix in terms.values()])[:-1]
    return dict(zip(terms, np.split(tables, ends, axis=1), strict=True))


def _coefficients(rows: sparse.csr_matrix, labels: np.ndarray, seed: int) -> np.ndarray:
    model = LogisticRegression(C=2.0, solver="liblinear", dual=True, tol=0.1, random_state=seed)
    # The solver lets other threads run.
    with joblib.parallel_config("threading", n_jobs=-1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        estimators = OneVsRestClassifier(model).fit(rows, labels).estimators_
    # Of a genre that no row has, or each, the estimator is a constant.
    zero = np.zeros((1, rows.shape[1]), np.float32)
    return np.concatenate([getattr(one, "coef_", zero) for one in estimators]).T


class TextLogits(keras.layers.Layer):
    """The terms' sum of coefficients, weighted by TF-IDF of unit length."""

    def __init__(self, terms: Terms, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.terms, self.genres = terms.coefficients.shape[1:]
        self.weights_by_term = fixed(self, "weights", terms.weights)
        coefficients = terms.coefficients.reshape(-1, self.genres)
        self.coefficients = fixed(self, "coefficients", coefficients)

    def call(self, places: Any, table: Any) -> Any:
        """Add up: float32 [N, 22].

        `places` in the vocabulary are int32 [N, L], 0 for none; `table` is int32 [N, 1], that of
        the coefficients for each row.
        """
        known = tf.where(places > 0)
        found = tf.gather_nd(places, known)
        ids = found + self.terms * tf.gather(table[:, 0], known[:, 0])
        shape = tf.shape(places, tf.int64)
        weights = tf.gather(tf.convert_to_tensor(self.weights_by_term), found)
        return tf.nn.safe_embedding_lookup_sparse(
            tf.convert_to_tensor(self.coefficients),
            tf.SparseTensor(known, tf.cast(ids, tf.int64), shape),
            tf.SparseTensor(known, weights, shape),
            combiner="sqrtn",
        )

    def compute_output_spec(
        self, places: keras.KerasTensor, table: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Shape of the output, which Keras cannot find through the operations above."""
        del table
        return keras.KerasTensor((places.shape[0], self.genres), dtype="float32")
