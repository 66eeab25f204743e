"""Texts as ingest writes and compares them.

The graph of the model cleans what the model reads. Ingest only cleans what it compares, by the same
rules (`schema.text`).
"""

import re
import unicodedata
from typing import Final

from schema import text as rules
from schema.text_rules import COMBINING_MARKS

_ACCENTS: Final = re.compile(
    "([A-Za-z\u00c0-\u052f\u1c80-\u1c8f\u1d00-\u1dbf\u1e00-\u1fff\u2c60-\u2c7f\ua640-\ua7ff])"
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
"""Marks of Latin, Greek and Cyrillic letters. In other scripts, marks distinguish words."""

_NON_WORD: Final = re.compile(rf"(?:[^\w{COMBINING_MARKS}]|_)+")


def normalize(text: str) -> str:
    r"""Return text that a line of a CSV file can carry, and change nothing else.

    >>> normalize(" two\n words")
    'two  words'
    """
    return rules.csv_text(text)


def clean_plot(text: str) -> str:
    r"""Return a plot as `normalize` does; "" for a placeholder and for text without letters.

    >>> clean_plot("A <i>ship</i>\nsinks."), clean_plot("Add a Plot")
    ('A <i>ship</i> sinks.', '')
    """
    return rules.csv_text(text) if rules.clean_plot(text) else ""


def normalized_words(text: str) -> str:
    """Return the words of a text for comparisons: lower case, no accents, no punctuation.

    >>> normalized_words("Amélie -- of Montmartre!")
    'amelie of montmartre'
    """
    if not text.isascii() or "&" in text:
        text = rules.clean_text(text)
    folded = text.casefold()
    if not folded.isascii():
        decomposed = _ACCENTS.sub(r"\1", unicodedata.normalize("NFKD", folded))
        folded = unicodedata.normalize("NFC", decomposed)
    return _NON_WORD.sub(" ", folded).strip()


def plot_words(text: str) -> str:
    """Return the normalized words of a plot as the model reads it."""
    return normalized_words(rules.clean_plot(text))
