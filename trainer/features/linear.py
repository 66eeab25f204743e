"""The linear member: a logistic regression for each genre, over terms and classes of numbers.

It is what a linear model on the same fields would be by itself, so it errs unlike the members that
gradients train together. Coordinate descent on the dual problem (Yu, Huang and Lin 2011, Machine
Learning 85; LIBLINEAR) fits it in seconds, and nothing changes it afterwards.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

STRENGTH: Final = 2.0
"""Inverse of the regularization."""

TOLERANCE: Final = 0.1
"""At which the solver stops."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Linear:
    """Coefficients of the regressions.

    Attributes:
        terms: by id feature, float32 [ids + 1, 22].
        numbers: of the classes of numbers, float32 [classes, 22].
        bias: float32 [22].
    """

    terms: dict[str, np.ndarray]
    numbers: np.ndarray
    bias: np.ndarray


def fit(
    terms: Mapping[str, sparse.csr_matrix], numbers: np.ndarray, labels: np.ndarray, seed: int
) -> Linear:
    """Fit all regressions.

    Args:
        terms: weighted terms by id feature, float32 [rows, ids + 1].
        numbers: float32 [rows, classes].
        labels: float32 [rows, 22].
        seed: of the order in which the solver visits the rows.

    Returns:
        A genre that no row has, or each, gets no coefficients, and a bias that says so.
    """
    rows = sparse.hstack([*terms.values(), sparse.csr_matrix(numbers)], format="csr")
    coefficients = np.zeros((rows.shape[1], labels.shape[1]), np.float32)
    films, bias = labels.sum(0), log_odds(labels)
    for genre in np.flatnonzero((films > 0) & (films < len(labels))):
        model = LogisticRegression(
            C=STRENGTH, solver="liblinear", dual=True, tol=TOLERANCE, random_state=seed
        ).fit(rows, labels[:, genre] > 0.5)
        coefficients[:, genre], bias[genre] = model.coef_[0], model.intercept_[0]
    ends = np.cumsum([matrix.shape[1] for matrix in terms.values()])
    *of_terms, of_numbers = np.split(coefficients, ends)
    return Linear(dict(zip(terms, of_terms, strict=True)), of_numbers, bias)


def out_of_fold(
    terms: Mapping[str, sparse.csr_matrix], labels: np.ndarray, folds: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Coefficients of the terms alone, from all rows and from all but each fold.

    Args:
        terms: as in `fit`.
        labels: as in `fit`.
        folds: int32 [rows], from 1.
        seed: as in `fit`.

    Returns:
        By id feature, float32 [1 + folds, ids + 1, 22]; the first table is that of all rows, that
        of place f + 1 of all but fold f.
    """
    tables = []
    last = folds.max(initial=0)
    for fold in range(last + 1):
        kept = folds != fold
        some = {name: matrix[kept] for name, matrix in terms.items()}
        tables.append(fit(some, np.zeros((kept.sum(), 0), np.float32), labels[kept], seed).terms)
        log.info("regressions on text: %d of %d tables", fold + 1, last + 1)
    return {name: np.stack([table[name] for table in tables]) for name in terms}


def log_odds(labels: np.ndarray) -> np.ndarray:
    """Of each genre among the rows, finite even where none or all have it.

    Args:
        labels: float32 [rows, 22].

    Returns:
        float32 [22].
    """
    films = labels.sum(0)
    return np.log((films + 0.5) / (len(labels) - films + 0.5)).astype(np.float32)
