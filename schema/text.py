"""The rules of `schema.text_rules` in plain Python. `transform.text` applies them in the model."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from schema import text_rules
from schema.text_rules import Rule

_NUMBER_ENTITY: Final = re.compile(text_rules.NUMBER_ENTITY)
_PLACEHOLDER: Final = re.compile(text_rules.PLACEHOLDER)


def csv_text(text: str) -> str:
    r"""Return text that a line of a CSV file can carry, and change nothing else.

    Line breaks become spaces, and other control characters are removed.

    >>> csv_text("two\r\nlines &amp; a\u00a0space ")
    'two lines &amp; a\xa0space'
    """
    return _apply(text_rules.CSV_RULES, text).strip(" ")


def clean_text(text: str) -> str:
    r"""Return a title or names as the model reads them.

    HTML entities are decoded, letters and their marks become one character, invisible characters
    are removed, and each sequence of spaces becomes one space.

    >>> clean_text("Ame\u0301lie\u00a0&amp;amp; Co\u200b")
    'Amélie & Co'
    """
    return _apply(text_rules.TEXT_RULES, csv_text(text)).strip(" ")


def clean_plot(text: str) -> str:
    """Return a plot as the model reads it: without markup, cut-off marker and signature.

    The result is empty for a placeholder such as "Add a Plot" and for text without letters.

    >>> clean_plot("<p>A ship sinks.[2]</p> Written by Anonymous")
    'A ship sinks.'
    """
    text = _apply(text_rules.MARKUP_RULES, clean_text(text)).strip(" ")
    start = max(len(text) - text_rules.TAIL_CHARACTERS, 0)
    text = text[:start] + _apply(text_rules.TAIL_RULES, text[start:])
    is_plot = any(map(str.isalpha, text)) and not _PLACEHOLDER.search(text)
    return text.strip(" ") if is_plot else ""


def _apply(rules: Iterable[Rule], text: str) -> str:
    for pattern, replacement, matches_ascii in rules:
        if not matches_ascii and text.isascii():
            continue
        if isinstance(replacement, str):
            text = re.sub(pattern, replacement, text)
        else:
            text = re.sub(pattern, partial(_replacement, replacement), text)
    return text


def _replacement(table: Mapping[str, str], match: re.Match[str]) -> str:
    """Return the replacement of a key of a table or of a numeric HTML entity, or the match."""
    if match[0] in table or not _NUMBER_ENTITY.fullmatch(match[0]):
        return table.get(match[0], match[0])
    digits = match[0][2:-1].lower()
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    if 0x80 <= code < 0xA0:
        code = text_rules.WINDOWS_1252[code - 0x80]
    is_valid = 0 < code <= 0x10FFFF and not 0xD800 <= code < 0xE000
    return chr(code if is_valid else text_rules.REPLACEMENT)
