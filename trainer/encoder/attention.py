"""Self-attention within texts whose tokens are packed one text after the other.

A head's part of a token is one row; gathers bring the rows into the padded arrangement that the
products need and back, which is several times as fast as padding whole layers
(docs/model.md).
"""

import math
from typing import Any

import tensorflow as tf


def mixed(
    asked: tf.Tensor, lengths: tf.Tensor, heads: int, bias: tf.Tensor | None = None
) -> tf.Tensor:
    """Attention within each of some texts, padded to the longest of them.

    Args:
        asked: float [tokens, 3 * dimensions], query, key and value of all heads, text after text.
        lengths: int32 [N], number of tokens of each text; there is one text at least.
        heads: number of heads.
        bias: float32 [classes, heads], added to the scores of two tokens by their `distance`.

    Returns:
        [tokens, dimensions], of the type of `asked`.
    """
    dimensions = asked.shape[-1] // 3
    size = dimensions // heads
    rows, longest = tf.size(lengths), tf.reduce_max(lengths)
    there = tf.sequence_mask(lengths, longest)
    places = tf.cast(tf.where(there), tf.int32)
    # A head's part of a token is one row of `size` numbers: packed they go by token, what is asked
    # and head; padded by what is asked, text, head and place.
    head = tf.range(heads)
    first = tf.cumsum(lengths, exclusive=True)[:, tf.newaxis]
    token = tf.where(there, first + tf.range(longest), 0)[:, tf.newaxis]
    part = tf.range(3)[:, tf.newaxis, tf.newaxis, tf.newaxis] * heads + head[:, tf.newaxis]
    to_padded = token * (3 * heads) + part
    by_head = (places[:, :1] * heads + head) * longest + places[:, 1:]
    to_packed = tf.range(3)[:, tf.newaxis] * (rows * heads * longest) + by_head[:, tf.newaxis]

    query, key, value = tf.unstack(_moved(asked, to_padded, size, back=to_packed))
    scale = tf.constant(size**-0.5, asked.dtype)
    scores = tf.matmul(scale * query, key, transpose_b=True)
    away = tf.cast(tf.where(there, 0.0, -1e9), asked.dtype)[:, tf.newaxis, tf.newaxis]
    if bias is not None:
        place = tf.range(longest)
        classes = distance(place - place[:, tf.newaxis], bias.shape[0])
        scores += tf.cast(tf.transpose(tf.gather(bias, classes), [2, 0, 1]), asked.dtype)
    padded = tf.matmul(tf.nn.softmax(scores + away), value)
    back = token * heads + head[:, tf.newaxis]
    there = tf.cast(there, asked.dtype)[:, tf.newaxis, :, tf.newaxis]
    return tf.reshape(_moved(padded, by_head, size, back=back, there=there), [-1, dimensions])


def distance(places: tf.Tensor, classes: int) -> tf.Tensor:
    """Classes of how far a token reads from another, as Raffel et al. 2020 (arXiv:1910.10683).

    Half of the `classes` are for what comes before; near places have one each, farther ones share
    theirs by the logarithm, those beyond 128 tokens the last one. `places` are int32, of the token
    that is read, from the one that reads; the classes are int32 of the same shape.
    """
    half, near = classes // 2, classes // 4
    away = tf.abs(places)
    far = tf.math.log(tf.cast(tf.maximum(away, near), tf.float32) / near)
    far = near + tf.cast(far / math.log(128 / near) * (half - near), tf.int32)
    return tf.where(places > 0, half, 0) + tf.where(away < near, away, tf.minimum(far, half - 1))


def _moved(
    values: tf.Tensor,
    index: tf.Tensor,
    size: int,
    *,
    back: tf.Tensor,
    there: tf.Tensor | None = None,
) -> tf.Tensor:
    """The heads' parts of tokens in another order.

    A gather's own gradient adds up row by row; as no token comes from two, another gather will do.
    `index` has the row of `values`, of `size` numbers each, that comes to each place of the result,
    and `back` the place at which each row came. `there` is 1 for rows that went anywhere, 0 for
    padding, whose place in `back` means nothing; None if there is none.
    """

    @tf.custom_gradient
    def move(rows: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            found = tf.gather(tf.reshape(upstream, [-1, size]), back)
            found = found if there is None else found * there
            return tf.reshape(found, tf.shape(rows))

        return tf.gather(tf.reshape(rows, [-1, size]), index), gradient

    return move(values)
