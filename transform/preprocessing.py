"""The `preprocessing_fn` of the Transform component."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from schema import features as raw
from schema.genres import GENRES
from transform import features as xf
from transform import text
from transform.language import language

RawFeatures = dict[str, tf.Tensor | tf.SparseTensor]


def preprocessing_fn(inputs: RawFeatures, custom_config: dict[str, Any] | None) -> dict[str, Any]:
    """Transform raw features into the features, label and slice keys of `transform.features`.

    Args:
        inputs: Raw features by name, each a SparseTensor [N, at most one] or a Tensor [N] or
            [N, 1]. Every value may be missing or empty.
        custom_config: Dict with the fields of `TransformConfig` under the key `transform`, and the
            names of the genres under the key `genres`; the defaults apply without them.

    Returns:
        Transformed features by name.
    """
    custom_config = custom_config or {}
    config = xf.TransformConfig.model_validate(custom_config.get("transform", {}))
    genres = tf.constant(custom_config.get("genres", GENRES))
    outputs: dict[str, Any] = {}

    # All in one call, because each call adds the table of entities to the graph.
    names = raw.PLOT, raw.TITLE, *raw.PEOPLE
    columns = tf.stack([_string_column(inputs[name]) for name in names])
    plot, title, *people_names = tf.unstack(text.clean_text(columns, config.max_plot_characters))
    plot = text.clean_plot(plot)
    plot_words = text.tokenize(plot)
    outputs[xf.PLOT_WORDS] = _vocabulary_ids(plot_words, config)
    outputs[xf.PLOT_NGRAMS] = _distinct_hashes(text.ngrams(plot_words))
    outputs[xf.TITLE_WORDS] = _distinct_hashes(text.tokenize(title))
    outputs[xf.PLOT_TEXT], outputs[xf.TITLE_TEXT] = plot, title

    people = dict(zip(raw.PEOPLE, map(text.split_names, people_names), strict=True))
    people[raw.CAST] = people[raw.CAST][:, : config.max_cast]
    for name, feature in xf.PEOPLE_IDS.items():
        outputs[feature] = tf.ragged.map_flat_values(_hash, people[name]).to_sparse()
    outputs[xf.SPLIT_GROUP] = _hash(_string_column(inputs[raw.SPLIT_KEY]))

    values = {name: _number_column(inputs[name]) for name in raw.NUMBERS}
    # In float32, the last digit of a logarithm depends on the number of rows of the batch.
    numbers = {name: tf.cast(values[name], tf.float64) for name in raw.NUMBERS}
    numbers[raw.VOTES] = tf.math.log1p(numbers[raw.VOTES])
    outputs[xf.NUMBERS], outputs[xf.NUMBERS_MISSING] = _scale_numbers(
        tf.stack([*numbers.values()], axis=1)
    )

    # Names that are not in `genres` match no column of the label.
    names = text.split_names(_string_column(inputs[raw.GENRES_FIELD])).to_tensor("")
    matches = names[:, :, tf.newaxis] == genres[tf.newaxis, tf.newaxis, :]
    outputs[xf.LABEL] = tf.cast(tf.reduce_any(matches, axis=1), tf.float32)

    year = values[raw.YEAR]
    start = tf.cast(tf.where(tf.math.is_nan(year), 0.0, year), tf.int64) // 10 * 10
    decade = tf.strings.as_string(start) + "s"
    outputs[xf.DECADE] = tf.where(tf.math.is_nan(year), "unknown", decade)
    num_words = plot_words.row_lengths()
    medium_or_long = tf.where(num_words < 80, "medium", "long")
    outputs[xf.PLOT_LENGTH] = tf.where(num_words < 30, "short", medium_or_long)
    credits_known = tf.add_n([names.row_lengths() for names in people.values()]) > 0
    ratings_known = ~tf.math.is_nan(values[raw.RATING]) & ~tf.math.is_nan(values[raw.VOTES])
    outputs[xf.METADATA] = tf.where(
        credits_known,
        tf.where(ratings_known, "complete", "no rating"),
        tf.where(ratings_known, "no credits", "plot and title only"),
    )
    outputs[xf.LANGUAGE] = language(plot_words)
    return outputs


def _string_column(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """Return one string per row, empty where the value is missing; string [N]."""
    return _dense_column(values, "")


def _number_column(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """Return one number per row, NaN where it is missing or not positive; float32 [N]."""
    dense = _dense_column(tf.cast(values, tf.float32), float("nan"))
    return tf.where(tf.math.is_finite(dense) & (dense > 0), dense, float("nan"))


def _dense_column(values: tf.Tensor | tf.SparseTensor, default: str | float) -> tf.Tensor:
    if isinstance(values, tf.SparseTensor):
        shape = tf.stack([values.dense_shape[0], tf.constant(1, tf.int64)])
        one_column = tf.SparseTensor(values.indices, values.values, shape)
        values = tf.sparse.to_dense(one_column, default_value=default)
    return tf.reshape(values, [-1])


def _vocabulary_ids(words: tf.RaggedTensor, config: xf.TransformConfig) -> tf.SparseTensor:
    """Fit the vocabulary on all words, and return the ids of each plot's first words.

    Words that are not in the vocabulary get the id after its last one.
    """
    path = tft.vocabulary(
        words.to_sparse(),
        top_k=config.max_words,
        frequency_threshold=config.min_word_count,
        vocab_filename=xf.PLOT_WORDS,
    )
    return tft.apply_vocabulary(
        words[:, : config.max_plot_words].to_sparse(),
        deferred_vocab_filename_tensor=path,
        num_oov_buckets=xf.NUM_OOV_BUCKETS,
    )


def _hash(strings: tf.Tensor) -> tf.Tensor:
    """Hash each string to an int64 from 0 to `NUM_HASHES` - 1; the shape stays the same."""
    return tf.strings.to_hash_bucket_fast(strings, xf.NUM_HASHES)


def _distinct_hashes(tokens: tf.RaggedTensor) -> tf.SparseTensor:
    """Return each row's distinct hashes of tokens, in the order of their first occurrence."""
    # Row and hash together form one number, so that equal hashes of two rows remain distinct.
    keys = tokens.value_rowids() * xf.NUM_HASHES + _hash(tokens.flat_values)
    distinct, _ = tf.unique(keys)
    hashes, rows = distinct % xf.NUM_HASHES, distinct // xf.NUM_HASHES
    return tf.RaggedTensor.from_value_rowids(hashes, rows, nrows=tokens.nrows()).to_sparse()


def _scale_numbers(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale each column to mean 0 and variance 1, and clip at four standard deviations.

    Args:
        numbers: float64 [N, columns]. NaN where the number is missing.

    Returns:
        The scaled numbers, float32 [N, columns], 0 where missing, in columns without variance, and
        in columns that no training movie has; and the missing indicators, float32 [N, columns],
        1.0 where missing.
    """
    # TensorFlow Transform ignores NaN, and analyzes all columns at once.
    known = tf.math.is_finite(numbers)
    z = tft.scale_to_z_score(numbers, elementwise=True)
    # The mean of a column without any value is NaN.
    has_score = known & tf.math.is_finite(z)
    scaled = tf.where(has_score, tf.cast(tf.clip_by_value(z, -4.0, 4.0), tf.float32), 0.0)
    return scaled, 1.0 - tf.cast(known, tf.float32)
