"""Cleaning, normalization of text, words, n-grams and names."""

import html.entities
import unicodedata

import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import given, settings

import schema.text
from transform import text
from transform.language import language

MAX_CHARACTERS = 500

PARTS = (
    *(
        "a",
        "Z",
        "é",
        "ß",
        "ж",
        "द",
        "ि",
        "が",
        "か",
        "\u3099",
        "한",
        "\u1112\u1161",
        "😀",
        "7",
        "_",
    ),
    *("\u0301", "\u0302\u0323", "\u0344", "\u212b", "\u0958", "e\u0301", "o\u031b\u0300", "\ufeff"),
    *(
        "\u00a0",
        "\u2009",
        "\u3000",
        "\u2028",
        "\t",
        "\r\n",
        "\0",
        "\x01",
        "\x85",
        "\x9f",
        " ",
        "  ",
    ),
    *("\u200b", "\u200c", "\u200d", "\u00ad", "\u202e", "\ufe0f", "\ufffd"),
    *(
        "&",
        "&amp;",
        "&amp;amp;",
        "&nbsp",
        "&nbsp;",
        "&zwj;",
        "&lt;b&gt;",
        "&NotEqualTilde;",
        "&no;",
    ),
    *(
        "&#0;",
        "&#65;",
        "&#146;",
        "&#x2019;",
        "&#XD800;",
        "&#9999999;",
        "&#x110000;",
        "&#0769;",
        "&#;",
    ),
    *("<b>", "</p >", "<br/", "<ship>", "{{", "}}", "{{x}}", "[1]", "[2", "[citation needed]"),
    *(".", "..", "…", "!", "—", "--", " - ", "'", '"', "@", "See full summary »", "Read all"),
    *("Add a Plot", "N/A", "\\N", "No overview found.", "Written by ", "Ola ", "and ", "Or Die"),
)
"""Parts of texts that the rules of cleaning are about."""

texts = st.lists(
    st.one_of(st.sampled_from(PARTS), st.characters(codec="utf-8", max_codepoint=0x2FF))
)


GRAPHS = {
    "clean_text": tf.function(
        lambda rows: text.clean_text(rows, MAX_CHARACTERS),
        input_signature=[tf.TensorSpec([None], tf.string)],
    ),
    "clean_plot": tf.function(
        lambda rows: text.clean_plot(text.clean_text(rows, MAX_CHARACTERS)),
        input_signature=[tf.TensorSpec([None], tf.string)],
    ),
}


def cleaned(function: str, *values: str | bytes) -> list[str]:
    """Return texts that a function of `transform.text` has cleaned."""
    return [row.decode() for row in GRAPHS[function](tf.constant(values)).numpy()]


@pytest.mark.parametrize("function", ["clean_text", "clean_plot"])
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(rows=st.lists(texts.map("".join), min_size=1, max_size=8))
def test_the_graph_cleans_like_the_plain_form(function: str, rows: list[str]) -> None:
    rows = [schema.text.csv_text(row)[:MAX_CHARACTERS] for row in rows]
    assert cleaned(function, *rows) == [getattr(schema.text, function)(row) for row in rows]


@pytest.mark.parametrize("function", ["clean_text", "clean_plot"])
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(row=texts.map("".join))
def test_the_csv_file_changes_no_clean_text(function: str, row: str) -> None:
    assert cleaned(function, row) == cleaned(function, schema.text.csv_text(row))


def test_every_entity_is_decoded_like_in_the_plain_form() -> None:
    rows = [f"x&{name} y" for name in html.entities.html5]
    rows += [
        f"&#{code}; &#x{code:X};" for code in (*range(300), 0xD7FF, 0xE000, 0x10FFFF, 0x110000)
    ]
    assert cleaned("clean_text", *rows) == [schema.text.clean_text(row) for row in rows]


def test_every_letter_is_composed_like_in_the_plain_form() -> None:
    rows = [unicodedata.normalize("NFD", chr(code)) for code in range(0xC0, 0x2000)]
    assert cleaned("clean_text", *rows) == [schema.text.clean_text(row) for row in rows]


def test_cleaning_keeps_the_shape() -> None:
    shaped = text.clean_text(tf.constant([["a&amp;b", ""], ["e\u0301", " c "]]), 10)
    assert shaped.numpy().tolist() == [[b"a&b", b""], ["é".encode(), b"c"]]


def test_cleaning_reads_the_first_characters_only() -> None:
    row = "\u00a0\n" + "é" * MAX_CHARACTERS + " end"
    [plot] = cleaned("clean_plot", row)
    assert plot == "é" * (MAX_CHARACTERS - 2)


def test_invalid_utf8_is_replaced() -> None:
    assert cleaned("clean_plot", b"good \xff\xfe bad", b"\xc3") == ["good \ufffd\ufffd bad", ""]


def test_a_stock_server_has_all_ops() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform(rows: tf.Tensor) -> tf.Tensor:
        return language(text.tokenize(text.clean_plot(text.clean_text(rows, 100))))

    graph = transform.get_concrete_function().graph
    ops = {operation.type for operation in graph.get_operations()}
    assert "StaticRegexReplace" in ops
    # This module has TensorFlow's own ops, and none of other libraries.
    assert {op for op in ops if not hasattr(tf.raw_ops, op)} == set()


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


def test_ngrams_are_words_followed_by_pairs() -> None:
    tokens = tf.ragged.constant([["a", "b", "c"], ["d"], []], dtype=tf.string)
    assert text.ngrams(tokens).to_list() == [[b"a", b"b", b"c", b"a b", b"b c"], [b"d"], []]


def test_split_names_drops_spaces_and_empty_names() -> None:
    names = text.split_names(tf.constant(["Ann Lee| Bo Dahl ||", "", "|"]))
    assert names.to_list() == [[b"Ann Lee", b"Bo Dahl"], [], []]
