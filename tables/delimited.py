"""Read rows of delimited text, and go on after a malformed row.

Rows are parsed by Python's csv module, because the CSV readers of DuckDB and pyarrow lose or merge
rows without an error where a quote is not closed (docs/adr/0013-csv-reader.md).
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from schema.wording import count
from tables.record import BLANK, MAX_RECORD_CHARACTERS, TOO_LONG, invalid_characters
from tables.text import Line

TRIPLE_COLON: Final = ":::"

DELIMITERS: Final = {
    "\t": "text with tabs",
    TRIPLE_COLON: "text with `:::`",
    ";": "CSV with semicolons",
    "|": "CSV with pipes",
    ",": "CSV with commas",
}
"""Names of files by delimiter. If two delimiters fit equally, the first is used."""

_TRIPLE_COLON_COLUMNS: Final = {
    4: ("id", "title", "genre", "description"),
    3: ("id", "title", "description"),
}
"""Columns by their number in files with `:::`, which have no header."""

_MAX_RECORD_LINES: Final = 1_000
"""Maximum number of lines of a record. A quote that is open for longer was never closed."""

_SAMPLE_LINES: Final = 50
"""Number of lines in which the delimiter is looked for."""

_UNCLOSED: Final = "unclosed quote"


Row = tuple[int, list[str], str, str]
"""Number of the line on which a row begins, from 1; its cells, none if it is malformed; why it is
malformed or ""; and its first line."""


def find_delimiter(lines: Sequence[str], width: int = 0) -> str:
    """Return the delimiter of a table.

    It is the one with which most lines have as many cells as the first line, and more than one.

    Args:
        lines: First lines of the file.
        width: Int. Number of columns, if it is known.

    Returns:
        One of the delimiters; if none divides the first line, one that occurs nowhere in it.
    """
    sample = [line for line in lines if line.strip()][:_SAMPLE_LINES]

    def fit(delimiter: str) -> tuple[bool, int]:
        widths = [len(_plain_cells(line, delimiter)) for line in sample]
        count = widths.count(widths[0]) if widths and widths[0] > 1 else 0
        return count > 0 and widths[0] == width, count

    return max(DELIMITERS, key=fit)


def _plain_cells(line: str, delimiter: str) -> list[str]:
    if delimiter == TRIPLE_COLON:
        return line.split(delimiter)
    try:
        return next(csv.reader((line,), delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def triple_colon_columns(width: int) -> tuple[str, ...]:
    """Return the names of the columns of text with `:::` and without a header; () if unknown."""
    return _TRIPLE_COLON_COLUMNS.get(width, ())


def read_rows(lines: Iterator[Line], delimiter: str, width: int = 0) -> Iterator[Row]:
    """Yield rows; a blank line is a malformed row with the reason `BLANK`.

    A malformed row costs its first line only: reading goes on at its second line. A quote that is
    open over lines most of which are complete rows is an unclosed quote. In text with tabs, in
    which many programs write no quotes, a line with an unclosed or misplaced quote is read as it
    is, if the number of cells is right.

    Args:
        lines: Lines with their numbers, from the header on.
        delimiter: One of the delimiters that `find_delimiter` returns.
        width: Int. Number of columns; by default that of the first row.
    """
    csv.field_size_limit(2 * MAX_RECORD_CHARACTERS)
    is_quoted = delimiter != TRIPLE_COLON
    dialect = csv.reader((), delimiter=delimiter if is_quoted else ",", strict=True).dialect
    # This reader takes one line at a time, and raises an IndexError if a row has several. Creating
    # a reader for each row takes half as long again.
    feed: deque[str] = deque()
    single_lines = csv.reader(iter(feed.popleft, None), dialect)
    unread: deque[Line] = deque()

    def next_line() -> Line | None:
        return unread.popleft() if unread else next(lines, None)

    while line := next_line():
        number, text = line
        others: list[Line] = []
        cells: list[str] = []
        reason = ""
        if not text.strip(" "):
            reason = BLANK
        elif len(text) > MAX_RECORD_CHARACTERS:
            reason = TOO_LONG
        elif not is_quoted:
            cells = [cell.strip() for cell in text.split(delimiter, width - 1)]
        elif '"' in text:
            feed.append(text)
            try:
                cells = next(single_lines)
            except (csv.Error, IndexError):
                cells, reason, others = _quoted_cells(text, next_line, dialect, width)
        else:
            cells = text.split(delimiter)
        if not reason:
            width = width or len(cells)
            if len(cells) != width:
                reason = f"expected {count(width, 'column')}, got {len(cells):,}"
        if reason:
            unread.extendleft(reversed(others))
            others = []
            if delimiter == "\t" and len(plain := text.split(delimiter)) == width > 1:
                cells, reason = plain, ""
        reason = reason or invalid_characters(_joined(text, others))
        yield number, [] if reason else cells, reason, text


def _quoted_cells(
    text: str, next_line: Callable[[], Line | None], dialect: Any, width: int
) -> tuple[list[str], str, list[Line]]:
    """Return the cells of a row with quotes, why it is malformed, and its further lines."""
    others: list[Line] = []
    size = len(text)

    def record() -> Iterator[str]:
        nonlocal size
        yield f"{text}\n"
        while len(others) < _MAX_RECORD_LINES - 1 and size <= MAX_RECORD_CHARACTERS:
            if not (line := next_line()):
                return
            others.append(line)
            size += len(line[1])
            yield f"{line[1]}\n"

    try:
        cells = next(csv.reader(record(), dialect))
    except csv.Error as error:
        is_open = others or "end of data" in str(error)
        return [], _UNCLOSED if is_open else "invalid quoting", others
    if size > MAX_RECORD_CHARACTERS:
        return [], TOO_LONG, others
    # The line on which the first cell ends has as many delimiters as a row of its own.
    inner = others[:-1] if "\n" in cells[0] else others
    complete = sum(_is_complete(line, dialect.delimiter, width) for _, line in inner)
    return cells, _UNCLOSED if inner and 2 * complete >= len(inner) else "", others


def _is_complete(line: str, delimiter: str, width: int) -> bool:
    """Return whether a line within quotes looks like a row of its own.

    In prose, a space follows a comma.
    """
    return line.count(delimiter) == width - 1 > 0 and f"{delimiter} " not in line


def _joined(text: str, others: list[Line]) -> str:
    return "\n".join([text, *(line for _, line in others)]) if others else text
