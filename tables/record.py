"""Records of a table, and the rules that hold for records of all formats."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

MAX_RECORD_CHARACTERS: Final = 1 << 24
"""Maximum length of a record, in characters. A longer record is malformed."""

BLANK: Final = "blank line"
"""Reason of a blank line, which is no record of a table."""

_MAX_INVALID_SHARE: Final = 0.1
"""Share of invalid characters at the start of a file from which on the file is binary."""

TOO_LONG: Final = f"longer than {MAX_RECORD_CHARACTERS:,} characters"

_CONTROL: Final = bytes([*range(9), *range(14, 32)])
"""Control characters that no record may contain. The others are white space."""

_ESCAPED: Final = re.compile(r"\\u(?:d[89a-f]|00[01])", re.IGNORECASE)


class Record(NamedTuple):
    """One row of a table.

    Attributes:
        number: Int. Number of the row, from 1, without the header and blank lines.
        line: Int. Number of the line on which the record begins, from 1. In a Parquet file, which
            has no lines, it is `number`.
        values: Dict from the column's name to the cell. Cells are texts, or what JSON and Parquet
            contain. Empty if the record is malformed.
        reason: String. Why the record is malformed; "" if it is well formed.
        text: String. Start of a malformed record.
    """

    number: int
    line: int
    values: dict[str, Any]
    reason: str = ""
    text: str = ""


def malformed(number: int, line: int, reason: str, text: str) -> Record:
    """Return a malformed record with the start of its text, in which all characters are valid."""
    start = text[:200].encode("utf-8", "replace").decode()
    return Record(number, line, {}, reason, start)


def printable(text: str) -> str:
    """Return a text on one line, with escapes in place of characters that cannot be printed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def invalid_characters(text: str) -> str:
    """Return why a record with this text is malformed; "" if all characters are valid.

    Bytes that could not be decoded are surrogates in the text.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return "invalid bytes"
    return "control character" if len(data.translate(None, _CONTROL)) < len(data) else ""


def is_binary(start: str) -> bool:
    """Return whether a file with this start cannot be text."""
    valid = start.encode("utf-8", "ignore").translate(None, _CONTROL).decode()
    return len(start) - len(valid) > _MAX_INVALID_SHARE * len(start)


def invalid_values(values: Any, text: str) -> str:
    """Return why a JSON value is malformed in spite of a valid text: its escaped characters."""
    if not _ESCAPED.search(text):
        return ""
    return next(filter(None, map(invalid_characters, _strings(values))), "")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for part in item for text in _strings(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in _strings(part))
