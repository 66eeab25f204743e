"""Files of movies, read row by row: a bad row is told and the next one read."""

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
from serving.client.movies import FieldError, Movie, checked, require_utf8, unknown_name

LONGEST: Final = 16 << 20
"""Bytes of a JSON line, characters of a cell: more is a broken file rather than a movie."""

UNREAD: Final = (raw.TCONST, raw.GENRES_FIELD, raw.SPLIT_KEY)
"""Columns of the movies CSV that the model does not read; tconst is carried into the output."""

DELIMITERS: Final = ",\t;"
"""What spreadsheets put between cells; that of the header counts."""

SUFFIXES: Final = (".csv", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Row:
    """One row of a file.

    Attributes:
        number: Number of the row, counted from 1 without the header.
        line: Number of the line on which the row begins, counted from 1.
        carried: Values that go into the output, by column: tconst and the columns of `--keep`.
        movie: Model inputs of the row; None if the row is wrong.
        field: Name of the field with the wrong value; empty if the whole row is wrong.
        reason: Description of the mistake; empty if there is none.
    """

    number: int
    line: int
    carried: dict[str, str]
    movie: Movie | None = None
    field: str = ""
    reason: str = ""

    @property
    def error(self) -> str:
        """What is wrong, the field before it; empty where the row is sound."""
        return ": ".join(filter(None, [self.field, self.reason]))


@contextlib.contextmanager
def opened(
    path: Path, keep: Sequence[str] = ()
) -> Iterator[tuple[Iterator[Row], Callable[[], int]]]:
    """The rows of a CSV (with a header) or of JSON lines, by its ending, in bounded memory.

    Yields:
        The rows, and a function that tells how many bytes of the file have been read.

    Raises:
        UserError: the name ends wrongly, the file cannot be read, or its header does not fit.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    with file:
        if path.suffix.lower() != ".csv":
            yield _json_rows(file, keep), file.tell
            return
        with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
            yield read_csv(str(path), text, keep), file.tell


def read_csv(name: str, text: IO[str], keep: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV with a header.

    Args:
        name: of the file, for messages.
        text: opened with newline="", bytes that are not UTF-8 as surrogates.
        keep: further columns to carry into the output.

    Raises:
        UserError: there is no header, or it has a column twice, or one that is not known.
    """
    csv.field_size_limit(LONGEST)
    first = text.readline(LONGEST)
    if not first:
        raise UserError(f"{name}: is empty; expected a header and rows")
    reader = csv.reader(itertools.chain([first], text), delimiter=max(DELIMITERS, key=first.count))
    try:
        header = [column.strip() for column in next(reader)]
    except csv.Error as error:
        raise UserError(f"{name}: line 1: {error}") from error
    _check(name, header, keep)
    return _csv_rows(reader, header, keep)


def _csv_rows(reader: Any, header: Sequence[str], keep: Sequence[str]) -> Iterator[Row]:
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
                reason = f"expected {len(header)} cells as in the header, not {len(cells)}"
        number += 1
        if reason:
            yield Row(number, line, {}, reason=reason)
        else:
            yield _row(number, line, dict(zip(header, cells, strict=True)), keep)


def _json_rows(file: IO[bytes], keep: Sequence[str]) -> Iterator[Row]:
    number = line = 0
    while text := file.readline(LONGEST + 1):
        line += 1
        if text.isspace():
            continue
        number += 1
        record, reason = None, "expected a JSON object"
        try:
            if len(text) > LONGEST:
                reason = f"the line is longer than {LONGEST} bytes"
                while text and not text.endswith(b"\n"):
                    text = file.readline(LONGEST)
            else:
                # A mark that some programs put at the beginning of a file.
                record = json.loads(text.decode("utf-8-sig" if line == 1 else "utf-8"))
        except UnicodeDecodeError:
            reason = "is not valid UTF-8"
        except (ValueError, RecursionError) as error:
            reason = f"is not JSON ({error})"
        if isinstance(record, dict):
            yield _row(number, line, record, keep)
        else:
            yield Row(number, line, {}, reason=reason)


def _row(number: int, line: int, record: dict[str, object], keep: Sequence[str]) -> Row:
    carried = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name in (raw.TCONST, *keep)
        if (value := record.get(name)) is not None
    }
    unread = {*UNREAD, *keep} - set(raw.MODEL_INPUTS)
    try:
        for name, text in carried.items():
            require_utf8(name, text)
        movie = checked({name: value for name, value in record.items() if name not in unread})
    except FieldError as error:
        return Row(number, line, {}, field=error.field, reason=error.reason)
    return Row(number, line, carried, movie)


def _check(name: str, header: Sequence[str], keep: Sequence[str]) -> None:
    known = (*raw.MODEL_INPUTS, *UNREAD)
    for column in header:
        if header.count(column) > 1:
            raise UserError(f"{name}: the column {column!r} is there twice")
        if column not in known and column not in keep:
            raise UserError(f"{name}: column {column!r}: {unknown_name(column, known)}")
    for column in keep:
        if column not in header:
            raise UserError(f"{name}: --keep {column}: there is no such column")
    if not set(header) & set(raw.MODEL_INPUTS):
        raise UserError(f"{name}: the header has none of the columns {', '.join(raw.MODEL_INPUTS)}")
