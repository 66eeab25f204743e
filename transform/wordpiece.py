"""BERT's WordPiece tokenizer, with TensorFlow ops that every TensorFlow Serving has.

The algorithm is the greedy longest match of Wu et al. 2016 (arXiv:1609.08144), applied to words as
the uncased BERT of Devlin et al. 2019 (arXiv:1810.04805) splits them.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import tensorflow as tf

CONTINUATION_PREFIX: Final = "##"
"""Prefix of the pieces that continue a word."""

UNKNOWN_TOKEN: Final = "[UNK]"
"""Piece that stands for a word that cannot be split into pieces."""

MAX_WORD_CHARACTERS: Final = 100
"""Number of characters above which a word becomes `UNKNOWN_TOKEN`, as in BERT."""


def _accented_letters() -> dict[str, str]:
    """Map each lower-case ASCII letter to its accented variants, joined in one string."""
    variants: dict[str, str] = defaultdict(str)
    for code in (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00)):
        decomposed = unicodedata.normalize("NFD", chr(code))
        letter, marks = decomposed[0], decomposed[1:]
        only_marks = all(unicodedata.category(mark) == "Mn" for mark in marks)
        if marks and only_marks and letter.isascii() and letter.islower():
            variants[letter] += chr(code)
    return dict(variants)


def basic_tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Convert to lower case, remove accents, and split at whitespace and around punctuation.

    Args:
        text: string [N]. Bytes that are not valid UTF-8 are removed.

    Returns:
        string [N, (words)]. Each punctuation mark and each Chinese character is a word.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(text, encoding="utf-8")
    for letter, variants in _accented_letters().items():
        text = tf.strings.regex_replace(text, f"[{variants}]", letter)
    text = tf.strings.regex_replace(text, r"\p{Mn}|�", "")
    text = tf.strings.regex_replace(text, r"([\p{P}$+<=>^`|~]|\p{Han})", r" \1 ")
    return tf.strings.split(text)


class WordPieceTokenizer(tf.Module):
    """Tokenizer that splits words into the ids of word pieces.

    Attributes:
        unknown_id: Id of `UNKNOWN_TOKEN`.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Create the lookup table.

        Args:
            vocabulary: Word pieces in the order of their ids.

        Raises:
            ValueError: If the vocabulary lacks `UNKNOWN_TOKEN`.
        """
        super().__init__()
        if UNKNOWN_TOKEN not in vocabulary:
            raise ValueError(f"The vocabulary of word pieces lacks {UNKNOWN_TOKEN!r}.")
        self.unknown_id = list(vocabulary).index(UNKNOWN_TOKEN)
        self._max_piece_length = max(
            len(piece.removeprefix(CONTINUATION_PREFIX)) for piece in vocabulary
        )
        ids = tf.range(len(vocabulary), dtype=tf.int64)
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant(list(vocabulary)), ids)
        self._table = tf.lookup.StaticHashTable(rows, default_value=-1)

    def tokenize(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Return the ids of the words' pieces; string [N, (words)] to int64 [N, (pieces)]."""
        distinct, distinct_index = tf.unique(words.flat_values)
        # Most words are pieces themselves; only the others have to be split.
        ids = self._table.lookup(distinct)
        to_split = tf.where(ids < 0)[:, 0]
        split = self._longest_matches(tf.gather(distinct, to_split))
        pieces = tf.concat([tf.RaggedTensor.from_tensor(ids[:, tf.newaxis]), split], axis=0)
        num_distinct = tf.size(distinct, tf.int64)
        split_rows = num_distinct + tf.range(tf.size(to_split, tf.int64))
        row = tf.tensor_scatter_nd_update(
            tf.range(num_distinct), to_split[:, tf.newaxis], split_rows
        )
        by_word = tf.gather(pieces, tf.gather(row, distinct_index))
        return words.with_flat_values(by_word).merge_dims(1, 2)

    def _longest_matches(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Split each word greedily into its longest pieces; string [W] to int64 [W, (pieces)]."""
        lengths = tf.strings.length(words, unit="UTF8_CHAR")
        sizes = tf.range(1, self._max_piece_length + 1)

        def unfinished(position: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(position < lengths)

        def step(position: tf.Tensor, pieces: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            grid = [tf.size(words), self._max_piece_length]
            start = tf.minimum(position, lengths)
            candidates = tf.strings.substr(
                tf.broadcast_to(words[:, tf.newaxis], grid),
                tf.broadcast_to(start[:, tf.newaxis], grid),
                tf.broadcast_to(sizes[tf.newaxis], grid),
                unit="UTF8_CHAR",
            )
            prefix = tf.where(position > 0, CONTINUATION_PREFIX, "")
            ids = self._table.lookup(prefix[:, tf.newaxis] + candidates)
            fits = (ids >= 0) & (sizes[tf.newaxis] <= (lengths - start)[:, tf.newaxis])
            size = tf.reduce_max(tf.where(fits, sizes[tf.newaxis], 0), axis=1)
            longest = tf.gather(ids, tf.maximum(size - 1, 0), batch_dims=1)
            active = position < lengths
            # -2 marks a word without a match at this position, -1 is padding after a word's end.
            piece = tf.where(active, tf.where(size > 0, longest, -2), -1)
            end = tf.where(size > 0, position + size, lengths)
            position = tf.where(active, end, position)
            return position, tf.concat([pieces, piece[:, tf.newaxis]], axis=1)

        start = tf.where(lengths > MAX_WORD_CHARACTERS, lengths, 0)
        _, pieces = tf.while_loop(
            unfinished,
            step,
            (start, tf.zeros([tf.size(words), 0], tf.int64)),
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None, None])),
        )
        # A word with a part that is not a piece is unknown as a whole.
        unknown = tf.reduce_any(pieces == -2, axis=1) | (lengths > MAX_WORD_CHARACTERS)
        unknown = unknown[:, tf.newaxis]
        padding = tf.constant(-1, tf.int64)
        unknown_ids = tf.where(unknown, tf.constant(self.unknown_id, tf.int64), padding)
        joined = tf.concat([unknown_ids, tf.where(unknown, padding, pieces)], axis=1)
        return tf.ragged.boolean_mask(joined, joined >= 0)
