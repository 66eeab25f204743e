"""Vocabularies of hashed tokens, and lookups in them."""

import numpy as np
import tensorflow as tf

from trainer.features.vocabulary import (
    VocabularyLookup,
    build_vocabulary,
    incidence_matrix,
    vocabulary_indices,
)

IDS = tf.ragged.constant([[70, 70, 90], [70, 50], [90], [], [2**31 - 2]], dtype=tf.int32)


def test_the_vocabulary_has_the_ids_of_the_most_movies() -> None:
    # 70 and 90 occur in two movies, the other ids in one. 70 occurs twice in the first movie.
    assert build_vocabulary(IDS, max_size=9, min_movies=1).tolist() == [50, 70, 90, 2**31 - 2]
    assert build_vocabulary(IDS, max_size=9, min_movies=2).tolist() == [70, 90]
    assert build_vocabulary(IDS, max_size=3, min_movies=1).tolist() == [50, 70, 90]
    assert build_vocabulary(IDS, max_size=9, min_movies=3).tolist() == []


def test_indices_are_counted_from_one() -> None:
    vocabulary = np.array([50, 70], np.int32)
    assert vocabulary_indices(vocabulary, np.array([0, 50, 60, 70, 71, 2**31 - 2])).tolist() == [
        0,
        1,
        0,
        2,
        0,
        0,
    ]


def test_the_incidence_matrix_ignores_repeated_and_unknown_ids() -> None:
    matrix = incidence_matrix(np.array([70, 90], np.int32), IDS)
    expected = [[0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(matrix.toarray(), expected)


def test_the_layer_returns_the_same_indices() -> None:
    ids = np.array([[70, 50, 0], [90, 2**31 - 2, 7]], np.int32)
    for vocabulary in ([], [50], [50, 70, 90], [2**31 - 2]):
        table = np.array(vocabulary, np.int32)
        np.testing.assert_array_equal(VocabularyLookup(table)(ids), vocabulary_indices(table, ids))
