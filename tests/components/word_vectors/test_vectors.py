"""Word vectors are in the order of the ids and reproducible."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from components.word_vectors.vectors import look_up_glove, train_word2vec
from schema.errors import UserError

GLOVE_THE = np.array([0.418, 0.24968, -0.41242, 0.1217], np.float32)
"""The first numbers of GloVe's 50-dimensional vector of `the`."""

PLOTS = [[0, 1, 2, 3] * 5, [4, 5, 6, 7] * 5] * 40
"""Plots of two disjoint sets of words. The ids 8 and 9 do not occur."""


def test_glove_vectors_are_in_the_order_of_the_ids() -> None:
    vectors, known = look_up_glove(["zzzqq", "the", "cat"], num_ids=4, seed=1)

    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 50)
    assert known.tolist() == [False, True, True, False]
    np.testing.assert_array_equal(vectors[1, :4], GLOVE_THE)


def test_other_spellings_are_looked_up() -> None:
    words = ["fiancés", "fiance", "familys", "family", "jürgensen", "jurgensen", "s"]
    vectors, known = look_up_glove(words, num_ids=7, seed=1)

    assert known.all()
    np.testing.assert_array_equal(vectors[2], vectors[3])
    np.testing.assert_array_equal(vectors[4], vectors[5])


def test_words_that_glove_lacks_have_small_random_vectors() -> None:
    one, _ = look_up_glove(["zzzqq", "the"], num_ids=3, seed=1)
    same, _ = look_up_glove(["zzzqq", "the"], num_ids=3, seed=1)
    other, _ = look_up_glove(["zzzqq", "the"], num_ids=3, seed=2)

    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[[0, 2]], other[[0, 2]])
    np.testing.assert_array_equal(one[1], other[1])
    assert 0 < np.abs(one[[0, 2]]).max() < 0.25


def test_words_that_occur_together_have_similar_vectors() -> None:
    vectors, known = train_word2vec(PLOTS, num_ids=10, dimensions=8, epochs=20, seed=3)

    assert vectors.dtype == np.float32
    assert vectors.shape == (10, 8)
    assert known.tolist() == [True] * 8 + [False] * 2
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    together, apart = unit[0] @ unit[1:4].T, unit[0] @ unit[4:8].T
    assert together.min() > apart.max()


@pytest.mark.slow
def test_word2vec_is_reproducible_in_every_process() -> None:
    program = (
        "import sys; from components.word_vectors.vectors import train_word2vec;"
        "from tests.components.word_vectors.test_vectors import PLOTS;"
        "sys.stdout.buffer.write(train_word2vec(PLOTS, 10, 8, 3, seed=3)[0].tobytes())"
    )
    digests = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert len(done.stdout) == 10 * 8 * 4
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1


def test_too_few_plots_for_word2vec() -> None:
    with pytest.raises(UserError) as caught:
        train_word2vec([[1, 2]] * 19 + [[1]] * 5, num_ids=3, dimensions=4, epochs=1, seed=1)
    assert str(caught.value) == (
        "The train split has 19 plots with at least two known words; Word2Vec needs 20. "
        "Add more movies, or set word_vectors.source to glove."
    )
