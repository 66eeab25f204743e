"""A pretrained encoder as a Keras layer: word pieces to one vector a text.

The encoder is the BERT of Devlin et al. 2019 (arXiv:1810.04805) in the size and with the weights of
one of `pretrained`. All texts' tokens go through the dense layers at once, without padding; texts
of like length share their attention, which is padded. Upper layers that learnt to do without
function words are not given them.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer import precision
from trainer.encoder import function_words
from trainer.encoder.attention import mixed
from trainer.encoder.mpnet import RELATIVE_BIAS
from trainer.encoder.pretrained import ENCODERS, MINILM, Pretrained, is_kernel
from trainer.hparams import HParams

TEXTS_TOGETHER: Final = 16
"""Number of texts that share their attention: a little faster than 8 or 64 on two cores."""

Weights = Mapping[str, np.ndarray]
"""Arrays by their names in the file of weights, kernels [inputs, outputs]."""


class Tokens(NamedTuple):
    """States, float32 [tokens, dimensions], text after text, and lengths of texts, int32 [N]."""

    states: tf.Tensor
    lengths: tf.Tensor


class SentenceEncoder(keras.layers.Layer):
    """The mean over its tokens of what the encoder makes of a text.

    The lower layers alone are a usable encoder, and as much cheaper as there are fewer of them.
    """

    def __init__(
        self,
        num_layers: int | None = None,
        also: int | None = None,
        *,
        pretrained: Pretrained = MINILM,
        content_from: int | None = None,
        instead: Weights | None = None,
        trainable_layers: Collection[int] = (),
        compute_dtype: str = "float32",
        **kwargs: object,
    ) -> None:
        """Read the weights.

        Args:
            num_layers: number of the encoder's layers that a text goes through, counted from the
                lowest; None is all.
            also: number of a lower layer, counted from 1, whose mean over the tokens that it gives
                to the next is put before that of the last one; None is none. Lower layers keep more
                of the single words.
            pretrained: the encoder whose layers are used.
            content_from: index of the lowest layer that reads content words alone, as do those
                above it, see `trainer.encoder.function_words`; None is none of them.
            instead: weights that take the place of the pretrained ones.
            trainable_layers: indices of the layers that can be trained.
            compute_dtype: `float32` or `bfloat16`, the type in which matrices are multiplied
                (Micikevicius et al. 2018, arXiv:1710.03740). Sums from layer to layer, and weights
                that are trained, stay float32.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: the encoder does not have so many layers.
            UserError: the weights are not installed.
        """
        super().__init__(**kwargs)
        num_layers = pretrained.layers if num_layers is None else num_layers
        if not 0 <= num_layers <= pretrained.layers:
            raise ValueError(
                f"num_layers must be from 0 to {pretrained.layers}. Received: {num_layers}"
            )
        self.pretrained, self.num_layers, self.also = pretrained, num_layers, also
        self.content_from = num_layers if content_from is None else content_from
        self.content = tf.constant(function_words.content())
        self.product_dtype = tf.as_dtype(compute_dtype)
        used, trained = ("embeddings.", *_parts(range(num_layers))), _parts(trainable_layers)
        by_name = {}
        for name, value in sorted((pretrained.weights() | dict(instead or {})).items()):
            if name.startswith(used) and value.dtype == np.float32:
                trainable = name.startswith(trained)
                exact = trainable or not is_kernel(name, value)
                by_name[name] = self.add_weight(
                    shape=value.shape,
                    initializer=keras.initializers.Constant(value),
                    trainable=trainable,
                    dtype="float32" if exact else self.product_dtype.name,
                    autocast=False,
                    name=name.replace(".", "_"),
                )
        self._by_name = by_name
        self.built = True

    @classmethod
    def of(cls, hparams: HParams, **kwargs: Any) -> "SentenceEncoder":
        """The encoder of a training; further arguments, and errors, are the constructor's."""
        return cls(
            hparams.encoder_layers,
            hparams.extra_layer,
            pretrained=ENCODERS[hparams.sentence_encoder],
            content_from=hparams.first_finetuned_layer,
            compute_dtype=precision.resolved(hparams.precision),
            **kwargs,
        )

    def trained_weights(self) -> dict[str, np.ndarray]:
        """The weights of the trainable layers, for `instead`."""
        return {name: one.numpy() for name, one in self._by_name.items() if one.trainable}

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Encode texts: float32 [N, dimensions], or twice as many with the lower layer.

        `ids` are int32 [N, L], word pieces with begin and end; 0 is padding. Each text needs one
        token at least.
        """
        # Neighbours share their attention, see `_attend`.
        order = tf.argsort(tf.math.count_nonzero(ids, axis=1, dtype=tf.int32))
        ids = tf.gather(ids, order)
        kept = None
        if self.content_from < self.num_layers:
            kept = self.is_content(tf.boolean_mask(ids, ids > 0))
        tokens, lower = self.through(self.embed(ids), range(self.content_from), kept)
        tokens, upper = self.through(tokens, range(self.content_from, self.num_layers))
        return tf.gather(tf.concat([*lower, *upper, mean(tokens)], axis=1), tf.argsort(order))

    def embed(self, ids: tf.Tensor) -> Tokens:
        """Word pieces, as in `call`, to what the lowest layer reads."""
        there = ids > 0
        states = (
            tf.gather(self._get("embeddings.word_embeddings.weight"), tf.boolean_mask(ids, there))
            + tf.gather(self._get("embeddings.position_embeddings.weight"), tf.where(there)[:, 1])
            + self._get("embeddings.token_type_embeddings.weight")[0]
        )
        lengths = tf.math.count_nonzero(there, axis=1, dtype=tf.int32)
        return Tokens(self._normalize(states, "embeddings.LayerNorm"), lengths)

    def is_content(self, pieces: tf.Tensor) -> tf.Tensor:
        """Which word pieces are content words; int32 [tokens] in, bool [tokens] out."""
        return tf.gather(self.content, pieces)

    def through(
        self, tokens: Tokens, numbers: range, kept: tf.Tensor | None = None
    ) -> tuple[Tokens, list[tf.Tensor]]:
        """Send tokens through the layers of some indices; neighbours should be of like length.

        `kept` are the tokens, bool [tokens], that the last of the layers gives, or that are given
        if there is no layer; None is all.

        Returns:
            The tokens that are kept, and the mean over them after `also` if it is among the layers.
        """
        if kept is not None and not numbers:
            tokens = chosen(tokens, kept)
        lower = []
        for number in numbers:
            tokens = self.layer(tokens, number, kept=kept if number == numbers[-1] else None)
            if number + 1 == self.also:
                lower.append(mean(tokens))
        return tokens, lower

    def layer(
        self,
        tokens: Tokens,
        number: int,
        dropout: float = 0.0,
        *,
        alike: bool = False,
        kept: tf.Tensor | None = None,
    ) -> Tokens:
        """Send tokens through the layer of an index; neighbours should be of like length.

        `dropout` is the rate on what the layer adds to the tokens. If all texts are `alike` in
        length, they share their attention. Tokens that are not `kept`, bool [tokens], are read by
        the others and spared what comes after the attention; None keeps all.
        """
        part = f"encoder.layer.{number}"

        def added(x: tf.Tensor, y: tf.Tensor, name: str) -> tf.Tensor:
            y = tf.cast(self._dense(y, f"{part}.{name}.dense"), tf.float32)
            return self._normalize(x + tf.nn.dropout(y, dropout), f"{part}.{name}.LayerNorm")

        found = self._attend(tokens, number, alike)
        if kept is not None:
            tokens, found = chosen(tokens, kept), tf.boolean_mask(found, kept)
        x = added(tokens.states, found, "attention.output")
        inner = tf.nn.gelu(self._dense(x, f"{part}.intermediate.dense"))
        return tokens._replace(states=added(x, inner, "output"))

    def _attend(self, tokens: Tokens, number: int, alike: bool) -> tf.Tensor:
        """Self-attention within each text, [tokens, dimensions].

        Unless all are alike, the attention of `TEXTS_TOGETHER` neighbours at a time is padded to
        the longest of them alone.
        """
        part = f"encoder.layer.{number}.attention.self"
        kinds = (f"{part}.{name}" for name in ("query", "key", "value"))
        asked = self._dense(tokens.states, *kinds)
        lengths, rows = tokens.lengths, tf.size(tokens.lengths)
        heads, size = self.pretrained.heads, self.pretrained.dimensions
        if alike:
            return mixed(asked, lengths, heads, self._relative_bias())
        ends = tf.cumsum(tf.pad(lengths, [[1, 0]]))

        def more(start: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(rows, start + TEXTS_TOGETHER)
            part = asked[ends[start] : ends[end]]
            some = mixed(part, lengths[start:end], heads, self._relative_bias())
            return end, tf.concat([found, some], axis=0)

        _, found = tf.while_loop(
            lambda start, _: start < rows,
            more,
            [tf.constant(0), tf.zeros([0, size], self.product_dtype)],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, size])],
            parallel_iterations=1,
        )
        return found

    def _dense(self, x: tf.Tensor, *parts: str) -> tf.Tensor:
        """Dense layers side by side, whose output has the type of products."""
        dtype = self.product_dtype
        kernel, bias = (
            tf.concat([tf.cast(self._get(f"{part}.{name}"), dtype) for part in parts], -1)
            for name in ("weight", "bias")
        )
        return tf.nn.bias_add(tf.matmul(tf.cast(x, dtype), kernel), bias)

    def _normalize(self, x: tf.Tensor, part: str) -> tf.Tensor:
        middle, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        scaled = (x - middle) * tf.math.rsqrt(variance + self.pretrained.epsilon)
        return scaled * self._get(f"{part}.weight") + self._get(f"{part}.bias")

    def _relative_bias(self) -> tf.Tensor | None:
        return self._get(RELATIVE_BIAS) if RELATIVE_BIAS in self._by_name else None

    def _get(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(self._by_name[name])


def chosen(tokens: Tokens, kept: tf.Tensor) -> Tokens:
    """The tokens that are `kept`, bool [tokens]; each text has to keep one at least."""
    lengths = tf.math.unsorted_segment_sum(
        tf.cast(kept, tf.int32), _text_of(tokens), tf.size(tokens.lengths)
    )
    return Tokens(tf.boolean_mask(tokens.states, kept), lengths)


def mean(tokens: Tokens) -> tf.Tensor:
    """The mean over the tokens of each text, float32 [N, dimensions]."""
    sums = tf.math.unsorted_segment_sum(tokens.states, _text_of(tokens), tf.size(tokens.lengths))
    return sums / tf.maximum(tf.cast(tokens.lengths, tf.float32), 1.0)[:, tf.newaxis]


def _text_of(tokens: Tokens) -> tf.Tensor:
    """The text of each token: int32 [tokens]."""
    return tf.repeat(tf.range(tf.size(tokens.lengths)), tokens.lengths)


def _parts(layers: Collection[int]) -> tuple[str, ...]:
    """What the names of the weights of some layers begin with."""
    return tuple(f"encoder.layer.{number}." for number in layers)
