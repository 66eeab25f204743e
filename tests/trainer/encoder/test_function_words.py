"""Function words, which the upper layers do not read."""

import pytest

from schema.function_words import FUNCTION_WORDS
from trainer.encoder import function_words
from transform import minilm


@pytest.mark.parametrize(
    ("piece", "content"),
    [
        ("the", False),
        ("with", False),
        (",", False),
        ("##.", False),
        ("war", True),
        ("##ing", True),
        ("1944", True),
        ("戦", True),
        (minilm.CLS, True),
        (minilm.SEP, True),
        ("[PAD]", True),
        ("[UNK]", True),
    ],
)
def test_content_mask(piece: str, content: bool) -> None:
    assert function_words.content_mask()[minilm.vocabulary().index(piece)] == content


def test_every_function_word_is_a_piece() -> None:
    """A word that is split into several pieces would not be recognized."""
    assert set(minilm.vocabulary()) >= FUNCTION_WORDS
