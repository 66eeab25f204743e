"""Text to words and names."""

import pytest
import tensorflow as tf

from transform import text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Don't panic!", "dont panic"),
        ("L’Été  1999…", "lété 1999"),
        ("  ", ""),
        ("", ""),
        ("東京 物語", "東京 物語"),
        ("e\u0301a", "e\u0301a"),
    ],
)
def test_normalize(given: str, expected: str) -> None:
    assert text.normalize(tf.constant([given]))[0].numpy().decode() == expected


def test_invalid_utf8_is_replaced_and_not_an_error() -> None:
    found = text.words(tf.constant([b"good \xff\xfe bad", b"\xc3"]), 100)
    assert found.to_list() == [[b"good", b"bad"], []]


def test_words_reads_so_many_characters_not_bytes() -> None:
    assert text.words(tf.constant(["été été"]), 4).to_list() == [["été".encode()]]


def test_ngrams_has_words_then_pairs() -> None:
    tokens = tf.ragged.constant([["a", "b", "c"], ["d"], []], dtype=tf.string)
    assert text.ngrams(tokens).to_list() == [[b"a", b"b", b"c", b"a b", b"b c"], [b"d"], []]


def test_names_drops_blanks_and_empty_names() -> None:
    found = text.names(tf.constant(["Ann Lee| Bo Dahl ||", "", "|"]))
    assert found.to_list() == [[b"Ann Lee", b"Bo Dahl"], [], []]
