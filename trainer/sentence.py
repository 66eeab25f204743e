"""MiniLM as a Keras layer: word pieces to one vector a text.

The encoder is the BERT of Devlin et al. 2019 (arXiv:1810.04805) in the size and with the weights of
MiniLM, see `transform.minilm`. Only the tokens that are there go through the dense layers, however
long the longest text of a batch is, and texts of like length share their attention, which spares
padding where most plots are short. Upper layers that learnt to do without function words are not
given them.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load

from trainer import function_words
from trainer.layers import Fixed
from transform import minilm

NUM_LAYERS: Final = 6
"""Of the whole encoder."""

DIMENSIONS: Final = 384

TEXTS_TOGETHER: Final = 16
"""So many go through the layers at a time: a little faster than 8 or 32 on two cores."""

_HEADS: Final = 12
_EPSILON: Final = 1e-12


Weights = Mapping[str, np.ndarray]
"""Of the encoder by their names in the file, arranged as the file has them."""


class Tokens(NamedTuple):
    """What a layer makes of the tokens of some texts; only those that are there.

    Attributes:
        states: float32 [tokens, 384], text after text.
        places: int64 [tokens, 2], the text of each and its place there.
        there: bool [N, L], whether a text has a token at a place.
    """

    states: tf.Tensor
    places: tf.Tensor
    there: tf.Tensor


class SentenceEncoder(keras.layers.Layer):
    """The mean over its tokens of what the encoder makes of a text.

    The lower layers alone are a usable encoder, and as much cheaper as there are fewer of them.
    """

    def __init__(
        self,
        num_layers: int = NUM_LAYERS,
        also: int | None = None,
        *,
        content_from: int | None = None,
        instead: Weights | None = None,
        trainable_layers: Collection[int] = (),
        compute_dtype: str = "float32",
        **kwargs: object,
    ) -> None:
        """Read the weights.

        Args:
            num_layers: how many layers of the encoder, from the lowest, a text goes through.
            also: a lower layer whose mean is put before that of the last one; None is none. Lower
                layers keep more of the single words.
            content_from: the lowest layer, from 0, that reads content words alone, as do those
                above it, see `trainer.function_words`; None is none of them.
            instead: weights that take the place of those of the file, as
                `trainer.finetuning.tune` gives them.
            trainable_layers: which layers, from 0, can be trained.
            compute_dtype: `float32` or `bfloat16`: what matrices are multiplied in, as Micikevicius
                et al. 2018 (arXiv:1710.03740) mix precisions: what is summed up from layer to
                layer, and weights that are trained, stay float32.
            **kwargs: of `keras.layers.Layer`.

        Raises:
            ValueError: the encoder does not have so many layers.
            TypeError: TensorFlow has no type of the name `compute_dtype`.
            UserError: the weights are not installed.
        """
        super().__init__(**kwargs)
        if not 0 <= num_layers <= NUM_LAYERS:
            raise ValueError(f"num_layers must be from 0 to {NUM_LAYERS}. Received: {num_layers}")
        self.num_layers = num_layers
        self.also = also
        self.content_from = num_layers if content_from is None else content_from
        self.content = tf.constant(function_words.content())
        self.product_dtype = tf.as_dtype(compute_dtype)
        stored = load(minilm.read(minilm.WEIGHTS)) | dict(instead or {})
        trained = _parts(trainable_layers)
        self._by_name = {
            name: self._weight(name, value, trainable=name.startswith(trained))
            for name, value in sorted(stored.items())
            if name.startswith(("embeddings.", *_parts(range(num_layers))))
            and value.dtype == np.float32
        }
        self.built = True

    def _weight(self, name: str, value: np.ndarray, *, trainable: bool) -> keras.Variable:
        kernel = _is_kernel(name, value)
        value = value.T if kernel else value
        return self.add_weight(
            shape=value.shape,
            initializer=Fixed(value),
            trainable=trainable,
            dtype=self.product_dtype.name if kernel and not trainable else "float32",
            autocast=False,
            name=name.replace(".", "_"),
        )

    def trained_weights(self) -> dict[str, np.ndarray]:
        """The weights of the trainable layers, for `instead`."""
        values = {
            name: variable.numpy() for name, variable in self._by_name.items() if variable.trainable
        }
        return {
            name: value.T if _is_kernel(name, value) else value for name, value in values.items()
        }

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Encode.

        Args:
            ids: int32 [N, L] of word pieces, begin and end included; 0 is padding. Each text needs
                one token at least.

        Returns:
            float32 [N, 384], or [N, 768] with the lower layer.
        """
        lengths = tf.math.count_nonzero(ids, axis=1, dtype=tf.int32)
        order = tf.argsort(lengths)
        lengths, texts = tf.gather(lengths, order), tf.gather(ids, order)
        rows = tf.size(lengths)
        width = DIMENSIONS * (1 if self.also is None else 2)

        def more(start: tf.Tensor, means: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(rows, start + TEXTS_TOGETHER)
            some = texts[start:end, : lengths[end - 1]]
            tokens, lower = self.through(self.embed(some), range(self.content_from))
            if self.content_from < self.num_layers:
                tokens = chosen(tokens, self.is_content(tf.boolean_mask(some, some > 0)))
            tokens, upper = self.through(tokens, range(self.content_from, self.num_layers))
            found = tf.concat([*lower, *upper, mean(tokens)], axis=1)
            return end, tf.concat([means, found], axis=0)

        _, means = tf.while_loop(
            lambda start, _: start < rows,
            more,
            [tf.constant(0), tf.zeros([0, width])],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, width])],
            parallel_iterations=1,
        )
        return tf.gather(means, tf.argsort(order))

    def embed(self, ids: tf.Tensor) -> Tokens:
        """Word pieces, as in `call`, to what the lowest layer reads."""
        there = ids > 0
        places = tf.where(there)
        states = (
            tf.gather(self._get("embeddings.word_embeddings.weight"), tf.boolean_mask(ids, there))
            + tf.gather(self._get("embeddings.position_embeddings.weight"), places[:, 1])
            + self._get("embeddings.token_type_embeddings.weight")[0]
        )
        return Tokens(self._normalize(states, "embeddings.LayerNorm"), places, there)

    def is_content(self, pieces: tf.Tensor) -> tf.Tensor:
        """Which word pieces the layers from `content_from` read: int32 [tokens], bool [tokens]."""
        return tf.gather(self.content, pieces)

    def through(self, tokens: Tokens, numbers: range) -> tuple[Tokens, list[tf.Tensor]]:
        """What some layers, from 0, make of tokens, and the mean of `also` if it is among them."""
        lower = []
        for number in numbers:
            tokens = self.layer(tokens, number)
            if number + 1 == self.also:
                lower.append(mean(tokens))
        return tokens, lower

    def layer(self, tokens: Tokens, number: int, dropout: float = 0.0) -> Tokens:
        """What a layer, from 0, makes of tokens; `dropout` is the rate on what it adds to them."""
        part = f"encoder.layer.{number}"

        def added(x: tf.Tensor, y: tf.Tensor, name: str) -> tf.Tensor:
            y = tf.cast(self._dense(y, f"{part}.{name}.dense"), tf.float32)
            return self._normalize(x + tf.nn.dropout(y, dropout), f"{part}.{name}.LayerNorm")

        x = added(tokens.states, self._attend(tokens, number), "attention.output")
        inner = tf.nn.gelu(self._dense(x, f"{part}.intermediate.dense"))
        return tokens._replace(states=added(x, inner, "output"))

    def _attend(self, tokens: Tokens, number: int) -> tf.Tensor:
        """Self-attention within each text: [tokens, 384]."""
        x, places, there = tokens
        rows, longest = tf.shape(there)[0], tf.shape(there)[1]
        x = tf.cast(x, self.product_dtype)

        def heads(name: str) -> tf.Tensor:
            shape = tf.cast(tf.stack([rows, longest, DIMENSIONS]), tf.int64)
            projected = self._dense(x, f"encoder.layer.{number}.attention.self.{name}")
            padded = tf.scatter_nd(places, projected, shape)
            split = tf.reshape(padded, [rows, longest, _HEADS, DIMENSIONS // _HEADS])
            return tf.transpose(split, [0, 2, 1, 3])

        scale = tf.constant((DIMENSIONS // _HEADS) ** -0.5, self.product_dtype)
        scores = tf.matmul(scale * heads("query"), heads("key"), transpose_b=True)
        away = tf.cast(tf.where(there, 0.0, -1e9), self.product_dtype)
        away = away[:, tf.newaxis, tf.newaxis, :]
        mixed = tf.matmul(tf.nn.softmax(scores + away), heads("value"))
        joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, longest, DIMENSIONS])
        return tf.gather_nd(joined, places)

    def _dense(self, x: tf.Tensor, part: str) -> tf.Tensor:
        """A dense layer, in and out of the type of products; a cast to the same type is none."""
        kernel, bias = (
            tf.cast(self._get(f"{part}.{name}"), self.product_dtype) for name in ("weight", "bias")
        )
        return tf.nn.bias_add(tf.matmul(tf.cast(x, self.product_dtype), kernel), bias)

    def _normalize(self, x: tf.Tensor, part: str) -> tf.Tensor:
        middle, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        scaled = (x - middle) * tf.math.rsqrt(variance + _EPSILON)
        return scaled * self._get(f"{part}.weight") + self._get(f"{part}.bias")

    def _get(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(self._by_name[name])


def packed(lengths: tf.Tensor, states: tf.Tensor) -> Tokens:
    """Tokens from the lengths of the texts, int [N], and the states of all, float [tokens, 384]."""
    there = tf.sequence_mask(lengths)
    return Tokens(tf.cast(states, tf.float32), tf.where(there), there)


def chosen(tokens: Tokens, kept: tf.Tensor) -> Tokens:
    """Those of the tokens that are `kept`, bool [tokens]; each text has to keep one at least."""
    lengths = tf.math.unsorted_segment_sum(
        tf.cast(kept, tf.int32), tokens.places[:, 0], tf.shape(tokens.there)[0]
    )
    return packed(lengths, tf.boolean_mask(tokens.states, kept))


def mean(tokens: Tokens) -> tf.Tensor:
    """The mean over the tokens of each text, float32 [N, 384]."""
    counts = tf.reduce_sum(tf.cast(tokens.there, tf.float32), axis=1, keepdims=True)
    sums = tf.math.unsorted_segment_sum(
        tokens.states, tokens.places[:, 0], tf.shape(tokens.there)[0]
    )
    return sums / tf.maximum(counts, 1.0)


def _parts(layers: Collection[int]) -> tuple[str, ...]:
    """What the names of the weights of some layers begin with."""
    return tuple(f"encoder.layer.{number}." for number in layers)


def _is_kernel(name: str, value: np.ndarray) -> bool:
    """Whether a weight is of a dense layer: stored by output, and a product reads it by input."""
    return name.endswith(".weight") and "encoder" in name and value.ndim == 2
