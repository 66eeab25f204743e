"""Vocabularies of hashed tokens: the most frequent tokens of the training split."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from scipy import sparse

_SENTINEL: Final = np.int32(2**31 - 1)
"""Larger than every hash; appended to a vocabulary so that a search always ends within it."""


def build_vocabulary(ids: tf.RaggedTensor, *, max_size: int, min_movies: int) -> np.ndarray:
    """Return the ids that occur in the most movies.

    Args:
        ids: int32 [movies, varying].
        max_size: Integer. Largest number of ids; of equally frequent ids the lower one is chosen.
        min_movies: Integer. Number of movies in which an id must occur.

    Returns:
        int32 [vocabulary], ascending.
    """
    # np.unique over one number per pair is several times as fast as over pairs.
    pairs = np.unique(ids.value_rowids().numpy() * 2**31 + ids.flat_values.numpy())
    unique_ids, movies = np.unique(pairs % 2**31, return_counts=True)
    top = np.argsort(-movies, kind="stable")[:max_size]
    return np.sort(unique_ids[top[movies[top] >= min_movies]]).astype(np.int32)


def vocabulary_indices(vocabulary: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the index of each id in an ascending vocabulary, counted from 1; 0 if it is absent.

    Args:
        vocabulary: int32 [vocabulary], ascending.
        ids: int32 of any shape.

    Returns:
        int64 of the shape of `ids`.
    """
    table = np.append(vocabulary, _SENTINEL)
    index = np.searchsorted(table, ids)
    return np.where(table[index] == ids, index + 1, 0)


def incidence_matrix(vocabulary: np.ndarray, ids: tf.RaggedTensor) -> sparse.csr_matrix:
    """Return a matrix that has 1.0 where a movie has an id of the vocabulary.

    Args:
        vocabulary: int32 [vocabulary], ascending.
        ids: int32 [movies, varying].

    Returns:
        float32 [movies, vocabulary + 1]. Column 0 is empty.
    """
    rows = ids.value_rowids().numpy()
    columns = vocabulary_indices(vocabulary, ids.flat_values.numpy())
    rows, columns = rows[columns > 0], columns[columns > 0]
    shape = (int(ids.nrows()), len(vocabulary) + 1)
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    # SciPy has added up repeated ids.
    matrix.data[:] = 1.0
    return matrix


class VocabularyLookup(keras.layers.Layer):
    """Lookup of ids in a vocabulary: `vocabulary_indices` with TensorFlow operations.

    Args:
        vocabulary: int32 [vocabulary], ascending.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, vocabulary: np.ndarray, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.table = add_constant_weight(self, "table", np.append(vocabulary, _SENTINEL))

    def call(self, ids: Any) -> Any:
        """Return the index of each id, counted from 1, or 0; int32 [N, L] for int32 [N, L]."""
        table = tf.convert_to_tensor(self.table)
        index = tf.searchsorted(table, tf.reshape(ids, [-1]))
        known = tf.gather(table, index) == tf.reshape(ids, [-1])
        return tf.reshape(tf.where(known, index + 1, 0), tf.shape(ids))

    def compute_output_spec(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        """Return the output's shape, which Keras cannot infer from TensorFlow operations."""
        return keras.KerasTensor(ids.shape, dtype="int32")


def add_constant_weight(layer: keras.layers.Layer, name: str, value: np.ndarray) -> keras.Variable:
    """Add an array to a layer as a weight that is not trained and keeps its number type."""
    return layer.add_weight(
        shape=value.shape,
        initializer=keras.initializers.Constant(value),
        dtype=value.dtype.name,
        trainable=False,
        autocast=False,
        name=name,
    )
