"""Multi-head self-attention for packed texts, whose tokens are concatenated without padding.

Each row of the gathers below is the part of one token that belongs to one head. Gathering these
rows into the padded layout of the matrix products and back is several times as fast as padding the
whole layer (docs/model.md).
"""

import math
from typing import Any

import tensorflow as tf


def packed_attention(
    qkv: tf.Tensor, lengths: tf.Tensor, num_heads: int, bias: tf.Tensor | None = None
) -> tf.Tensor:
    """Compute self-attention within each text, padded to the longest of the texts.

    Args:
        qkv: float [tokens, 3 * dimensions]. Queries, keys and values of all heads, side by side,
            for the tokens of all texts.
        lengths: int32 [N]. Number of tokens of each text; at least one text is required.
        num_heads: Number of attention heads.
        bias: float32 [buckets, num_heads]. Value that is added to the attention score of two
            tokens, by their `relative_position_bucket`; None disables it.

    Returns:
        [tokens, dimensions], with the dtype of `qkv`.
    """
    dimensions = qkv.shape[-1] // 3
    head_size = dimensions // num_heads
    num_texts, longest = tf.size(lengths), tf.reduce_max(lengths)
    mask = tf.sequence_mask(lengths, longest)
    text_and_position = tf.cast(tf.where(mask), tf.int32)
    # Packed rows are ordered by token, then query, key or value, then head. Padded rows are ordered
    # by query, key or value, then text, head and position.
    head = tf.range(num_heads)
    first_token = tf.cumsum(lengths, exclusive=True)[:, tf.newaxis]
    token = tf.where(mask, first_token + tf.range(longest), 0)[:, tf.newaxis]
    part = tf.range(3)[:, tf.newaxis, tf.newaxis, tf.newaxis] * num_heads + head[:, tf.newaxis]
    to_padded = token * (3 * num_heads) + part
    padded_rows = (text_and_position[:, :1] * num_heads + head) * longest + text_and_position[:, 1:]
    rows_per_part = num_texts * num_heads * longest
    to_packed = tf.range(3)[:, tf.newaxis] * rows_per_part + padded_rows[:, tf.newaxis]

    query, key, value = tf.unstack(_permute_heads(qkv, to_padded, head_size, inverse=to_packed))
    scale = tf.constant(head_size**-0.5, qkv.dtype)
    scores = tf.matmul(scale * query, key, transpose_b=True)
    padding = tf.cast(tf.where(mask, 0.0, -1e9), qkv.dtype)[:, tf.newaxis, tf.newaxis]
    if bias is not None:
        position = tf.range(longest)
        buckets = relative_position_bucket(position - position[:, tf.newaxis], bias.shape[0])
        scores += tf.cast(tf.transpose(tf.gather(bias, buckets), [2, 0, 1]), qkv.dtype)
    padded = tf.matmul(tf.nn.softmax(scores + padding), value)
    inverse = token * num_heads + head[:, tf.newaxis]
    mask = tf.cast(mask, qkv.dtype)[:, tf.newaxis, :, tf.newaxis]
    packed = _permute_heads(padded, padded_rows, head_size, inverse=inverse, mask=mask)
    return tf.reshape(packed, [-1, dimensions])


def relative_position_bucket(relative_positions: tf.Tensor, num_buckets: int) -> tf.Tensor:
    """Assign relative positions to buckets, as in T5 (Raffel et al. 2020, arXiv:1910.10683).

    Half of the buckets are for keys before the query. In each half, small distances have their own
    bucket, larger ones share logarithmically wider buckets, and all above 128 share the last one.

    Args:
        relative_positions: int32, any shape. Position of the key minus position of the query.
        num_buckets: Number of buckets.

    Returns:
        int32, with the shape of `relative_positions`.
    """
    half, num_exact = num_buckets // 2, num_buckets // 4
    distance = tf.abs(relative_positions)
    ratio = tf.cast(tf.maximum(distance, num_exact), tf.float32) / num_exact
    steps = tf.math.log(ratio) / math.log(128 / num_exact) * (half - num_exact)
    far = tf.minimum(num_exact + tf.cast(steps, tf.int32), half - 1)
    return tf.where(relative_positions > 0, half, 0) + tf.where(distance < num_exact, distance, far)


def _permute_heads(
    values: tf.Tensor,
    index: tf.Tensor,
    head_size: int,
    *,
    inverse: tf.Tensor,
    mask: tf.Tensor | None = None,
) -> tf.Tensor:
    """Gather rows of `head_size` numbers, with a gradient that is a gather as well.

    TensorFlow's own gradient of a gather adds up rows one by one, which is slow. Here a gather is
    sufficient, because only padding uses a row for a second time.

    Args:
        values: Float, any shape; it is reshaped to [rows, head_size].
        index: int32, any shape. For each place of the result, the row of `values` to use.
        head_size: Number of values in a row.
        inverse: int32, any shape. For each row of `values`, its place in the result.
        mask: Float, 1 for rows of `values` that the result uses, 0 for padding, whose `inverse` is
            ignored; None if no row is padding.

    Returns:
        [*index.shape, head_size], with the dtype of `values`.
    """

    @tf.custom_gradient
    def permute(rows: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            gathered = tf.gather(tf.reshape(upstream, [-1, head_size]), inverse)
            gathered = gathered if mask is None else gathered * mask
            return tf.reshape(gathered, tf.shape(rows))

        return tf.gather(tf.reshape(rows, [-1, head_size]), index), gradient

    return permute(values)
