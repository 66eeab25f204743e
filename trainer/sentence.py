"""MiniLM as a Keras layer: word pieces to one vector a text.

The encoder is the BERT of Devlin et al. 2019 (arXiv:1810.04805) in the size and with the weights of
MiniLM, see `transform.minilm`. Only the tokens that are there go through the dense layers, however
long the longest text of a batch is: that halves the cost where most plots are short.
"""

from typing import Final

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load

from trainer.layers import Fixed
from transform import minilm

NUM_LAYERS: Final = 6
"""Of the whole encoder."""

DIMENSIONS: Final = 384

_HEADS: Final = 12
_EPSILON: Final = 1e-12


class SentenceEncoder(keras.layers.Layer):
    """The mean over its tokens of what the encoder makes of a text.

    The lower layers alone are a usable encoder, and as much cheaper as there are fewer of them.
    """

    def __init__(
        self, num_layers: int = NUM_LAYERS, also: int | None = None, **kwargs: object
    ) -> None:
        """Read the weights.

        Args:
            num_layers: how many layers of the encoder, from the lowest, a text goes through.
            also: a lower layer whose mean is put before that of the last one; None is none. Lower
                layers keep more of the single words.
            **kwargs: of `keras.layers.Layer`.

        Raises:
            ValueError: the encoder does not have so many layers.
            UserError: the weights are not installed.
        """
        super().__init__(**kwargs)
        if not 0 <= num_layers <= NUM_LAYERS:
            raise ValueError(f"num_layers must be from 0 to {NUM_LAYERS}. Received: {num_layers}")
        self.num_layers = num_layers
        self.also = also
        stored = load(minilm.read(minilm.WEIGHTS))
        wanted = ("embeddings.", *(f"encoder.layer.{i}." for i in range(num_layers)))
        self._by_name = {
            name: self._weight(name, value)
            for name, value in stored.items()
            if name.startswith(wanted) and value.dtype == np.float32
        }
        self.built = True

    def _weight(self, name: str, value: np.ndarray) -> keras.Variable:
        # A dense layer's weights are stored by output, and a matrix product reads them by input.
        dense = name.endswith(".weight") and "encoder" in name and value.ndim == 2
        return self.add_weight(
            shape=value.T.shape if dense else value.shape,
            initializer=Fixed(value.T if dense else value),
            trainable=False,
            name=name.replace(".", "_"),
        )

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Encode.

        Args:
            ids: int32 [N, L] of word pieces, begin and end included; 0 is padding. Each text needs
                one token at least.

        Returns:
            float32 [N, 384], or [N, 768] with the lower layer.
        """
        there = ids > 0
        places = tf.where(there)
        position = tf.cast(places[:, 1], tf.int32)
        x = (
            tf.gather(self._get("embeddings.word_embeddings.weight"), tf.boolean_mask(ids, there))
            + tf.gather(self._get("embeddings.position_embeddings.weight"), position)
            + self._get("embeddings.token_type_embeddings.weight")[0]
        )
        x = self._normalize(x, "embeddings.LayerNorm")
        counts = tf.reduce_sum(tf.cast(there, tf.float32), axis=1, keepdims=True)

        def mean(tokens: tf.Tensor) -> tf.Tensor:
            sums = tf.math.unsorted_segment_sum(tokens, places[:, 0], tf.shape(ids)[0])
            return sums / tf.maximum(counts, 1.0)

        means = []
        for i in range(self.num_layers):
            part = f"encoder.layer.{i}"
            attended = self._attend(x, there, places, f"{part}.attention.self")
            x = self._normalize(
                x + self._dense(attended, f"{part}.attention.output.dense"),
                f"{part}.attention.output.LayerNorm",
            )
            inner = tf.nn.gelu(self._dense(x, f"{part}.intermediate.dense"))
            x = self._normalize(
                x + self._dense(inner, f"{part}.output.dense"), f"{part}.output.LayerNorm"
            )
            if i + 1 == self.also:
                means.append(mean(x))
        return tf.concat([*means, mean(x)], axis=1)

    def _attend(self, x: tf.Tensor, there: tf.Tensor, places: tf.Tensor, part: str) -> tf.Tensor:
        """Self-attention of [tokens, 384] within each text; the same shape."""
        rows, longest = tf.shape(there)[0], tf.shape(there)[1]

        def heads(name: str) -> tf.Tensor:
            shape = tf.cast(tf.stack([rows, longest, DIMENSIONS]), tf.int64)
            padded = tf.scatter_nd(places, self._dense(x, f"{part}.{name}"), shape)
            split = tf.reshape(padded, [rows, longest, _HEADS, DIMENSIONS // _HEADS])
            return tf.transpose(split, [0, 2, 1, 3])

        scores = tf.matmul(heads("query"), heads("key"), transpose_b=True)
        scores = scores / np.sqrt(DIMENSIONS // _HEADS).astype(np.float32)
        away = tf.where(there, 0.0, -1e9)[:, tf.newaxis, tf.newaxis, :]
        mixed = tf.matmul(tf.nn.softmax(scores + away), heads("value"))
        joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, longest, DIMENSIONS])
        return tf.gather_nd(joined, places)

    def _dense(self, x: tf.Tensor, part: str) -> tf.Tensor:
        return tf.matmul(x, self._get(f"{part}.weight")) + self._get(f"{part}.bias")

    def _normalize(self, x: tf.Tensor, part: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        scaled = (x - mean) * tf.math.rsqrt(variance + _EPSILON)
        return scaled * self._get(f"{part}.weight") + self._get(f"{part}.bias")

    def _get(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(self._by_name[name])
