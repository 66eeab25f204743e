"""Reading files of movies row by row. An invalid row does not stop the reading."""

import contextlib
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from schema import features as raw
from schema.errors import UserError
from serving.client.movies import (
    FieldError,
    Movie,
    describe_unknown_field,
    require_utf8,
    validate_movie,
)

MAX_LINE_LENGTH: Final = 16 << 20
"""Largest size of a JSON line in bytes, and of a CSV header or cell in characters."""

IGNORED_COLUMNS: Final = (raw.TCONST, raw.GENRES_FIELD, raw.SPLIT_KEY, raw.CORRECTED)
"""Columns of the movies CSV that are not inputs of the model. tconst is copied to the output."""

DELIMITERS: Final = ",\t;"
"""Possible delimiters of CSV cells. The one that is most frequent in the header is used."""

SUFFIXES: Final = (".csv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Row:
    """One row of a file.

    Attributes:
        number: Number of the row, counted from 1 without the header.
        line: Number of the line on which the row begins, counted from 1.
        copied: Values that are copied to the output, by column: tconst and the columns of `--keep`.
        movie: Model inputs of the row; None if the row is invalid.
        field: Name of the field with the invalid value; empty if the whole row is invalid.
        reason: Description of the mistake; empty if there is none.
    """

    number: int
    line: int
    copied: dict[str, str]
    movie: Movie | None = None
    field: str = ""
    reason: str = ""

    @property
    def error(self) -> str:
        """Field and description of the mistake; empty if the row is valid."""
        return ": ".join(filter(None, [self.field, self.reason]))


@contextlib.contextmanager
def open_rows(
    path: Path, keep: Sequence[str] = ()
) -> Iterator[tuple[Iterator[Row], Callable[[], int]]]:
    """Open a CSV file with a header, or a JSON lines file, and read its rows one by one.

    Args:
        path: File whose suffix is one of `SUFFIXES`.
        keep: Further columns that are copied to the output.

    Yields:
        The rows, and a function that returns how many bytes of the file have been read.

    Raises:
        UserError: The file has another suffix, cannot be read, or has an invalid header.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a file name that ends in {', '.join(SUFFIXES)}")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    with file:
        if path.suffix.lower() != ".csv":
            yield _read_json_lines(file, keep), file.tell
            return
        with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
            yield read_csv(str(path), text, keep), file.tell


def read_csv(name: str, text: IO[str], keep: Sequence[str] = ()) -> Iterator[Row]:
    """Read the rows of a CSV file with a header.

    Args:
        name: Name of the file in error messages.
        text: File, opened with newline="" and errors="surrogateescape".
        keep: Further columns that are copied to the output.

    Raises:
        UserError: The header is missing, or has unknown or repeated columns.
    """
    csv.field_size_limit(MAX_LINE_LENGTH)
    first_line = text.readline(MAX_LINE_LENGTH)
    if not first_line:
        raise UserError(f"{name}: expected a header and rows, got an empty file")
    delimiter = max(DELIMITERS, key=first_line.count)
    reader = csv.reader(itertools.chain([first_line], text), delimiter=delimiter)
    try:
        header = [column.strip() for column in next(reader)]
    except csv.Error as error:
        raise UserError(f"{name}: line 1: {error}") from error
    _check_header(name, header, keep)
    return _read_csv_rows(reader, header, keep)


def _read_csv_rows(reader: Any, header: Sequence[str], keep: Sequence[str]) -> Iterator[Row]:
    number = 0
    while True:
        line, reason = reader.line_num + 1, ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = str(error)
        else:
            if not cells:
                continue
            if len(cells) != len(header):
                reason = f"expected {len(header)} cells as in the header, got {len(cells)}"
        number += 1
        if reason:
            yield Row(number, line, {}, reason=reason)
        else:
            yield _parse_row(number, line, dict(zip(header, cells, strict=True)), keep)


def _read_json_lines(file: IO[bytes], keep: Sequence[str]) -> Iterator[Row]:
    number = line = 0
    while text := file.readline(MAX_LINE_LENGTH + 1):
        line += 1
        if text.isspace():
            continue
        number += 1
        record, reason = None, "expected a JSON object"
        try:
            if len(text) > MAX_LINE_LENGTH:
                reason = f"the line is longer than {MAX_LINE_LENGTH} bytes"
                while text and not text.endswith(b"\n"):
                    text = file.readline(MAX_LINE_LENGTH)
            else:
                # Some programs write a byte order mark at the beginning of a file.
                record = json.loads(text.decode("utf-8-sig" if line == 1 else "utf-8"))
        except UnicodeDecodeError:
            reason = "is not valid UTF-8"
        except (ValueError, RecursionError) as error:
            reason = f"is not valid JSON: {error}"
        if isinstance(record, dict):
            yield _parse_row(number, line, record, keep)
        else:
            yield Row(number, line, {}, reason=reason)


def _parse_row(number: int, line: int, record: dict[str, object], keep: Sequence[str]) -> Row:
    copied = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name in (raw.TCONST, *keep)
        if (value := record.get(name)) is not None
    }
    ignored = {*IGNORED_COLUMNS, *keep} - set(raw.MODEL_INPUTS)
    try:
        for name, text in copied.items():
            require_utf8(name, text)
        movie = validate_movie(
            {name: value for name, value in record.items() if name not in ignored}
        )
    except FieldError as error:
        return Row(number, line, {}, field=error.field, reason=error.reason)
    return Row(number, line, copied, movie)


def _check_header(name: str, header: Sequence[str], keep: Sequence[str]) -> None:
    known = (*raw.MODEL_INPUTS, *IGNORED_COLUMNS)
    for column in header:
        if header.count(column) > 1:
            raise UserError(f"{name}: column {column!r} appears twice. Remove one of them.")
        if column not in known and column not in keep:
            raise UserError(f"{name}: column {column!r}: {describe_unknown_field(column, known)}")
    for column in keep:
        if column not in header:
            raise UserError(f"{name}: --keep {column}: the file has no such column")
    if not set(header) & set(raw.MODEL_INPUTS):
        names = ", ".join(raw.MODEL_INPUTS)
        raise UserError(f"{name}: expected at least one of the columns {names}, got none of them")
