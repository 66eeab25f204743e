"""Words, n-grams and names from text, with TensorFlow ops that every TensorFlow Serving has."""

import tensorflow as tf

from schema.features import LIST_SEPARATOR


def normalize(text: tf.Tensor) -> tf.Tensor:
    """Convert to lower case and keep only letters and digits, with one space between words.

    Apostrophes are removed without a space, so that `don't` becomes the word `dont`. Invalid UTF-8
    is replaced first, because the string ops fail on it.

    Args:
        text: string [N].

    Returns:
        string [N].

    >>> normalize(tf.constant(["Don't look -- NOW!"])).numpy()
    array([b'dont look now'], dtype=object)
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, r"['’`´]", "")
    text = tf.strings.regex_replace(text, r"[^\p{L}\p{M}\p{N}]+", " ")
    return tf.strings.strip(text)


def tokenize(text: tf.Tensor, max_characters: int) -> tf.RaggedTensor:
    """Split the first `max_characters` characters of each text into normalized words.

    Args:
        text: string [N].
        max_characters: Number of characters that are read of each text.

    Returns:
        string [N, (words)].
    """
    return tf.strings.split(normalize(truncate(text, max_characters)))


def truncate(text: tf.Tensor, max_characters: int) -> tf.Tensor:
    """Return the first `max_characters` characters of each text as valid UTF-8; string [N]."""
    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.substr(valid, 0, max_characters, unit="UTF8_CHAR")


def ngrams(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return the words, followed by all pairs of neighbouring words; string [N, (n-grams)].

    >>> ngrams(tf.ragged.constant([["a", "b", "c"]])).to_list()
    [[b'a', b'b', b'c', b'a b', b'b c']]
    """
    return tf.concat([tokens, tf.strings.ngrams(tokens, 2, separator=" ")], axis=1)


def split_names(joined: tf.Tensor) -> tf.RaggedTensor:
    """Split joined names in their order; drop spaces around names, and empty names.

    Args:
        joined: string [N]. Names with `LIST_SEPARATOR` between them.

    Returns:
        string [N, (names)].

    >>> split_names(tf.constant(["Ada Lovelace| |Alan Turing "])).to_list()
    [[b'Ada Lovelace', b'Alan Turing']]
    """
    valid = tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")
    parts = tf.strings.split(valid, LIST_SEPARATOR)
    stripped = tf.ragged.map_flat_values(tf.strings.strip, parts)
    return tf.ragged.boolean_mask(stripped, tf.strings.length(stripped) > 0)
