"""The word encoder: a plot's words as one vector, through convolutions and recurrence.

Convolutions of several widths over word vectors are due to Kim 2014 (arXiv:1408.5882), attention
pooling to Yang et al. 2016 (NAACL, hierarchical attention). Ids are int32 [N, L], 0 is padding.
"""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from trainer.hparams import HParams

KERNEL_WIDTHS: Final[tuple[int, ...]] = (1, 2, 3, 5)
POOLING_BEFORE_RNN: Final = 4
"""Neighbouring positions that are merged before the recurrent layer, which saves it steps."""


def plot_vector(
    ids: keras.KerasTensor, hparams: HParams, word_vectors: np.ndarray
) -> keras.KerasTensor:
    """The plot as one vector, float32 [N, units], from word ids plus one, int32 [N, L].

    `word_vectors` are the initial ones, float32 [ids of `plot_words`, dimensions].
    """
    convolutions = "cnn" in hparams.word_encoder
    recurrence = "rnn" in hparams.word_encoder
    ids = IdDropout(hparams.word_dropout, hparams.seed, name="word_dropout")(ids)
    padded = np.concatenate([np.zeros((1, word_vectors.shape[1]), np.float32), word_vectors])
    words = keras.layers.Embedding(
        *padded.shape,
        embeddings_initializer=keras.initializers.Constant(padded),
        name="word_vectors",
    )(ids)
    mask = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    words = words * mask
    average = ops.sum(words, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)

    sequence, pooled = words, [average]
    if convolutions:
        widths = [
            keras.layers.Conv1D(
                hparams.filters, width, padding="same", activation="relu", name=f"conv_{width}"
            )(sequence)
            for width in KERNEL_WIDTHS
        ]
        sequence = keras.layers.Concatenate()(widths)
    if convolutions and recurrence:
        pooled.append(MaskedMax(name="convolution_max")([sequence, mask]))
    if recurrence:
        sequence, mask = WindowMean(POOLING_BEFORE_RNN, name="windows")([sequence, mask])
        sequence = keras.layers.Bidirectional(
            keras.layers.GRU(hparams.rnn_units, return_sequences=True), name="recurrent"
        )(sequence, mask=ops.squeeze(mask, -1) > 0)
    pooled.append(MaskedMax(name="max")([sequence, mask]))
    pooled.append(AttentionPooling(name="attention")([sequence, mask]))
    return keras.layers.Concatenate(name="plot")(pooled)


class IdDropout(keras.layers.Layer):
    """Hides single ids during training: an id becomes 0, padding."""

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        """Ids in, int32 [N, L]; the same out, some of them 0."""
        if not training or not self.rate:
            return ids
        keep = keras.random.uniform(ops.shape(ids), seed=self.seeds) >= self.rate
        return ids * ops.cast(keep, "int32")


class WindowMean(keras.layers.Layer):
    """Mean over the positions of each window that are not padding.

    Windows are counted from the first position, so that a row does not depend on its batch's
    longest one.
    """

    def __init__(self, size: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """[N, L, D] and mask [N, L, 1] in, [N, W, D] and mask [N, W, 1] out, W windows."""
        sequence, mask = inputs
        rows, length = tf.shape(sequence)[0], tf.shape(sequence)[1]
        longer = [[0, 0], [0, -length % self.size], [0, 0]]

        def sums(values: Any) -> Any:
            shape = [rows, -1, self.size, values.shape[2]]
            return tf.reduce_sum(tf.reshape(tf.pad(values, longer), shape), axis=2)

        counts = sums(mask)
        return sums(sequence * mask) / tf.maximum(counts, 1.0), tf.minimum(counts, 1.0)

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """Shapes of the outputs, which Keras cannot find through the ops above."""
        rows = inputs[0].shape[0]
        return tuple(
            keras.KerasTensor((rows, None, values.shape[2]), dtype="float32") for values in inputs
        )


class MaskedMax(keras.layers.Layer):
    """Highest value at a position that is not padding; 0 where all is padding."""

    supports_masking = True

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """[N, L, D] and mask [N, L, 1] in, [N, D] out."""
        sequence, mask = inputs
        highest = ops.max(sequence * mask - 1e4 * (1.0 - mask), axis=1)
        return highest * ops.max(mask, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Positions are gone, and so is their mask."""


class AttentionPooling(keras.layers.Layer):
    """Average over the positions that are not padding, weighted by a learned score."""

    supports_masking = True

    def build(self, input_shape: tuple[tuple[int | None, ...], ...]) -> None:
        """Make the score's weights."""
        self.score = keras.layers.Dense(1, name="score")
        self.score.build(input_shape[0])

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """[N, L, D] and mask [N, L, 1] in, [N, D] out."""
        sequence, mask = inputs
        weights = ops.softmax(self.score(sequence) - 1e4 * (1.0 - mask), axis=1) * mask
        return ops.sum(weights * sequence, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Positions are gone, and so is their mask."""
