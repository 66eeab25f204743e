"""Text to BERT's word pieces, in TensorFlow ops that every TensorFlow Serving has.

The algorithm is the greedy longest match of Wu et al. 2016 (arXiv:1609.08144) on the words that the
uncased BERT of Devlin et al. 2019 (arXiv:1810.04805) sees.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import tensorflow as tf

CONTINUES: Final = "##"
"""Prefix of a piece that is not the first one of its word."""

UNKNOWN: Final = "[UNK]"
"""The piece that stands for a word without pieces."""

MAX_WORD_CHARACTERS: Final = 100
"""A longer word is unknown as a whole, as for BERT."""


def _accented() -> dict[str, str]:
    """Letters of the Latin script that are an ASCII letter with marks, by that letter."""
    found: dict[str, str] = defaultdict(str)
    for code in (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00)):
        decomposed = unicodedata.normalize("NFD", chr(code))
        letter, marks = decomposed[0], decomposed[1:]
        only_marks = all(unicodedata.category(mark) == "Mn" for mark in marks)
        if marks and only_marks and letter.isascii() and letter.islower():
            found[letter] += chr(code)
    return dict(found)


def basic_words(text: tf.Tensor) -> tf.RaggedTensor:
    """Lower the case, take marks off Latin letters, and split at blanks and around punctuation.

    string [N] of UTF-8 in, of which invalid bytes are replaced; string [N, (words)] out, where each
    mark of punctuation and each Chinese character is a word.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(text, encoding="utf-8")
    for letter, variants in _accented().items():
        text = tf.strings.regex_replace(text, f"[{variants}]", letter)
    text = tf.strings.regex_replace(text, r"\p{Mn}|�", "")
    text = tf.strings.regex_replace(text, r"([\p{P}$+<=>^`|~]|\p{Han})", r" \1 ")
    return tf.strings.split(text)


class WordPieces(tf.Module):
    """Looks up the ids of word pieces.

    Attributes:
        unknown: id of a word that has no pieces.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Make the table of the pieces, which are in the order of their ids.

        Raises:
            ValueError: the vocabulary lacks `UNKNOWN`.
        """
        super().__init__()
        if UNKNOWN not in vocabulary:
            raise ValueError(f"Expected {UNKNOWN!r} among the word pieces.")
        self.unknown = list(vocabulary).index(UNKNOWN)
        self._longest = max(len(piece.removeprefix(CONTINUES)) for piece in vocabulary)
        ids = tf.range(len(vocabulary), dtype=tf.int64)
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant(list(vocabulary)), ids)
        self._table = tf.lookup.StaticHashTable(rows, default_value=-1)

    def ids(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Ids of the words' pieces; string [N, (words)] in, int64 [N, (pieces)] out."""
        distinct, places = tf.unique(words.flat_values)
        whole = self._table.lookup(distinct)
        rare = tf.where(whole < 0)[:, 0]
        # Most words are pieces themselves; only the rest are taken apart.
        apart = self._take_apart(tf.gather(distinct, rare))
        pieces = tf.concat([tf.RaggedTensor.from_tensor(whole[:, tf.newaxis]), apart], axis=0)
        size = tf.size(distinct, tf.int64)
        places_apart = size + tf.range(tf.size(rare, tf.int64))
        row = tf.tensor_scatter_nd_update(tf.range(size), rare[:, tf.newaxis], places_apart)
        by_word = tf.gather(pieces, tf.gather(row, places))
        return words.with_flat_values(by_word).merge_dims(1, 2)

    def _take_apart(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Pieces of words that are not pieces themselves: string [W] to int64 [W, (pieces)]."""
        lengths = tf.strings.length(words, unit="UTF8_CHAR")
        sizes = tf.range(1, self._longest + 1)

        def unfinished(place: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(place < lengths)

        def step(place: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            grid = [tf.size(words), self._longest]
            start = tf.minimum(place, lengths)
            parts = tf.strings.substr(
                tf.broadcast_to(words[:, tf.newaxis], grid),
                tf.broadcast_to(start[:, tf.newaxis], grid),
                tf.broadcast_to(sizes[tf.newaxis], grid),
                unit="UTF8_CHAR",
            )
            prefix = tf.where(place > 0, CONTINUES, "")
            ids = self._table.lookup(prefix[:, tf.newaxis] + parts)
            fits = (ids >= 0) & (sizes[tf.newaxis] <= (lengths - start)[:, tf.newaxis])
            size = tf.reduce_max(tf.where(fits, sizes[tf.newaxis], 0), axis=1)
            best = tf.gather(ids, tf.maximum(size - 1, 0), batch_dims=1)
            going = place < lengths
            # A word of which one part is no piece has no pieces at all.
            piece = tf.where(size > 0, best, -2)
            place = tf.where(going, tf.where(size > 0, place + size, lengths), place)
            piece = tf.where(going, piece, -1)
            return place, tf.concat([found, piece[:, tf.newaxis]], axis=1)

        start = tf.where(lengths > MAX_WORD_CHARACTERS, lengths, 0)
        _, found = tf.while_loop(
            unfinished,
            step,
            (start, tf.zeros([tf.size(words), 0], tf.int64)),
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None, None])),
        )
        lost = tf.reduce_any(found == -2, axis=1) | (lengths > MAX_WORD_CHARACTERS)
        unknown = tf.fill([tf.size(words), 1], tf.constant(self.unknown, tf.int64))
        found = tf.where(lost[:, tf.newaxis], tf.constant(-1, tf.int64), found)
        first = tf.where(lost[:, tf.newaxis], unknown, tf.constant(-1, tf.int64))
        joined = tf.concat([first, found], axis=1)
        return tf.ragged.boolean_mask(joined, joined >= 0)
