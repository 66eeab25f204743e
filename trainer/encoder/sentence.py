"""A pretrained encoder as a Keras layer, which computes one vector per text from its word pieces.

The encoder is the BERT of Devlin et al. 2019 (arXiv:1810.04805), with the size and the weights of
one of the encoders in `pretrained`. The tokens of all texts go through the dense layers together,
without padding; attention is padded, in groups of texts of similar length. Upper layers that were
fine-tuned without function words do not read them.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer import precision
from trainer.encoder import function_words
from trainer.encoder.attention import packed_attention
from trainer.encoder.mpnet import RELATIVE_ATTENTION_BIAS
from trainer.encoder.pretrained import ENCODERS, MINILM, PretrainedEncoder, is_kernel
from trainer.hparams import HParams

ATTENTION_GROUP_SIZE: Final = 16
"""Number of texts whose attention is computed together; a little faster than 8 or 64 on 2 cores."""

Weights = Mapping[str, np.ndarray]
"""Weights by their BERT names; kernels are [inputs, outputs]."""


class PackedTokens(NamedTuple):
    """Tokens of several texts, concatenated without padding.

    Attributes:
        states: float32 [tokens, dimensions].
        lengths: int32 [N]. Number of tokens of each text.
    """

    states: tf.Tensor
    lengths: tf.Tensor


class SentenceEncoder(keras.layers.Layer):
    """Transformer encoder that represents a text by the mean of its last layer's token states.

    The lower layers alone are a usable encoder as well, at a cost proportional to their number.
    """

    def __init__(
        self,
        num_layers: int | None = None,
        extra_layer: int | None = None,
        *,
        pretrained: PretrainedEncoder = MINILM,
        content_only_from: int | None = None,
        weight_overrides: Weights | None = None,
        trainable_layers: Collection[int] = (),
        compute_dtype: str = "float32",
        **kwargs: object,
    ) -> None:
        """Load the weights.

        Args:
            num_layers: Number of transformer layers to use, counted from the lowest; None uses all.
            extra_layer: Number of a lower layer, counted from 1, whose mean-pooled output is
                prepended to that of the last layer; None disables it. Lower layers retain more of
                the individual words.
            pretrained: Pretrained encoder to load.
            content_only_from: Index of the lowest layer that reads content words only, as do all
                layers above it (`trainer.encoder.function_words`); None lets all layers read all
                words.
            weight_overrides: Weights that replace the pretrained ones.
            trainable_layers: Indices of the layers to make trainable.
            compute_dtype: `float32` or `bfloat16`, the type of matrix products (Micikevicius et al.
                2018, arXiv:1710.03740). Residual sums and trainable weights are always float32.
            **kwargs: Arguments of `keras.layers.Layer`.

        Raises:
            ValueError: If the pretrained encoder has fewer layers than `num_layers`.
            UserError: If the weights are not installed.
        """
        super().__init__(**kwargs)
        num_layers = pretrained.num_layers if num_layers is None else num_layers
        if not 0 <= num_layers <= pretrained.num_layers:
            raise ValueError(
                f"num_layers must be from 0 to {pretrained.num_layers}. Received: {num_layers}"
            )
        self.pretrained, self.num_layers, self.extra_layer = pretrained, num_layers, extra_layer
        self.content_only_from = num_layers if content_only_from is None else content_only_from
        self.content_mask = tf.constant(function_words.content_mask())
        self.matmul_dtype = tf.as_dtype(compute_dtype)
        used_prefixes = ("embeddings.", *_layer_prefixes(range(num_layers)))
        trainable_prefixes = _layer_prefixes(trainable_layers)
        weights_by_name = {}
        weights = pretrained.load_weights() | dict(weight_overrides or {})
        for name, value in sorted(weights.items()):
            if name.startswith(used_prefixes) and value.dtype == np.float32:
                trainable = name.startswith(trainable_prefixes)
                keep_float32 = trainable or not is_kernel(name, value)
                weights_by_name[name] = self.add_weight(
                    shape=value.shape,
                    initializer=keras.initializers.Constant(value),
                    trainable=trainable,
                    dtype="float32" if keep_float32 else self.matmul_dtype.name,
                    autocast=False,
                    name=name.replace(".", "_"),
                )
        self._weights_by_name = weights_by_name
        self.built = True

    @classmethod
    def from_hparams(cls, hparams: HParams, **kwargs: Any) -> "SentenceEncoder":
        """Create the encoder that the hyperparameters describe.

        Args:
            hparams: Hyperparameters of the training.
            **kwargs: Further arguments of the constructor.
        """
        return cls(
            hparams.encoder_layers,
            hparams.extra_layer,
            pretrained=ENCODERS[hparams.sentence_encoder],
            content_only_from=hparams.first_finetuned_layer,
            compute_dtype=precision.resolve(hparams.precision),
            **kwargs,
        )

    def trained_weights(self) -> dict[str, np.ndarray]:
        """Return the weights of the trainable layers, for `weight_overrides`."""
        return {
            name: weight.numpy()
            for name, weight in self._weights_by_name.items()
            if weight.trainable
        }

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Encode texts.

        Args:
            ids: int32 [N, L]. Ids of the texts' word pieces, `[CLS]` and `[SEP]` included, padded
                with 0. Each text needs at least one token.

        Returns:
            float32 [N, dimensions], or [N, 2 * dimensions] with `extra_layer`.
        """
        # Sorted by length, neighbouring texts share their attention with little padding.
        order = tf.argsort(tf.math.count_nonzero(ids, axis=1, dtype=tf.int32))
        ids = tf.gather(ids, order)
        keep_mask = None
        if self.content_only_from < self.num_layers:
            keep_mask = self.is_content(tf.boolean_mask(ids, ids > 0))
        tokens, lower = self.run_layers(self.embed(ids), range(self.content_only_from), keep_mask)
        tokens, upper = self.run_layers(tokens, range(self.content_only_from, self.num_layers))
        return tf.gather(tf.concat([*lower, *upper, mean_pool(tokens)], axis=1), tf.argsort(order))

    def embed(self, ids: tf.Tensor) -> PackedTokens:
        """Compute the input of the lowest layer.

        Args:
            ids: int32 [N, L]. Ids of the texts' word pieces, padded with 0.
        """
        mask = ids > 0
        states = (
            tf.gather(self._weight("embeddings.word_embeddings.weight"), tf.boolean_mask(ids, mask))
            + tf.gather(self._weight("embeddings.position_embeddings.weight"), tf.where(mask)[:, 1])
            + self._weight("embeddings.token_type_embeddings.weight")[0]
        )
        lengths = tf.math.count_nonzero(mask, axis=1, dtype=tf.int32)
        return PackedTokens(self._layer_norm(states, "embeddings.LayerNorm"), lengths)

    def is_content(self, ids: tf.Tensor) -> tf.Tensor:
        """Return which word pieces are content words; int32 [tokens] to bool [tokens]."""
        return tf.gather(self.content_mask, ids)

    def run_layers(
        self, tokens: PackedTokens, layers: range, keep_mask: tf.Tensor | None = None
    ) -> tuple[PackedTokens, list[tf.Tensor]]:
        """Apply consecutive layers.

        Args:
            tokens: Input of the first layer. Neighbouring texts should be of similar length.
            layers: Indices of the layers; may be empty.
            keep_mask: bool [tokens]. Tokens to return; None returns all.

        Returns:
            The selected tokens after the last layer, and a list with the mean-pooled output of
            `extra_layer`, float32 [N, dimensions], which is empty if `layers` does not contain it.
        """
        if keep_mask is not None and not layers:
            tokens = select_tokens(tokens, keep_mask)
        means = []
        for index in layers:
            is_last = index == layers[-1]
            tokens = self.run_layer(tokens, index, keep_mask=keep_mask if is_last else None)
            if index + 1 == self.extra_layer:
                means.append(mean_pool(tokens))
        return tokens, means

    def run_layer(
        self,
        tokens: PackedTokens,
        index: int,
        dropout: float = 0.0,
        *,
        same_length: bool = False,
        keep_mask: tf.Tensor | None = None,
    ) -> PackedTokens:
        """Apply one layer.

        Args:
            tokens: Input of the layer. Neighbouring texts should be of similar length.
            index: Index of the layer.
            dropout: Dropout rate of both residual branches.
            same_length: Whether all texts are of similar length, so that their attention is
                computed in one group.
            keep_mask: bool [tokens]. Tokens to return; None returns all. The others take part in
                the attention as keys and values, and skip the feed-forward part.
        """
        prefix = f"encoder.layer.{index}"

        def add_and_norm(x: tf.Tensor, branch: tf.Tensor, name: str) -> tf.Tensor:
            branch = tf.cast(self._dense(branch, f"{prefix}.{name}.dense"), tf.float32)
            return self._layer_norm(
                x + tf.nn.dropout(branch, dropout), f"{prefix}.{name}.LayerNorm"
            )

        attended = self._attention(tokens, index, same_length)
        if keep_mask is not None:
            tokens = select_tokens(tokens, keep_mask)
            attended = tf.boolean_mask(attended, keep_mask)
        x = add_and_norm(tokens.states, attended, "attention.output")
        hidden = tf.nn.gelu(self._dense(x, f"{prefix}.intermediate.dense"))
        return tokens._replace(states=add_and_norm(x, hidden, "output"))

    def _attention(self, tokens: PackedTokens, index: int, same_length: bool) -> tf.Tensor:
        """Compute self-attention within each text; `matmul_dtype` [tokens, dimensions]."""
        prefix = f"encoder.layer.{index}.attention.self"
        qkv = self._dense(
            tokens.states, *(f"{prefix}.{name}" for name in ("query", "key", "value"))
        )
        lengths, num_texts = tokens.lengths, tf.size(tokens.lengths)
        num_heads, dimensions = self.pretrained.num_heads, self.pretrained.dimensions
        if same_length:
            return packed_attention(qkv, lengths, num_heads, self._relative_attention_bias())
        ends = tf.cumsum(tf.pad(lengths, [[1, 0]]))

        def attend_group(start: tf.Tensor, attended: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(num_texts, start + ATTENTION_GROUP_SIZE)
            group = packed_attention(
                qkv[ends[start] : ends[end]],
                lengths[start:end],
                num_heads,
                self._relative_attention_bias(),
            )
            return end, tf.concat([attended, group], axis=0)

        _, attended = tf.while_loop(
            lambda start, _: start < num_texts,
            attend_group,
            [tf.constant(0), tf.zeros([0, dimensions], self.matmul_dtype)],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, dimensions])],
            parallel_iterations=1,
        )
        return attended

    def _dense(self, x: tf.Tensor, *prefixes: str) -> tf.Tensor:
        """Apply dense layers and concatenate their outputs, as one product of `matmul_dtype`."""
        kernel, bias = (
            tf.concat(
                [
                    tf.cast(self._weight(f"{prefix}.{name}"), self.matmul_dtype)
                    for prefix in prefixes
                ],
                axis=-1,
            )
            for name in ("weight", "bias")
        )
        return tf.nn.bias_add(tf.matmul(tf.cast(x, self.matmul_dtype), kernel), bias)

    def _layer_norm(self, x: tf.Tensor, prefix: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        normalized = (x - mean) * tf.math.rsqrt(variance + self.pretrained.epsilon)
        return normalized * self._weight(f"{prefix}.weight") + self._weight(f"{prefix}.bias")

    def _relative_attention_bias(self) -> tf.Tensor | None:
        if RELATIVE_ATTENTION_BIAS not in self._weights_by_name:
            return None
        return self._weight(RELATIVE_ATTENTION_BIAS)

    def _weight(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(self._weights_by_name[name])


def select_tokens(tokens: PackedTokens, keep_mask: tf.Tensor) -> PackedTokens:
    """Return the tokens whose `keep_mask`, bool [tokens], is true; each text must keep one."""
    lengths = tf.math.unsorted_segment_sum(
        tf.cast(keep_mask, tf.int32), _text_index(tokens), tf.size(tokens.lengths)
    )
    return PackedTokens(tf.boolean_mask(tokens.states, keep_mask), lengths)


def mean_pool(tokens: PackedTokens) -> tf.Tensor:
    """Return the mean of the token states of each text; float32 [N, dimensions]."""
    num_texts = tf.size(tokens.lengths)
    sums = tf.math.unsorted_segment_sum(tokens.states, _text_index(tokens), num_texts)
    return sums / tf.maximum(tf.cast(tokens.lengths, tf.float32), 1.0)[:, tf.newaxis]


def _text_index(tokens: PackedTokens) -> tf.Tensor:
    """Return the index of each token's text; int32 [tokens]."""
    return tf.repeat(tf.range(tf.size(tokens.lengths)), tokens.lengths)


def _layer_prefixes(layers: Collection[int]) -> tuple[str, ...]:
    """Return the prefixes of the names of the layers' weights."""
    return tuple(f"encoder.layer.{index}." for index in layers)
