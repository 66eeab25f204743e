"""Clean text, its words and n-grams, with TensorFlow ops that every TensorFlow Serving has."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import tensorflow as tf

from schema import text_rules
from schema.features import LIST_SEPARATOR
from schema.text_rules import Rule

_MARK: Final = b"\xff"
"""Separates the parts of a text; no valid UTF-8 contains it."""

_NUM_HASHES: Final = 2**62
_MAX_DIGITS: Final = 7
"""Number of digits of the longest numeric entity."""


def clean_text(text: tf.Tensor, max_characters: int) -> tf.Tensor:
    """Return titles or names as `schema.text.clean_text` does.

    Args:
        text: string of any shape. Bytes that are not valid UTF-8 are replaced by U+FFFD.
        max_characters: Number of characters that are read of each text.

    Returns:
        string of the same shape.

    >>> clean_text(tf.constant(["Tom&nbsp; &amp;amp; Jerry"]), 100).numpy()
    array([b'Tom & Jerry'], dtype=object)
    """
    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    # Most texts need no cleaning, and to find them takes a tenth of the time.
    rows = tf.where(~tf.strings.regex_full_match(valid, text_rules.PLAIN))
    lines = tf.strings.strip(_apply(text_rules.CSV_RULES, tf.gather_nd(valid, rows)))
    lines = tf.strings.substr(lines, 0, max_characters, unit="UTF8_CHAR")
    plain = tf.strings.substr(valid, 0, max_characters, unit="UTF8_CHAR")
    cleaned = _apply(text_rules.TEXT_RULES, lines)
    return tf.strings.strip(tf.tensor_scatter_nd_update(plain, rows, cleaned))


def clean_plot(text: tf.Tensor) -> tf.Tensor:
    """Return plots as `schema.text.clean_plot` does, from plots after `clean_text`; string [N].

    >>> clean_plot(tf.constant(["<i>Ships</i> sink.[1] —Ann Lee", "Add a plot"])).numpy()
    array([b'Ships sink.', b''], dtype=object)
    """
    text = tf.strings.strip(_apply(text_rules.MARKUP_RULES, text))
    size = text_rules.TAIL_CHARACTERS
    start = tf.maximum(tf.strings.length(text, unit="UTF8_CHAR") - size, 0)
    beginning = tf.strings.substr(text, tf.zeros_like(start), start, unit="UTF8_CHAR")
    tail = tf.strings.substr(text, start, tf.fill(tf.shape(start), size), unit="UTF8_CHAR")
    text = beginning + _apply(text_rules.TAIL_RULES, tail)
    is_plot = tf.strings.regex_full_match(text, r"[^\pL]*\pL(?s:.*)")
    is_placeholder = tf.strings.regex_full_match(text, text_rules.PLACEHOLDER)
    return tf.strings.strip(tf.where(is_plot & ~is_placeholder, text, ""))


def _apply(rules: Iterable[Rule], text: tf.Tensor) -> tf.Tensor:
    """Apply rules to each text; string [N]."""
    for pattern, replacement, _ in rules:
        if isinstance(replacement, str):
            text = tf.strings.regex_replace(text, pattern, replacement)
        else:
            marked = tf.strings.regex_replace(text, f"({pattern})", _MARK + rb"\1" + _MARK)
            rows = tf.where(marked != text)
            # The public functions for ragged tensors would add a hundred operations.
            parts = tf.raw_ops.StringSplitV2(input=tf.gather_nd(marked, rows), sep=_MARK)
            replaced = _replace(parts.values, replacement)
            size = tf.shape(rows, tf.int64)[0]
            joined = tf.strings.unsorted_segment_join(replaced, parts.indices[:, 0], size)
            text = tf.tensor_scatter_nd_update(text, rows, joined)
    return text


def _replace(parts: tf.Tensor, table: Mapping[str, str]) -> tf.Tensor:
    """Replace the parts that are keys of a table or numeric HTML entities; string [P].

    The keys are found by binary search for their hashes, because a lookup table is a resource that
    each graph has to create and to keep.
    """
    # Outside of the graph, so that it contains the sorted keys and not their sorting.
    with tf.init_scope():
        keys = np.array([key.encode() for key in table], object)
        hashes = tf.strings.to_hash_bucket_fast(keys, _NUM_HASHES).numpy()
    order = np.argsort(hashes)
    values = np.array([value.encode() for value in table.values()], object)
    index = tf.searchsorted(hashes[order], tf.strings.to_hash_bucket_fast(parts, _NUM_HASHES))
    index = tf.minimum(index, len(table) - 1)
    is_key = tf.gather(keys[order], index) == parts
    replaced = tf.where(is_key, tf.gather(values[order], index), parts)
    rows = tf.where(tf.strings.regex_full_match(parts, text_rules.NUMBER_ENTITY))
    return tf.tensor_scatter_nd_update(replaced, rows, _characters(tf.gather_nd(parts, rows)))


def _characters(entities: tf.Tensor) -> tf.Tensor:
    """Return the characters of numeric HTML entities; string [E]."""
    is_hexadecimal = tf.strings.regex_full_match(entities, "&#[xX].*")
    digits = tf.strings.lower(tf.strings.regex_replace(entities, "[&#xX;]", ""))
    padded = tf.strings.substr("0" * _MAX_DIGITS + digits, -_MAX_DIGITS, _MAX_DIGITS)
    codes = tf.cast(tf.io.decode_raw(padded, tf.uint8, fixed_length=_MAX_DIGITS), tf.int32)
    values = tf.where(codes < ord("a"), codes - ord("0"), codes - ord("a") + 10)
    base = tf.where(is_hexadecimal, 16, 10)[:, tf.newaxis]
    numbers = tf.reduce_sum(values * base ** tf.range(_MAX_DIGITS - 1, -1, -1), axis=1)
    is_windows = (numbers >= 0x80) & (numbers < 0xA0)
    windows = tf.gather(text_rules.WINDOWS_1252, tf.where(is_windows, numbers - 0x80, 0))
    is_valid = (numbers > 0) & (numbers <= 0x10FFFF) & (numbers // 0x800 != 0x1B)
    numbers = tf.where(is_windows, windows, tf.where(is_valid, numbers, text_rules.REPLACEMENT))
    return tf.raw_ops.UnicodeEncode(
        input_values=numbers,
        input_splits=tf.range(tf.size(numbers) + 1),
        output_encoding="UTF-8",
    )


def normalize(text: tf.Tensor) -> tf.Tensor:
    """Convert to lower case and keep only letters and digits, with one space between words.

    Apostrophes are removed without a space, so that `don't` becomes the word `dont`.

    Args:
        text: string [N], valid UTF-8.

    Returns:
        string [N].

    >>> normalize(tf.constant(["Don't look -- NOW!"])).numpy()
    array([b'dont look now'], dtype=object)
    """
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, r"['’`´]", "")
    text = tf.strings.regex_replace(text, r"[^\p{L}\p{M}\p{N}]+", " ")
    return tf.strings.strip(text)


def tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Split each text into normalized words; string [N] to string [N, (words)]."""
    return tf.strings.split(normalize(text))


def ngrams(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return the words, followed by all pairs of neighbouring words; string [N, (n-grams)].

    >>> ngrams(tf.ragged.constant([["a", "b", "c"]])).to_list()
    [[b'a', b'b', b'c', b'a b', b'b c']]
    """
    return tf.concat([tokens, tf.strings.ngrams(tokens, 2, separator=" ")], axis=1)


def split_names(joined: tf.Tensor) -> tf.RaggedTensor:
    """Split joined names in their order; drop spaces around names, and empty names.

    Args:
        joined: string [N], valid UTF-8. Names with `LIST_SEPARATOR` between them.

    Returns:
        string [N, (names)].

    >>> split_names(tf.constant(["Ada Lovelace| |Alan Turing "])).to_list()
    [[b'Ada Lovelace', b'Alan Turing']]
    """
    parts = tf.strings.split(joined, LIST_SEPARATOR)
    stripped = tf.ragged.map_flat_values(tf.strings.strip, parts)
    return tf.ragged.boolean_mask(stripped, tf.strings.length(stripped) > 0)
