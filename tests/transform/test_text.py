"""Normalization of text, words, n-grams and names."""

import pytest
import tensorflow as tf

from transform import text


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("Don't panic!", "dont panic"),
        ("L’Été  1999…", "lété 1999"),
        ("  ", ""),
        ("", ""),
        ("東京 物語", "東京 物語"),
        ("e\u0301a", "e\u0301a"),
    ],
)
def test_normalize(string: str, expected: str) -> None:
    assert text.normalize(tf.constant([string]))[0].numpy().decode() == expected


def test_invalid_utf8_is_replaced() -> None:
    words = text.tokenize(tf.constant([b"good \xff\xfe bad", b"\xc3"]), 100)
    assert words.to_list() == [[b"good", b"bad"], []]


def test_the_limit_counts_characters_not_bytes() -> None:
    assert text.tokenize(tf.constant(["été été"]), 4).to_list() == [["été".encode()]]


def test_ngrams_are_words_followed_by_pairs() -> None:
    tokens = tf.ragged.constant([["a", "b", "c"], ["d"], []], dtype=tf.string)
    assert text.ngrams(tokens).to_list() == [[b"a", b"b", b"c", b"a b", b"b c"], [b"d"], []]


def test_split_names_drops_spaces_and_empty_names() -> None:
    names = text.split_names(tf.constant(["Ann Lee| Bo Dahl ||", "", "|"]))
    assert names.to_list() == [[b"Ann Lee", b"Bo Dahl"], [], []]
