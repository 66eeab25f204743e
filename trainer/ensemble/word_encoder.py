"""The word encoder: convolutions and a recurrent layer over the word vectors of a plot.

Convolutions of several widths over word vectors are due to Kim 2014 (arXiv:1408.5882), attention
pooling to Yang et al. 2016 (NAACL, hierarchical attention).
"""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from trainer.hparams import HParams

KERNEL_WIDTHS: Final[tuple[int, ...]] = (1, 2, 3, 5)
RNN_POOL_SIZE: Final = 4
"""Number of neighbouring positions that are averaged before the recurrent layer to save steps."""


def encode_words(
    ids: keras.KerasTensor, hparams: HParams, word_vectors: np.ndarray
) -> keras.KerasTensor:
    """Apply the word encoder to plots.

    Args:
        ids: int32 [N, L]. Word ids plus one, padded with 0.
        hparams: Hyperparameters; `word_encoder` selects the layers.
        word_vectors: float32 [vocabulary, dimensions]. Initial word vectors.

    Returns:
        float32 [N, units], one vector for each plot.
    """
    has_convolutions = "cnn" in hparams.word_encoder
    has_rnn = "rnn" in hparams.word_encoder
    ids = WordDropout(hparams.word_dropout, hparams.seed, name="word_dropout")(ids)
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
    if has_convolutions:
        convolutions = [
            keras.layers.Conv1D(
                hparams.filters, width, padding="same", activation="relu", name=f"conv_{width}"
            )(sequence)
            for width in KERNEL_WIDTHS
        ]
        sequence = keras.layers.Concatenate()(convolutions)
    if has_convolutions and has_rnn:
        pooled.append(MaskedMaxPooling(name="conv_max_pooling")([sequence, mask]))
    if has_rnn:
        sequence, mask = MaskedAveragePooling(RNN_POOL_SIZE, name="rnn_pooling")([sequence, mask])
        sequence = keras.layers.Bidirectional(
            keras.layers.GRU(hparams.rnn_units, return_sequences=True), name="rnn"
        )(sequence, mask=ops.squeeze(mask, -1) > 0)
    pooled.append(MaskedMaxPooling(name="max_pooling")([sequence, mask]))
    pooled.append(AttentionPooling(name="attention_pooling")([sequence, mask]))
    return keras.layers.Concatenate(name="plot")(pooled)


class WordDropout(keras.layers.Layer):
    """Dropout of words: in training, random ids become 0, the id of padding.

    Args:
        rate: Float between 0 and 1. Rate at which ids are replaced.
        seed: Integer. Seed of the random numbers.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        """Return the ids, int32 [N, L], some of them 0 in training."""
        if not training or not self.rate:
            return ids
        keep_mask = keras.random.uniform(ops.shape(ids), seed=self.seed_generator) >= self.rate
        return ids * ops.cast(keep_mask, "int32")


class MaskedAveragePooling(keras.layers.Layer):
    """Average pooling over windows of positions, without padding.

    Windows are counted from the first position, so that the result of a row does not depend on the
    longest row of its batch.

    Args:
        pool_size: Integer. Number of positions of a window.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, pool_size: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.pool_size = pool_size

    def call(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """Pool a sequence [N, L, D] with its mask [N, L, 1].

        Returns:
            The averages [N, windows, D] and their mask [N, windows, 1].
        """
        sequence, mask = inputs
        rows, length = tf.shape(sequence)[0], tf.shape(sequence)[1]
        padding = [[0, 0], [0, -length % self.pool_size], [0, 0]]

        def window_sums(values: Any) -> Any:
            shape = [rows, -1, self.pool_size, values.shape[2]]
            return tf.reduce_sum(tf.reshape(tf.pad(values, padding), shape), axis=2)

        counts = window_sums(mask)
        averages = window_sums(sequence * mask) / tf.maximum(counts, 1.0)
        return averages, tf.minimum(counts, 1.0)

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """Return the outputs' shapes, which Keras cannot infer from TensorFlow operations."""
        rows = inputs[0].shape[0]
        return tuple(
            keras.KerasTensor((rows, None, values.shape[2]), dtype="float32") for values in inputs
        )


class MaskedMaxPooling(keras.layers.Layer):
    """Maximum over all positions that are not padding; 0 for a row of only padding."""

    supports_masking = True

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Pool a sequence [N, L, D] with its mask [N, L, 1] to [N, D]."""
        sequence, mask = inputs
        maximum = ops.max(sequence * mask - 1e4 * (1.0 - mask), axis=1)
        return maximum * ops.max(mask, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Return None, because the output has no positions to mask."""


class AttentionPooling(keras.layers.Layer):
    """Average over all positions that are not padding, weighted by a learned score."""

    supports_masking = True

    def build(self, input_shape: tuple[tuple[int | None, ...], ...]) -> None:
        """Create the weights of the score."""
        self.score = keras.layers.Dense(1, name="score")
        self.score.build(input_shape[0])

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Pool a sequence [N, L, D] with its mask [N, L, 1] to [N, D]."""
        sequence, mask = inputs
        weights = ops.softmax(self.score(sequence) - 1e4 * (1.0 - mask), axis=1) * mask
        return ops.sum(weights * sequence, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Return None, because the output has no positions to mask."""
