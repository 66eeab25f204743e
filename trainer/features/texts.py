"""Logistic regressions of the genres on the words of plot and title, computed out of fold.

One regression per genre on TF-IDF of the plot's n-grams and the title's words is fitted on all
training movies, and one without each fold. The features of a training movie come from the
regression without its fold, so that its own genres do not leak into them. Coordinate descent on the
dual problem (Yu, Huang and Lin 2011, Machine Learning 85; LIBLINEAR) fits a regression in seconds.
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
from trainer.features.vocabulary import add_constant_weight, build_vocabulary, incidence_matrix
from transform import features as xf

VOCABULARY_LIMITS: Final = {
    xf.PLOT_NGRAMS: {"max_size": 80_000, "min_movies": 4},
    xf.TITLE_WORDS: {"max_size": 8_000, "min_movies": 3},
}
"""Largest size of each text feature's vocabulary, and the number of movies in which a term must
occur."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextRegression:
    """The fitted regressions on one text feature.

    Attributes:
        vocabulary: int32 [terms]. Ascending hashes of the terms.
        idf: float32 [terms + 1]. Inverse document frequencies; index 0, the unknown term, has 0.
        coefficients: float32 [1 + folds, terms + 1, genres]. Table 0 is fitted on all movies, table
            f on the movies outside of fold f.
    """

    vocabulary: np.ndarray
    idf: np.ndarray
    coefficients: np.ndarray


def fit(train: Rows, folds: np.ndarray, seed: int) -> dict[str, TextRegression]:
    """Fit the regressions on each feature in `VOCABULARY_LIMITS`.

    Args:
        train: Training split.
        folds: int32 [rows]. Fold of each row, counted from 1.
        seed: Integer. Seed of the solver.
    """
    vocabularies, idf, tfidf = {}, {}, {}
    for name, limits in VOCABULARY_LIMITS.items():
        vocabularies[name] = build_vocabulary(train.inputs[name], **limits)
        incidence = incidence_matrix(vocabularies[name], train.inputs[name])
        idf[name] = inverse_document_frequency(incidence)
        weighted = incidence @ sparse.diags(idf[name])
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
        tfidf[name] = sparse.diags(1 / np.maximum(norms, 1e-6)) @ weighted
    coefficients = fit_out_of_fold(tfidf, train.labels, folds, seed)
    return {
        name: TextRegression(vocabularies[name], idf[name], coefficients[name])
        for name in VOCABULARY_LIMITS
    }


def inverse_document_frequency(incidence: sparse.csr_matrix) -> np.ndarray:
    """Return the smoothed inverse document frequency of each term.

    Args:
        incidence: float32 [movies, terms]. 1.0 where a movie has a term.

    Returns:
        float32 [terms]. 0 for a term that no movie has.
    """
    frequency = np.asarray(incidence.sum(0)).ravel()
    idf = np.log((1 + incidence.shape[0]) / (1 + frequency)) + 1
    return np.where(frequency > 0, idf, 0.0).astype(np.float32)


def fit_out_of_fold(
    tfidf: Mapping[str, sparse.csr_matrix], labels: np.ndarray, folds: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Fit the coefficients on all rows, and on the rows outside of each fold.

    Args:
        tfidf: float32 [rows, terms + 1] matrices by feature.
        labels: float32 [rows, genres].
        folds: int32 [rows]. Fold of each row, counted from 1.
        seed: Integer. Seed of the solver.

    Returns:
        float32 [1 + folds, terms + 1, genres] by feature, the coefficients of `TextRegression`.
        They are zero for a genre that all rows have or none.
    """
    rows = sparse.hstack([*tfidf.values()], format="csr")
    num_folds = folds.max(initial=0)
    tables = np.zeros((1 + num_folds, rows.shape[1], labels.shape[1]), np.float32)
    for fold in range(1 + num_folds):
        outside = folds != fold
        if outside.any():
            tables[fold] = _fit_coefficients(rows[outside], labels[outside] > 0.5, seed)
        log.info("regressions on text: fitted %d of %d", fold + 1, 1 + num_folds)
    ends = np.cumsum([matrix.shape[1] for matrix in tfidf.values()])[:-1]
    return dict(zip(tfidf, np.split(tables, ends, axis=1), strict=True))


def _fit_coefficients(rows: sparse.csr_matrix, labels: np.ndarray, seed: int) -> np.ndarray:
    model = LogisticRegression(C=2.0, solver="liblinear", dual=True, tol=0.1, random_state=seed)
    # Threads run in parallel because LIBLINEAR releases the global interpreter lock.
    with joblib.parallel_config("threading", n_jobs=-1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        estimators = OneVsRestClassifier(model).fit(rows, labels).estimators_
    # The estimator of a genre that all rows have or none is a constant without coefficients.
    zero = np.zeros((1, rows.shape[1]), np.float32)
    return np.concatenate([getattr(estimator, "coef_", zero) for estimator in estimators]).T


class TextLogits(keras.layers.Layer):
    """Logits of the regressions on one text feature, without their intercepts.

    Args:
        regression: Fitted regressions.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, regression: TextRegression, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.table_size, self.num_genres = regression.coefficients.shape[1:]
        self.idf = add_constant_weight(self, "idf", regression.idf)
        coefficients = regression.coefficients.reshape(-1, self.num_genres)
        self.coefficients = add_constant_weight(self, "coefficients", coefficients)

    def call(self, indices: Any, folds: Any) -> Any:
        """Return the logits of each genre, float32 [N, genres].

        Args:
            indices: int32 [N, L]. Vocabulary indices of the terms, padded with 0.
            folds: int32 [N, 1]. Fold whose movies are excluded from the fit; 0 excludes none.
        """
        known = tf.where(indices > 0)
        terms = tf.gather_nd(indices, known)
        rows = terms + self.table_size * tf.gather(folds[:, 0], known[:, 0])
        shape = tf.shape(indices, tf.int64)
        idf = tf.gather(tf.convert_to_tensor(self.idf), terms)
        # The combiner `sqrtn` divides by the norm of the weights, as TF-IDF of unit length does.
        return tf.nn.safe_embedding_lookup_sparse(
            tf.convert_to_tensor(self.coefficients),
            tf.SparseTensor(known, tf.cast(rows, tf.int64), shape),
            tf.SparseTensor(known, idf, shape),
            combiner="sqrtn",
        )

    def compute_output_spec(
        self, indices: keras.KerasTensor, folds: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Return the output's shape, which Keras cannot infer from TensorFlow operations."""
        del folds
        return keras.KerasTensor((indices.shape[0], self.num_genres), dtype="float32")
