"""The words of a text, and the text without a word."""

import pytest

from schema.occlusion import without_spans, word_spans


@pytest.mark.parametrize(
    ("text", "word", "rest"),
    [
        ("The gun. the Gun's", "gun", "The . the Gun's"),
        ("War, warlord: WAR", "war", ", warlord: "),
        ("Don't, don’t", "don't", ", don’t"),
        ("gunman gun_gun", "gun", "gunman _"),
        ("Été à Nîmes", "été", " à Nîmes"),
        ("🎬 ends", "ends", "🎬 "),
    ],
)
def test_every_occurrence_of_a_word_is_removed(text: str, word: str, rest: str) -> None:
    assert without_spans(text, word_spans(text)[word]) == rest


def test_words_are_ordered_by_their_first_occurrence() -> None:
    assert list(word_spans("The sheriff's horse; a SHERIFF rides the horse.")) == [
        *("the", "sheriff's", "horse", "a", "sheriff", "rides")
    ]


def test_a_text_without_words_has_no_spans() -> None:
    assert word_spans(" … _ ") == {}
    assert without_spans("A text", []) == "A text"
