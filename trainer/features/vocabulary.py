"""Which hashed tokens are used: the most frequent ones of the training split."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

_BEYOND: Final = np.int32(2**31 - 1)
"""Above every hash; makes a table that is never empty."""


def most_frequent(ids: tf.RaggedTensor, *, most: int, min_movies: int) -> np.ndarray:
    """The ids, int32 [movies, varying], that occur in the most movies, `min_movies` at least.

    `most` of them are chosen at most, of equally frequent ones those with the lower id; the result
    is int32 [chosen ids], ascending.
    """
    # A movie and an id in one number, since unique pairs would take several times as long.
    pairs = np.unique(ids.value_rowids().numpy() * 2**31 + ids.flat_values.numpy())
    found, movies = np.unique(pairs % 2**31, return_counts=True)
    chosen = np.argsort(-movies, kind="stable")[:most]
    return np.sort(found[chosen[movies[chosen] >= min_movies]]).astype(np.int32)


def places(vocabulary: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The place of each id in an ascending vocabulary, counted from 1; 0 if it is not in it.

    int32 ids of any shape in, int64 of the same shape out.
    """
    table = np.append(vocabulary, _BEYOND)
    place = np.searchsorted(table, ids)
    return np.where(table[place] == ids, place + 1, 0)


def incidence(vocabulary: np.ndarray, ids: tf.RaggedTensor) -> sparse.csr_matrix:
    """Which movie has which id of an ascending vocabulary.

    `ids` are int32 [movies, varying]; the matrix is float32 [movies, chosen ids + 1], 1.0 where a
    movie has an id. Column 0 is empty.
    """
    rows, place = ids.value_rowids().numpy(), places(vocabulary, ids.flat_values.numpy())
    rows, place = rows[place > 0], place[place > 0]
    shape = (int(ids.nrows()), len(vocabulary) + 1)
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, place)), shape=shape)
    matrix.data[:] = 1.0
    return matrix


class Lookup(keras.layers.Layer):
    """`places` in TensorFlow operations: int32 [N, L] to int32 [N, L]."""

    def __init__(self, vocabulary: np.ndarray, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.table = fixed(self, "table", np.append(vocabulary, _BEYOND))

    def call(self, ids: Any) -> Any:
        """Look ids up."""
        table = tf.convert_to_tensor(self.table)
        place = tf.searchsorted(table, tf.reshape(ids, [-1]))
        known = tf.gather(table, place) == tf.reshape(ids, [-1])
        return tf.reshape(tf.where(known, place + 1, 0), tf.shape(ids))

    def compute_output_spec(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        """Shape of the output, which Keras cannot find through the operations above."""
        return keras.KerasTensor(ids.shape, dtype="int32")


def fixed(layer: keras.layers.Layer, name: str, table: np.ndarray) -> keras.Variable:
    """Add a table to a layer as a weight that is not trained and keeps its type."""
    return layer.add_weight(
        shape=table.shape,
        initializer=keras.initializers.Constant(table),
        dtype=table.dtype.name,
        trainable=False,
        autocast=False,
        name=name,
    )
