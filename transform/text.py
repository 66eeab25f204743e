"""Text to words and n-grams, in TensorFlow ops that every TensorFlow Serving has."""

import tensorflow as tf


def normalize(text: tf.Tensor) -> tf.Tensor:
    """Lower the case and leave letters and digits only, with one blank between words.

    Apostrophes vanish without a gap, so that `don't` is the word `dont`. Invalid UTF-8 is replaced
    before anything else, since the string ops would refuse it.

    Args:
        text: string [N], UTF-8.

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


def words(text: tf.Tensor, max_characters: int) -> tf.RaggedTensor:
    """Split text into normalized words.

    Args:
        text: string [N], UTF-8.
        max_characters: how much of each text is read.

    Returns:
        string [N, (words)]; a text without letters or digits has no words.
    """
    return tf.strings.split(normalize(head(text, max_characters)))


def head(text: tf.Tensor, max_characters: int) -> tf.Tensor:
    """The beginning of each text; string [N] in, string [N] of valid UTF-8 out."""
    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.substr(valid, 0, max_characters, unit="UTF8_CHAR")


def ngrams(tokens: tf.RaggedTensor, width: int = 2) -> tf.RaggedTensor:
    """Join neighbouring words into n-grams of one to `width` words.

    Args:
        tokens: string [N, (words)].
        width: the longest n-gram, in words.

    Returns:
        string [N, (n-grams)], words first, then pairs and so on, duplicates kept.

    >>> ngrams(tf.ragged.constant([["a", "b", "c"]])).to_list()
    [[b'a', b'b', b'c', b'a b', b'b c']]
    """
    grams = [tokens]
    grams.extend(tf.strings.ngrams(tokens, n, separator=" ") for n in range(2, width + 1))
    return tf.concat(grams, axis=1)


def names(joined: tf.Tensor, separator: str) -> tf.RaggedTensor:
    """Split joined names; blanks around a name and empty names are dropped.

    Args:
        joined: string [N], such as `Ada Lovelace|Alan Turing`.
        separator: what stands between two names.

    Returns:
        string [N, (names)], in the order given.

    >>> names(tf.constant(["Ada Lovelace| |Alan Turing "]), "|").to_list()
    [[b'Ada Lovelace', b'Alan Turing']]
    """
    valid = tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")
    parts = tf.strings.split(valid, separator)
    stripped = tf.ragged.map_flat_values(tf.strings.strip, parts)
    return tf.ragged.boolean_mask(stripped, tf.strings.length(stripped) > 0)
