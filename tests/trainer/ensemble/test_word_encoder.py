"""The word encoder's layers."""

import keras
import numpy as np
import pytest

from trainer.ensemble.word_encoder import (
    AttentionPooling,
    MaskedAveragePooling,
    MaskedMaxPooling,
    WordDropout,
    encode_words,
)
from trainer.hparams import HParams

VECTORS = np.arange(5 * 6, dtype=np.float32).reshape(5, 6)


def test_word_dropout_masks_single_ids() -> None:
    ids = np.ones((100, 50), np.int32)
    masked = np.asarray(WordDropout(0.3, seed=1)(ids, training=True))
    assert masked.mean() == pytest.approx(0.7, abs=0.03)
    assert set(np.unique(masked)) == {0, 1}


def test_average_pooling_ignores_padding() -> None:
    sequence = np.arange(1, 6, dtype=np.float32).reshape(1, 5, 1)
    mask = np.array([1, 1, 1, 1, 0], np.float32).reshape(1, 5, 1)
    averages, windows = MaskedAveragePooling(3)([sequence, mask])
    np.testing.assert_allclose(np.ravel(averages), [2, 4])
    np.testing.assert_allclose(np.ravel(windows), [1, 1])
    _, beyond = MaskedAveragePooling(3)(
        [np.pad(sequence, [(0, 0), (0, 4), (0, 0)]), np.zeros((1, 9, 1))]
    )
    np.testing.assert_allclose(np.ravel(beyond), [0, 0, 0])


def test_global_pooling_ignores_padding() -> None:
    sequence = np.array([[[-2.0], [-1.0], [9.0]], [[5.0], [6.0], [7.0]]], np.float32)
    mask = np.array([[[1.0], [1.0], [0.0]], [[0.0], [0.0], [0.0]]], np.float32)
    np.testing.assert_allclose(MaskedMaxPooling()([sequence, mask]), [[-1], [0]])
    attention = AttentionPooling()
    attention.build(((2, 3, 1), (2, 3, 1)))
    attention.score.set_weights([np.zeros((1, 1)), np.zeros(1)])
    np.testing.assert_allclose(attention([sequence, mask]), [[-1.5], [0]])


@pytest.mark.parametrize(("kind", "units"), [("cnn", 6 + 16 + 16), ("rnn", 6 + 6 + 6)])
def test_the_embedding_is_initialized_with_the_word_vectors(kind: str, units: int) -> None:
    ids = keras.Input((None,), dtype="int32")
    vector = encode_words(ids, HParams(word_encoder=kind, filters=4, rnn_units=3), VECTORS)
    assert vector.shape == (None, units)
    model = keras.Model(ids, vector)
    [weights] = model.get_layer("word_vectors").get_weights()
    np.testing.assert_array_equal(weights, np.concatenate([np.zeros((1, 6)), VECTORS]))
    # The first units are the mean of the word vectors without padding.
    vectors = model(np.array([[1, 3, 0], [0, 0, 0]], np.int32), training=False)
    np.testing.assert_allclose(vectors[:, :6], [(VECTORS[0] + VECTORS[2]) / 2, np.zeros(6)])
