"""The `preprocessing_fn` of the Transform component."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from schema import features as raw
from schema.genres import GENRES
from transform import features as xf
from transform import text

Raw = dict[str, tf.Tensor | tf.SparseTensor]


def preprocessing_fn(inputs: Raw, custom_config: dict[str, Any] | None) -> dict[str, Any]:
    """Turn raw features into those that `transform.features` names, with label and slice keys.

    Args:
        inputs: SparseTensor [N, at most one] or Tensor [N] or [N, 1] of each raw feature, by name.
            A missing or empty value is allowed everywhere.
        custom_config: `{"transform": fields of TransformConfig}`, as the pipeline passes it.
    """
    config = xf.TransformConfig.model_validate((custom_config or {}).get("transform", {}))
    outputs: dict[str, Any] = {}

    plot = _strings(inputs[raw.PLOT])
    plot_words = text.words(plot, config.max_plot_characters)
    title = _strings(inputs[raw.TITLE])
    outputs[xf.PLOT_WORDS] = _vocabulary_ids(plot_words, config)
    outputs[xf.PLOT_NGRAMS] = _distinct_hashes(text.ngrams(plot_words))
    outputs[xf.TITLE_WORDS] = _distinct_hashes(text.words(title, config.max_plot_characters))
    outputs[xf.PLOT_TEXT] = text.head(plot, config.max_plot_characters)
    outputs[xf.TITLE_TEXT] = text.head(title, config.max_plot_characters)

    people = {name: text.names(_strings(inputs[name])) for name in raw.PEOPLE}
    people[raw.CAST] = people[raw.CAST][:, : config.max_cast]
    for name, feature in xf.PEOPLE_IDS.items():
        outputs[feature] = tf.ragged.map_flat_values(_hashes, people[name]).to_sparse()
    outputs[xf.SPLIT_GROUP] = _hashes(_strings(inputs[raw.SPLIT_KEY]))

    values = {name: _number(inputs[name]) for name in raw.NUMBERS}
    numbers = [
        tf.math.log1p(values[name]) if name == raw.VOTES else values[name] for name in raw.NUMBERS
    ]
    outputs[xf.NUMBERS], outputs[xf.NUMBERS_MISSING] = _scaled(tf.stack(numbers, axis=1))

    # Names of no genre count for nothing.
    given = text.names(_strings(inputs[raw.GENRES_FIELD])).to_tensor("")
    matches = given[:, :, tf.newaxis] == tf.constant(GENRES)[tf.newaxis, tf.newaxis, :]
    outputs[xf.LABEL] = tf.cast(tf.reduce_any(matches, axis=1), tf.float32)

    year = values[raw.YEAR]
    start = tf.cast(tf.where(tf.math.is_nan(year), 0.0, year), tf.int64) // 10 * 10
    decade = tf.strings.as_string(start) + "s"
    outputs[xf.DECADE] = tf.where(tf.math.is_nan(year), "unknown", decade)
    words = plot_words.row_lengths()
    longer = tf.where(words < 80, "medium", "long")
    outputs[xf.PLOT_LENGTH] = tf.where(words < 30, "short", longer)
    credits_known = tf.add_n([names.row_lengths() for names in people.values()]) > 0
    ratings_known = ~tf.math.is_nan(values[raw.RATING]) & ~tf.math.is_nan(values[raw.VOTES])
    outputs[xf.METADATA] = tf.where(
        credits_known,
        tf.where(ratings_known, "complete", "no rating"),
        tf.where(ratings_known, "no credits", "plot and title only"),
    )
    return outputs


def _strings(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """One string a row, [N]; empty where there is none."""
    return _dense(values, "")


def _number(values: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """One float32 a row, [N]; NaN where there is none or it is not above zero."""
    dense = _dense(tf.cast(values, tf.float32), float("nan"))
    return tf.where(tf.math.is_finite(dense) & (dense > 0), dense, float("nan"))


def _dense(values: tf.Tensor | tf.SparseTensor, default: str | float) -> tf.Tensor:
    if isinstance(values, tf.SparseTensor):
        shape = tf.stack([values.dense_shape[0], tf.constant(1, tf.int64)])
        one_column = tf.SparseTensor(values.indices, values.values, shape)
        values = tf.sparse.to_dense(one_column, default_value=default)
    return tf.reshape(values, [-1])


def _vocabulary_ids(words: tf.RaggedTensor, config: xf.TransformConfig) -> tf.SparseTensor:
    """Ids of the first words of each plot in the vocabulary of the most frequent words.

    A word that is not in the vocabulary gets the id behind its last.
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
        num_oov_buckets=xf.OOV_BUCKETS,
    )


def _hashes(strings: tf.Tensor) -> tf.Tensor:
    """A hash from 0 to `HASHES` - 1 of each string; int64 of the shape of the strings."""
    return tf.strings.to_hash_bucket_fast(strings, xf.HASHES)


def _distinct_hashes(tokens: tf.RaggedTensor) -> tf.SparseTensor:
    """Hashes of the tokens, each once a row, in the order of their first places."""
    once, _ = tf.unique(tokens.value_rowids() * xf.HASHES + _hashes(tokens.flat_values))
    hashes, rows = once % xf.HASHES, once // xf.HASHES
    return tf.RaggedTensor.from_value_rowids(hashes, rows, nrows=tokens.nrows()).to_sparse()


def _scaled(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale each column to mean 0 and variance 1 over its known values, cut at four deviations.

    TensorFlow Transform ignores values that are not finite, and makes one analysis of all columns.
    Numbers, float32 [N, columns], are NaN where not known; scaled ones are 0 there, and where a
    column has no variance. The second result is 1.0 where a number is not known.
    """
    known = tf.math.is_finite(numbers)
    z = tft.scale_to_z_score(tf.cast(numbers, tf.float64), elementwise=True)
    scaled = tf.where(known, tf.cast(tf.clip_by_value(z, -4.0, 4.0), tf.float32), 0.0)
    return scaled, 1.0 - tf.cast(known, tf.float32)
