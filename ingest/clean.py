"""Texts as ingest compares them. What the model reads is cleaned in its graph, by the same rules."""

import re
import unicodedata
from typing import Final

from schema.text import clean_plot, clean_text, csv_text
from schema.text_rules import COMBINING_MARKS

__all__ = ["clean_plot", "csv_text", "normalized_words", "plot_words"]

_ACCENTS: Final = re.compile(
    "([A-Za-z\u00c0-\u052f\u1c80-\u1c8f\u1d00-\u1dbf\u1e00-\u1fff\u2c60-\u2c7f\ua640-\ua7ff])"
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
"""Marks of Latin, Greek and Cyrillic letters. In other scripts, marks distinguish words."""

_NON_WORD: Final = re.compile(rf"(?:[^\w{COMBINING_MARKS}]|_)+")


def normalized_words(text: str) -> str:
    """Return the words of a text for comparisons: lower case, no accents, no punctuation.

    >>> normalized_words("Amélie -- of Montmartre!")
    'amelie of montmartre'
    """
    if not text.isascii() or "&" in text:
        text = clean_text(text)
    folded = text.casefold()
    if not folded.isascii():
        decomposed = _ACCENTS.sub(r"\1", unicodedata.normalize("NFKD", folded))
        folded = unicodedata.normalize("NFC", decomposed)
    return _NON_WORD.sub(" ", folded).strip()


def plot_words(text: str) -> str:
    """Return the normalized words of a plot after `clean_plot`."""
    return normalized_words(clean_plot(text))
