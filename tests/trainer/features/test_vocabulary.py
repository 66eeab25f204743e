"""Which hashed tokens are used, and where they stand."""

import numpy as np
import tensorflow as tf

from trainer.features.vocabulary import Lookup, incidence, most_frequent, places

IDS = tf.ragged.constant([[70, 70, 90], [70, 50], [90], [], [2**31 - 2]], dtype=tf.int32)


def test_the_ids_of_the_most_movies_are_chosen() -> None:
    # 70 and 90 are in two movies, though 70 stands there three times; the others are in one.
    assert most_frequent(IDS, most=9, min_movies=1).tolist() == [50, 70, 90, 2**31 - 2]
    assert most_frequent(IDS, most=9, min_movies=2).tolist() == [70, 90]
    assert most_frequent(IDS, most=3, min_movies=1).tolist() == [50, 70, 90]
    assert most_frequent(IDS, most=9, min_movies=3).tolist() == []


def test_places_are_counted_from_one() -> None:
    vocabulary = np.array([50, 70], np.int32)
    assert places(vocabulary, np.array([0, 50, 60, 70, 71, 2**31 - 2])).tolist() == [
        0,
        1,
        0,
        2,
        0,
        0,
    ]


def test_incidence_counts_an_id_once_and_unknown_ids_never() -> None:
    found = incidence(np.array([70, 90], np.int32), IDS)
    expected = [[0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(found.toarray(), expected)


def test_the_layer_finds_the_same_places() -> None:
    ids = np.array([[70, 50, 0], [90, 2**31 - 2, 7]], np.int32)
    for vocabulary in ([], [50], [50, 70, 90], [2**31 - 2]):
        table = np.array(vocabulary, np.int32)
        np.testing.assert_array_equal(Lookup(table)(ids), places(table, ids))
