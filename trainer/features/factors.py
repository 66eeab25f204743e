"""What is counted, factored and regressed on the training split before any gradient.

Weights of terms are inverse document frequencies; factors are those of latent semantic analysis
(Deerwester et al. 1990), by the randomized singular value decomposition of Halko et al. 2011
(arXiv:0909.4061). People are described by the genres of their other films, counted out of fold, so
that no film is described by its own label (target encoding, Micci-Barreca 2001), and texts by
regressions that have not seen the film.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from schema import features as raw
from trainer.data import Rows
from trainer.ensemble.layers import number_classes
from trainer.features import linear
from trainer.features.linear import Linear
from trainer.hparams import HParams
from transform import features as xf

TERMS: Final = (xf.PLOT_NGRAMS, xf.TITLE_WORDS, *xf.PEOPLE_IDS.values())
"""Bags of ids; of people only the ids up to the last that two training films share are read."""

TEXT_TERMS: Final = (xf.PLOT_NGRAMS, xf.TITLE_WORDS)
"""Those of `TERMS` that are read by regressions out of fold."""

LEADS: Final = "leads"
NUM_LEADS: Final = 3
"""The cast's first names, who are counted once more on their own."""

_POWER_ITERATIONS: Final = 3

Columns = dict[str, sparse.csr_matrix]


@dataclass(frozen=True)
class Factors:
    """Tables by id; row 0 of each is that of padding and zero.

    Attributes:
        weights: by id feature that is a bag, float32 [ids + 1]; of people only those whom two films
            share, since nobody else says who works with whom.
        bases: by the same, float32 [that many, factors]; the people's have their factors in common.
        counts: by people feature, and for the leads: float32 [1 + folds, ids + 1, 22 + 1], films of
            each genre, and films; the first table of the whole training split, that of place f + 1
            of all but fold f.
        genre_rates: float32 [22], share of the training films with each genre.
        text: by id feature of the texts, float32 [1 + folds, ids + 1, 22], coefficients of
            `trainer.features.linear.out_of_fold`; tables as those of `counts`.
        linear: see `trainer.features.linear`.
    """

    weights: dict[str, np.ndarray]
    bases: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    genre_rates: np.ndarray
    text: dict[str, np.ndarray]
    linear: Linear

    def for_serving(self) -> "Factors":
        """Without the tables of single folds, which only training needs."""

        def first(tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: table[:1] for name, table in tables.items()}

        return replace(self, counts=first(self.counts), text=first(self.text))


def folds_of(rows: int, hparams: HParams) -> np.ndarray:
    """Which table of counts describes each training row: int32 [rows], from 1 to the folds."""
    return (1 + np.arange(rows) % hparams.people_folds).astype(np.int32)


def fit(train: Rows, sizes: dict[str, int], hparams: HParams) -> Factors:
    """Count and factor.

    Args:
        train: the training split.
        sizes: ids of each id feature, out-of-vocabulary buckets included.
        hparams: see `HParams`.

    Returns:
        The tables. Whoever is out of the vocabulary counts as unknown.
    """
    columns = {name: incidence(train.inputs[name], sizes[name]) for name in TERMS}
    weights = {name: inverse_frequency(columns[name]) for name in TERMS}
    people = list(xf.PEOPLE_IDS.values())
    for name in people:
        weights[name] = weights[name][: _shared(columns[name])]
    weighted = {
        name: columns[name][:, : len(weights[name])] @ sparse.diags(weights[name]) for name in TERMS
    }
    scaled = {name: _unit_length(matrix) for name, matrix in weighted.items()}
    bases = {
        name: factor(scaled[name], size, hparams.seed)
        for name, size in {
            xf.PLOT_NGRAMS: hparams.ngram_factors,
            xf.TITLE_WORDS: hparams.title_factors,
        }.items()
    }
    known = sparse.hstack([weighted[name] for name in people], format="csr")
    together = factor(known, hparams.people_factors, hparams.seed)
    ends = np.cumsum([len(weights[name]) for name in people])
    bases |= dict(zip(people, np.split(together, ends[:-1]), strict=True))

    cast = xf.PEOPLE_IDS[raw.CAST]
    columns[LEADS] = incidence(train.inputs[cast][:, :NUM_LEADS], sizes[cast])
    folds = folds_of(len(train), hparams)
    counts = {name: count(columns[name], train.labels, folds) for name in (*people, LEADS)}
    numbers = number_classes(train.inputs[xf.NUMBERS], train.inputs[xf.NUMBERS_MISSING])
    regressions = linear.fit(scaled, np.asarray(numbers), train.labels, hparams.seed)
    texts = {name: scaled[name] for name in TEXT_TERMS}
    text = linear.out_of_fold(texts, train.labels, folds, hparams.seed)
    return Factors(weights, bases, counts, train.labels.mean(0), text, regressions)


def incidence(ids: tf.RaggedTensor, size: int) -> sparse.csr_matrix:
    """1.0 where a row has an id, float32 [rows, size + 1]; unknown ids have an empty column."""
    rows, values = ids.value_rowids().numpy(), ids.flat_values.numpy()
    known = values <= size - xf.OOV_BUCKETS
    ones = np.ones(int(known.sum()), np.float32)
    matrix = sparse.csr_matrix(
        (ones, (rows[known], values[known])), shape=(int(ids.nrows()), size + 1)
    )
    matrix.data[:] = 1.0
    return matrix


def _shared(matrix: sparse.csr_matrix) -> int:
    """Columns up to the last that two rows have; ids go by frequency, so most others are cut."""
    shared = np.flatnonzero(np.asarray(matrix.sum(0)).ravel() >= 2)
    return int(shared[-1]) + 1 if len(shared) else 1


def inverse_frequency(matrix: sparse.csr_matrix) -> np.ndarray:
    """Log of the share of rows without the column, smoothed; 0 for a column that no row has.

    Args:
        matrix: [rows, columns], 1.0 where a row has the column.

    Returns:
        float32 [columns].
    """
    frequency = np.asarray(matrix.sum(0)).ravel()
    weight = np.log((1 + matrix.shape[0]) / (1 + frequency)) + 1
    return np.where(frequency > 0, weight, 0.0).astype(np.float32)


def factor(matrix: sparse.csr_matrix, size: int, seed: int) -> np.ndarray:
    """Loadings of the columns on the strongest factors.

    Args:
        matrix: float32 [rows, columns].
        size: number of factors.
        seed: of the randomized algorithm.

    Returns:
        float32 [columns, size]; factors that the matrix does not have are zero.
    """
    possible = min(size, min(matrix.shape) - 1)
    loadings = np.zeros((matrix.shape[1], size), np.float32)
    if possible > 0 and matrix.nnz:
        svd = TruncatedSVD(possible, n_iter=_POWER_ITERATIONS, random_state=seed).fit(matrix)
        loadings[:, :possible] = svd.components_.T
    return loadings


def count(matrix: sparse.csr_matrix, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Films of each person by genre, all and without each fold.

    Args:
        matrix: 1.0 where a film has a person, float32 [films, people].
        labels: float32 [films, 22].
        folds: int32 [films], from 1.

    Returns:
        float32 [1 + folds, people, 22 + 1]; the last column counts films.
    """
    what = np.concatenate([labels, np.ones((len(labels), 1), np.float32)], axis=1)
    whole = matrix.T @ what
    parts = [whole - matrix[folds == f].T @ what[folds == f] for f in range(1, folds.max() + 1)]
    return np.stack([whole, *parts]).astype(np.float32)


def _unit_length(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).ravel())
    return sparse.diags(1 / np.maximum(lengths, 1e-6)) @ matrix
