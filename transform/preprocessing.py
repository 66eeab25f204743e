"""The `preprocessing_fn` of the Transform component."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from schema import features as raw
from schema.genres import GENRES
from transform import features as xf
from transform import text

SHORT_PLOT_WORDS = 30
LONG_PLOT_WORDS = 80
"""Bounds of the slices `short`, `medium` and `long`, in words."""

Raw = dict[str, tf.Tensor | tf.SparseTensor]


def preprocessing_fn(inputs: Raw, custom_config: dict[str, Any] | None) -> dict[str, Any]:
    """Turn raw features into what the model reads.

    Args:
        inputs: raw features by name; each a SparseTensor [N, at most one] or a Tensor [N] or [N,
        1].
            A missing or empty value is allowed everywhere.
        custom_config: `{"transform": fields of TransformConfig}`, as the pipeline passes it.

    Returns:
        The features that `transform.features` names, with the label and the slice keys.
    """
    config = xf.TransformConfig.from_dict((custom_config or {}).get("transform"))
    outputs: dict[str, Any] = {}

    plot = _strings(inputs[raw.PLOT])
    plot_words = text.words(plot, config.max_plot_characters)
    outputs[xf.PLOT_WORDS] = _ids(
        plot_words[:, : config.max_plot_words],
        xf.PLOT_WORDS,
        vocabulary_of=plot_words,
        top_k=config.max_words,
        min_count=config.min_word_count,
    )
    outputs[xf.PLOT_TEXT] = text.head(plot, config.max_plot_characters)
    outputs[xf.PLOT_NGRAMS] = _distinct(
        _ids(
            text.ngrams(plot_words),
            xf.PLOT_NGRAMS,
            top_k=config.max_ngrams,
            min_count=config.min_ngram_count,
        )
    )
    title = _strings(inputs[raw.TITLE])
    outputs[xf.TITLE_TEXT] = text.head(title, config.max_plot_characters)
    outputs[xf.TITLE_WORDS] = _ids(
        text.words(title, config.max_plot_characters),
        xf.TITLE_WORDS,
        top_k=config.max_title_words,
        min_count=config.min_word_count,
    )

    people = {name: text.names(_strings(inputs[name]), raw.LIST_SEPARATOR) for name in raw.PEOPLE}
    people[raw.CAST] = people[raw.CAST][:, : config.max_cast]
    for name, feature in xf.PEOPLE_IDS.items():
        outputs[feature] = _ids(
            people[name], feature, top_k=config.max_people, min_count=config.min_people_count
        )

    values = {name: _number(inputs[name]) for name in raw.NUMBERS}
    numbers = [
        tf.math.log1p(values[name]) if name == raw.VOTES else values[name] for name in raw.NUMBERS
    ]
    outputs[xf.NUMBERS], outputs[xf.NUMBERS_MISSING] = _scaled(tf.stack(numbers, axis=1))

    outputs[xf.LABEL] = _multi_hot(_strings(inputs[raw.GENRES_FIELD]))

    outputs[xf.DECADE] = _decade(values[raw.YEAR])
    outputs[xf.PLOT_LENGTH] = _plot_length(plot_words.row_lengths())
    outputs[xf.METADATA] = _metadata(
        credits_known=tf.add_n([names.row_lengths() for names in people.values()]) > 0,
        ratings_known=~tf.math.is_nan(values[raw.RATING]) & ~tf.math.is_nan(values[raw.VOTES]),
    )
    return outputs


def _strings(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """One string a row, [N]; empty where there is none."""
    return _dense(values, "")


def _number(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """One float32 a row, [N]; NaN where there is none or it is not above zero."""
    if values.dtype != tf.float32:
        values = tf.cast(values, tf.float32)
    dense = _dense(values, float("nan"))
    return tf.where(tf.math.is_finite(dense) & (dense > 0), dense, float("nan"))


def _dense(values: tf.Tensor | tf.SparseTensor, default: str | float) -> tf.Tensor:
    if isinstance(values, tf.SparseTensor):
        one_column = tf.SparseTensor(
            values.indices,
            values.values,
            tf.stack([values.dense_shape[0], tf.constant(1, tf.int64)]),
        )
        values = tf.sparse.to_dense(one_column, default_value=default)
    return tf.reshape(values, [-1])


def _ids(
    tokens: tf.RaggedTensor,
    vocabulary: str,
    *,
    top_k: int,
    min_count: int,
    vocabulary_of: tf.RaggedTensor | None = None,
) -> tf.SparseTensor:
    """Look tokens up in a vocabulary made by frequency; what is not in it gets the bucket behind
    it.

    The vocabulary is made from `vocabulary_of` where that is given, else from the tokens
    themselves.
    """
    source = tokens if vocabulary_of is None else vocabulary_of
    path = tft.vocabulary(
        source.to_sparse(),
        top_k=top_k,
        frequency_threshold=min_count,
        vocab_filename=vocabulary,
    )
    return tft.apply_vocabulary(
        tokens.to_sparse(), deferred_vocab_filename_tensor=path, num_oov_buckets=xf.OOV_BUCKETS
    )


def _distinct(ids: tf.SparseTensor) -> tf.SparseTensor:
    """Each id once a row, in the order of their first places."""
    row_and_id = tf.stack([ids.indices[:, 0], ids.values], axis=1)
    once = tf.raw_ops.UniqueV2(x=row_and_id, axis=[0]).y
    return tf.RaggedTensor.from_value_rowids(
        once[:, 1], once[:, 0], nrows=ids.dense_shape[0]
    ).to_sparse()


def _scaled(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale each column to mean 0 and variance 1 over its known values, cut at four deviations.

    One analysis of sums serves all columns; `tft.scale_to_z_score` would be two passes for each.

    Args:
        numbers: float32 [N, columns], NaN where not known.

    Returns:
        The scaled numbers, 0 where not known or where a column has no variance, and 1.0 where not
        known; float32 [N, columns] each.
    """
    known = tf.math.is_finite(numbers)
    exact = tf.cast(tf.where(known, numbers, 0.0), tf.float64)
    sums = tft.sum(
        tf.concat([tf.cast(known, tf.float64), exact, exact**2], axis=1), reduce_instance_dims=False
    )
    count, total, squares = tf.split(sums, 3)
    count = tf.maximum(count, 1.0)
    mean = total / count
    variance = squares / count - mean**2
    # Beside rounding: what is left of equal values after the subtraction is no variance.
    usable = variance > 1e-9 * (squares / count)
    z = (exact - mean) / tf.sqrt(tf.where(usable, variance, 1.0))
    scaled = tf.where(known & usable, tf.cast(tf.clip_by_value(z, -4.0, 4.0), tf.float32), 0.0)
    return scaled, 1.0 - tf.cast(known, tf.float32)


def _multi_hot(joined: tf.Tensor) -> tf.Tensor:
    """1.0 at each genre named, float32 [N, 22]; other names count for nothing."""
    given = text.names(joined, raw.LIST_SEPARATOR).to_tensor("")
    matches = given[:, :, tf.newaxis] == tf.constant(GENRES)[tf.newaxis, tf.newaxis, :]
    return tf.cast(tf.reduce_any(matches, axis=1), tf.float32)


def _decade(year: tf.Tensor) -> tf.Tensor:
    known = ~tf.math.is_nan(year)
    start = tf.cast(tf.where(known, year, 0.0), tf.int64) // 10 * 10
    return tf.where(known, tf.strings.as_string(start) + "s", "unknown")


def _plot_length(count: tf.Tensor) -> tf.Tensor:
    longer = tf.where(count < LONG_PLOT_WORDS, "medium", "long")
    return tf.where(count < SHORT_PLOT_WORDS, "short", longer)


def _metadata(*, credits_known: tf.Tensor, ratings_known: tf.Tensor) -> tf.Tensor:
    without_credits = tf.where(ratings_known, "no credits", "plot and title only")
    return tf.where(
        credits_known, tf.where(ratings_known, "complete", "no rating"), without_credits
    )
