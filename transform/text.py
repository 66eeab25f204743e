"""Text to words and n-grams, in TensorFlow ops that every TensorFlow Serving has."""

import tensorflow as tf

from schema.features import LIST_SEPARATOR


def normalize(text: tf.Tensor) -> tf.Tensor:
    """Lower the case and leave letters and digits only, with one blank between words.

    Apostrophes vanish without a gap, so that `don't` is the word `dont`. Invalid UTF-8 is replaced
    before anything else, since the string ops would refuse it. string [N] in, string [N] out.

    >>> normalize(tf.constant(["Don't look -- NOW!"])).numpy()
    array([b'dont look now'], dtype=object)
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, r"['’`´]", "")
    text = tf.strings.regex_replace(text, r"[^\p{L}\p{M}\p{N}]+", " ")
    return tf.strings.strip(text)


def words(text: tf.Tensor, max_characters: int) -> tf.RaggedTensor:
    """Normalized words of the beginning of each text; string [N] in, string [N, (words)] out."""
    return tf.strings.split(normalize(head(text, max_characters)))


def head(text: tf.Tensor, max_characters: int) -> tf.Tensor:
    """The beginning of each text; string [N] in, string [N] of valid UTF-8 out."""
    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.substr(valid, 0, max_characters, unit="UTF8_CHAR")


def ngrams(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Words, then pairs of neighbouring words, duplicates kept; string [N, varying] in and out.

    >>> ngrams(tf.ragged.constant([["a", "b", "c"]])).to_list()
    [[b'a', b'b', b'c', b'a b', b'b c']]
    """
    return tf.concat([tokens, tf.strings.ngrams(tokens, 2, separator=" ")], axis=1)


def names(joined: tf.Tensor) -> tf.RaggedTensor:
    """Split joined names; blanks around a name and empty names are dropped.

    string [N] in, string [N, (names)] in the order given out.

    >>> names(tf.constant(["Ada Lovelace| |Alan Turing "])).to_list()
    [[b'Ada Lovelace', b'Alan Turing']]
    """
    valid = tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")
    parts = tf.strings.split(valid, LIST_SEPARATOR)
    stripped = tf.ragged.map_flat_values(tf.strings.strip, parts)
    return tf.ragged.boolean_mask(stripped, tf.strings.length(stripped) > 0)
