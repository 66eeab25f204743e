"""Word pieces: words as BERT sees them, and the greedy longest match."""

import pytest
import tensorflow as tf

from transform import minilm
from transform.wordpiece import WordPieces, basic_words


def words(text: str | bytes) -> list[str]:
    return [word.decode() for word in basic_words(tf.constant([text]))[0].numpy()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ("It's  a\tdog-house", ["it", "'", "s", "a", "dog", "-", "house"]),
        ("Amélie à Besançon", ["amelie", "a", "besancon"]),
        ("ŁÓDŹ", ["łodz"]),
        ("映画 movie", ["映", "画", "movie"]),
        ("$5 + x^2", ["$", "5", "+", "x", "^", "2"]),
        ("", []),
        (b"bro\xffken", ["broken"]),
    ],
)
def test_basic_words(text: str | bytes, expected: list[str]) -> None:
    assert words(text) == expected


VOCABULARY = ("[PAD]", "[UNK]", "un", "##believ", "##able", "##a", "a", "ok", "##b")


def pieces(*texts: str) -> list[list[str]]:
    ids = WordPieces(VOCABULARY).ids(basic_words(tf.constant(texts)))
    return [[VOCABULARY[one] for one in row] for row in ids.to_list()]


def test_the_longest_piece_goes_first() -> None:
    assert pieces("unbelievable a", "ok unable") == [
        ["un", "##believ", "##able", "a"],
        ["ok", "un", "##able"],
    ]


def test_a_word_of_which_one_part_is_no_piece_is_unknown_as_a_whole() -> None:
    assert pieces("unx ok", "x") == [["[UNK]", "ok"], ["[UNK]"]]


def test_a_very_long_word_is_unknown() -> None:
    assert pieces("a" * 100, "a" * 101) == [["a"] + ["##a"] * 99, ["[UNK]"]]


def test_no_text_has_no_pieces() -> None:
    assert pieces("", "ok") == [[], ["ok"]]
    assert pieces("") == [[]]


def test_a_vocabulary_without_the_unknown_piece_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected '\[UNK\]'"):
        WordPieces(["a"])


def test_pieces_of_the_pretrained_vocabulary() -> None:
    vocabulary = minilm.vocabulary()
    ids = WordPieces(vocabulary).ids(basic_words(tf.constant(["An unforgettable heist"])))
    assert "".join(vocabulary[one].removeprefix("##") for one in ids[0].numpy()) == (
        "anunforgettableheist"
    )
    assert [vocabulary.index(mark) for mark in (minilm.BEGIN, minilm.END)] == [101, 102]
