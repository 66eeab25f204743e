"""Tokenization into BERT's words and word pieces."""

import pytest
import tensorflow as tf

from transform import minilm
from transform.wordpiece import WordPieceTokenizer, basic_tokenize


def words(text: str | bytes) -> list[str]:
    return [word.decode() for word in basic_tokenize(tf.constant([text]))[0].numpy()]


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
def test_basic_tokenize(text: str | bytes, expected: list[str]) -> None:
    assert words(text) == expected


VOCABULARY = ("[PAD]", "[UNK]", "un", "##believ", "##able", "##a", "a", "ok", "##b")


def pieces(*texts: str) -> list[list[str]]:
    ids = WordPieceTokenizer(VOCABULARY).tokenize(basic_tokenize(tf.constant(texts)))
    return [[VOCABULARY[index] for index in row] for row in ids.to_list()]


def test_words_are_split_into_the_longest_pieces() -> None:
    assert pieces("unbelievable a", "ok unable") == [
        ["un", "##believ", "##able", "a"],
        ["ok", "un", "##able"],
    ]


def test_a_word_with_an_unknown_part_is_unknown_as_a_whole() -> None:
    assert pieces("unx ok", "x") == [["[UNK]", "ok"], ["[UNK]"]]


def test_a_word_over_100_characters_is_unknown() -> None:
    assert pieces("a" * 100, "a" * 101) == [["a"] + ["##a"] * 99, ["[UNK]"]]


def test_an_empty_text_has_no_pieces() -> None:
    assert pieces("", "ok") == [[], ["ok"]]
    assert pieces("") == [[]]


def test_a_vocabulary_without_the_unknown_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks '\[UNK\]'"):
        WordPieceTokenizer(["a"])


def test_pieces_of_the_pretrained_vocabulary() -> None:
    vocabulary = minilm.vocabulary()
    words = basic_tokenize(tf.constant(["An unforgettable heist"]))
    ids = WordPieceTokenizer(vocabulary).tokenize(words)
    assert "".join(vocabulary[index].removeprefix("##") for index in ids[0].numpy()) == (
        "anunforgettableheist"
    )
    assert [vocabulary.index(token) for token in (minilm.CLS, minilm.SEP)] == [101, 102]
