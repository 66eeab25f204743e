"""Read JSON objects: one per line, or in an array."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from tables.record import (
    BLANK,
    MAX_RECORD_CHARACTERS,
    TOO_LONG,
    Record,
    invalid_characters,
    invalid_values,
    malformed,
)
from tables.text import Line

_ARRAY: Final = re.compile(r"\[\s*(?:[{\[\]]|\Z)")
_OBJECT: Final = re.compile(r'\{\s*(?:["}]|\Z)')
_OBJECT_LINE: Final = re.compile(r'^[^\S\n]*\{[^\S\n]*["}]', re.MULTILINE)
_BETWEEN_VALUES: Final = re.compile(r"[\s,\[\]]*")
_END: Final = re.compile(r"\s*(?:[,\]{]|\Z)")
_FIRST_KEY: Final = re.compile(r'\{\s*"[^"\n]*"')
_DECODER: Final = json.JSONDecoder()

COLUMNS: Final = (
    'expected an object for each row, not for each column (pandas: to_json(orient="records"))'
)

_LOOK_BACK: Final = 16
"""An error so close to the end of the buffer may be one because the next characters are missing."""


def is_array(start: str) -> bool:
    """Return whether a text is an array of objects, or consists of objects of several lines."""
    text = start.lstrip()
    if _ARRAY.match(text):
        return True
    first, newline, second = text.partition("\n")
    return bool(_OBJECT.match(text)) and bool(newline) and _is_incomplete(first, second)


def _is_incomplete(first: str, second: str) -> bool:
    return not first.rstrip().endswith("}") and not second.lstrip().startswith("{")


def is_lines(start: str) -> bool:
    """Return whether a text consists of JSON objects, one per line; some may be malformed."""
    text = start.lstrip()
    objects = len(_OBJECT_LINE.findall(text))
    return bool(_OBJECT.match(text)) or 2 * objects > text.count("\n") + 1


def read_lines(lines: Iterator[Line]) -> Iterator[Record]:
    """Yield a record for each line; that of a blank line has the reason `BLANK`."""
    number = 0
    for line, text in lines:
        if not text or text.isspace():
            yield malformed(number, line, BLANK, text)
            continue
        number += 1
        if len(text) > MAX_RECORD_CHARACTERS:
            yield malformed(number, line, TOO_LONG, text)
            continue
        try:
            value = _decode(text.strip(" \t"))
        except (ValueError, RecursionError):
            yield malformed(number, line, invalid_characters(text) or "invalid JSON", text)
        else:
            yield _checked(number, line, value, text)


def _decode(text: str) -> Any:
    """Return the value of a text without spaces around it, faster than `JSONDecoder.decode`."""
    value, end = _DECODER.raw_decode(text)
    if end < len(text):
        raise ValueError("text after the value")
    return value


def _checked(number: int, line: int, value: Any, text: str) -> Record:
    if not isinstance(value, dict):
        return malformed(number, line, "expected a JSON object", text)
    if value and all(isinstance(cell, dict) for cell in value.values()):
        return malformed(number, line, COLUMNS, text)
    if reason := invalid_characters(text) or invalid_values(value, text):
        return malformed(number, line, reason, text)
    return Record(number, line, {name.strip(): cell for name, cell in value.items()})


def read_array(texts: Iterator[str]) -> Iterator[Record]:
    """Yield a record for each object of an array, or of a sequence of objects.

    After a malformed object, reading goes on at the next text that begins like the first object,
    with the same indentation. Without indentation, an object inside another one may begin so, too;
    it is left out because it has other keys.

    Args:
        texts: Chunks of the text.
    """
    buffer = _Buffer(texts)
    number = 0
    is_lost = False
    marker = ""
    keys: set[str] = set()
    while buffer.skip_separators():
        if not marker and (match := _FIRST_KEY.match(buffer.text, buffer.position)):
            marker = match[0]
        value, end, reason = buffer.decode()
        is_nested = is_lost and isinstance(value, dict) and 2 * len(keys & set(value)) < len(keys)
        if not is_nested:
            number += 1
            text = buffer.text[buffer.position : end]
            if reason:
                yield malformed(number, buffer.line, reason, text)
            else:
                record = _checked(number, buffer.line, value, text)
                keys = keys or set(record.values)
                yield record
        is_lost = bool(reason) or is_nested or not _END.match(buffer.text, end)
        if is_lost:
            buffer.advance(buffer.position + 1)
            buffer.advance_to(marker or "{")
        else:
            buffer.advance(end)


class _Buffer:
    """Part of a text that is read in chunks.

    Attributes:
        text: Part of the text that is in memory.
        position: Int. Position in `text` up to which it has been read.
        line: Int. Number of the line at that position, from 1.
    """

    def __init__(self, texts: Iterator[str]) -> None:
        self.text, self.position, self.line = "", 0, 1
        self._texts = texts
        self._is_complete = False

    def advance(self, position: int) -> None:
        """Go to a later position."""
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def skip_separators(self) -> bool:
        """Go to the next value; return whether there is one."""
        while True:
            match = _BETWEEN_VALUES.match(self.text, self.position)
            self.advance(match.end() if match else self.position)
            if self.position < len(self.text):
                return True
            if not self._extend():
                return False

    def advance_to(self, marker: str) -> None:
        """Go to the next occurrence of a text, or to the end."""
        while (found := self.text.find(marker, self.position)) < 0:
            self.advance(max(self.position, len(self.text) - len(marker) + 1))
            if not self._extend():
                found = len(self.text)
                break
        self.advance(found)

    def decode(self) -> tuple[Any, int, str]:
        """Return the value at the position, its end, and why it is malformed or ""."""
        while True:
            size = len(self.text) - self.position
            try:
                value, end = _DECODER.raw_decode(self.text, self.position)
            except RecursionError:
                return None, len(self.text), "invalid JSON"
            except json.JSONDecodeError as error:
                if size > MAX_RECORD_CHARACTERS:
                    return None, error.pos, TOO_LONG
                is_cut = error.msg.startswith("Unterminated") or (
                    error.pos > len(self.text) - _LOOK_BACK
                )
                if not (is_cut and self._extend()):
                    return None, len(self.text), "invalid JSON"
            except ValueError:
                # Python reads no integer of more than 4,300 digits.
                return None, len(self.text), "invalid JSON"
            else:
                # A number at the end of the buffer may have further digits.
                if end < len(self.text) or not self._extend():
                    return value, end, ""

    def _extend(self) -> bool:
        """Drop what has been read, and read at least as much as is left; False at the end."""
        parts = [self.text[self.position :]]
        size, wanted = len(parts[0]), 2 * len(parts[0]) + 1
        while size < wanted and not self._is_complete:
            text = next(self._texts, None)
            self._is_complete = text is None
            parts.append(text or "")
            size += len(parts[-1])
        is_longer = size > len(parts[0])
        self.text, self.position = "".join(parts), 0
        return is_longer
