"""Texts as ingest writes and compares them, and how long they may be.

The graph of the model cleans what the model reads. Ingest only cleans what it compares, by the same
rules (`schema.text`).
"""

import re
import unicodedata
from typing import Final

from schema import text as rules
from schema.features import LIST_SEPARATOR
from schema.text_rules import COMBINING_MARKS
from tables.columns import Columns, Field
from tables.movies import MAX_SHOWN, REQUIRED, Cell, MovieRecord, Value

MAX_PLOT_CHARACTERS: Final = 1 << 20
"""Maximum length of a plot, in characters."""

MAX_CELL_CHARACTERS: Final = 1 << 16
"""Maximum length of any other value, in characters: of an id, a title or a list of names."""

MAX_ROW_BYTES: Final = 16 * MAX_PLOT_CHARACTERS
"""Number of bytes that no row of cells within these lengths exceeds, for DuckDB's reader."""

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


def without_long_values(movie: MovieRecord, columns: Columns) -> MovieRecord:
    """Return a movie without the values that are too long, which count as not understood.

    The record is unreadable if its id, its plot or its genres are too long.

    Args:
        movie: Record of a table.
        columns: Columns from which the values were read.
    """
    too_long: dict[str, Cell] = {}
    for field, value in movie.values.items():
        text = _joined(value)
        limit = MAX_PLOT_CHARACTERS if field == Field.PLOT else MAX_CELL_CHARACTERS
        if len(text) > limit:
            # IMDb's id may come from the column of other ids.
            names = columns.fields.get(Field(field)) or columns.fields[Field.ID]
            cell = Cell(", ".join(names), text[:MAX_SHOWN], f"longer than {limit:,} characters")
            if field in REQUIRED:
                reason = f"{cell.column}: {cell.reason}"
                return movie._replace(unreadable=(), reason=reason, text=cell.value)
            too_long[field] = cell
    if not too_long:
        return movie
    values = {field: value for field, value in movie.values.items() if field not in too_long}
    return movie._replace(values=values, unreadable=(*movie.unreadable, *too_long.values()))


def _joined(value: Value) -> str:
    """Return a text, or the text of a list of names; "" for a number."""
    if isinstance(value, tuple):
        return LIST_SEPARATOR.join(value)
    return value if isinstance(value, str) else ""


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
