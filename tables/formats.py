"""Open tables of all accepted formats and read their records.

The format is found from the content of the file, not from its name: text with cells separated by
commas, tabs, semicolons, pipes or ` ::: `, JSON lines, an array of JSON objects, or Parquet, each
also compressed by gzip or in a zip file.

    with open_table(Path("movies.csv.gz")) as table:
        for record in table.records():
            print(record.number, record.reason or record.values)
"""

import io
import itertools
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final

from schema.errors import UserError
from tables import delimited, json_records, parquet
from tables.record import BLANK, MAX_RECORD_CHARACTERS, Record, is_binary, malformed, printable
from tables.source import Source, empty_file, open_source, source_of
from tables.text import Decoder, Line, split_lines

__all__ = ["Record", "Table", "open_table", "read_table"]

_SAMPLE_CHARACTERS: Final = 1 << 16
"""Length of the text from whose form the format is found."""

_MAX_SAMPLE_OBJECTS: Final = 1_000
"""Number of JSON objects whose keys are the columns of the table."""

_SPOOL_BYTES: Final = 1 << 24
"""Size up to which a compressed Parquet file is decompressed into memory, not to disk."""

_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


@dataclass
class Table:
    """An open table, whose records can be read once.

    Attributes:
        name: Path of the file, for messages.
        columns: Names of the columns as in the header, without spaces around them; of JSON, the
            keys of the first 1,000 objects in the order of their appearance.
        bytes_read: Function that returns how many bytes of the file on disk have been read.
        blank_lines: Int. Number of blank lines so far, which are not records, of delimited text and
            of JSON lines.
    """

    name: str
    columns: tuple[str, ...]
    bytes_read: Callable[[], int]
    _describe: Callable[[], str]
    _records: Iterator[Record]
    blank_lines: int = field(default=0, init=False)

    @property
    def description(self) -> str:
        """Format, encoding and compression, as "CSV with semicolons, cp1252, gzip".

        The encoding is that of the text that has been read: a file that begins in ASCII may contain
        other characters later.
        """
        return self._describe()

    def records(self) -> Iterator[Record]:
        """Return the records that have not been read yet.

        Raises:
            UserError: The file cannot be read further.
        """
        return self._records


@contextmanager
def open_table(path: Path, *, columns: Sequence[str] | None = None) -> Iterator[Table]:
    """Open a table.

    Args:
        path: File of any accepted format.
        columns: Names of the columns of delimited text without a header. By default, the first row
            is the header. Text with ` ::: ` whose first cell is a number needs none: its columns
            are id, title, genre and description, or the same without the genre.

    Yields:
        The table, open until the end of the `with` block.

    Raises:
        UserError: The file cannot be read, is no table, or has a malformed header, such as one with
            a repeated name.
    """
    with open_source(path) as source, tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        yield _table(source, spool, columns)


def read_table(name: str, file: IO[bytes], *, columns: Sequence[str] | None = None) -> Table:
    """Return the table in an open file, such as `io.BytesIO`.

    Args:
        name: Name of the table, for messages.
        file: Binary file that can seek.
        columns: As for `open_table`.

    Raises:
        UserError: The file cannot be read, is no table, or has a malformed header.
    """
    return _table(source_of(name, file), io.BytesIO(), columns)


def _table(source: Source, spool: IO[bytes], columns: Sequence[str] | None) -> Table:
    if source.start.startswith(parquet.MAGIC):
        return _parquet_table(source, spool)
    decoder = Decoder()
    texts = decoder.decode(source.chunks())
    start = next(texts)
    if not start.strip():
        raise empty_file(source.name)
    sample = start[:_SAMPLE_CHARACTERS]
    if is_binary(sample):
        raise UserError(
            f"{source.name}: expected a table, got a binary file. Choose another file, or export "
            "the table as CSV or Parquet."
        )
    texts = itertools.chain([start], texts)

    def describe(form: str) -> str:
        return ", ".join(filter(None, [form, decoder.encoding, source.compression]))

    if columns is None and json_records.is_array(sample):
        return _json_table(source, json_records.read_array(texts), partial(describe, "JSON array"))
    lines = split_lines(texts)
    if columns is None and json_records.is_lines(sample):
        return _json_table(source, json_records.read_lines(lines), partial(describe, "JSON lines"))
    return _delimited_table(source, lines, _sample_lines(sample), columns, describe)


def _sample_lines(sample: str) -> list[str]:
    lines = [line for _, line in split_lines([sample])]
    # The last line may be cut off.
    return lines[:-1] if len(sample) == _SAMPLE_CHARACTERS and len(lines) > 1 else lines


def _parquet_table(source: Source, spool: IO[bytes]) -> Table:
    position = source.on_disk.tell()
    size = source.on_disk.seek(0, os.SEEK_END)
    source.on_disk.seek(position)
    file = source.file
    if source.compression:
        spool.writelines(source.chunks())
        file = spool
    parquet_file = parquet.ParquetFile(source.name, file)
    _check_names(source.name, parquet_file.columns)
    description = ", ".join(filter(None, ["Parquet", source.compression]))
    return Table(
        source.name,
        parquet_file.columns,
        lambda: round(size * parquet_file.share_read),
        lambda: description,
        parquet_file.records(),
    )


def _json_table(source: Source, records: Iterator[Record], describe: Callable[[], str]) -> Table:
    first: list[Record] = []
    size = 0
    for record in itertools.islice(records, _MAX_SAMPLE_OBJECTS):
        first.append(record)
        size += len(str(record.values))
        if size > MAX_RECORD_CHARACTERS:
            break
    columns = tuple(dict.fromkeys(name for record in first for name in record.values))
    if not columns and first and first[0].reason == json_records.COLUMNS:
        raise UserError(f"{source.name}: {json_records.COLUMNS}. Write the file again.")
    records = itertools.chain(first, records)
    table = Table(source.name, columns, source.on_disk.tell, describe, iter(()))
    table._records = _without_blank_lines(table, records)
    return table


def _without_blank_lines(table: Table, records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.reason == BLANK:
            table.blank_lines += 1
        else:
            yield record


def _delimited_table(
    source: Source,
    lines: Iterator[Line],
    sample: list[str],
    columns: Sequence[str] | None,
    describe: Callable[[str], str],
) -> Table:
    if match := _SEPARATOR_LINE.fullmatch(sample[0]):
        next(lines)
    if match and match[1] in delimited.DELIMITERS:
        delimiter = match[1]
    else:
        delimiter = delimited.find_delimiter(sample[bool(match) :], len(columns or ()))
    rows = delimited.read_rows(lines, delimiter, len(columns or ()))
    if columns is None:
        columns, rows = _header(source.name, rows, delimiter)
        _check_names(source.name, columns)
    form = delimited.DELIMITERS[delimiter] if len(columns) > 1 else "text with one column"
    table = Table(
        source.name, tuple(columns), source.on_disk.tell, partial(describe, form), iter(())
    )
    table._records = _row_records(table, rows)
    return table


def _header(
    name: str, rows: Iterator[delimited.Row], delimiter: str
) -> tuple[Sequence[str], Iterator[delimited.Row]]:
    """Return the columns, and the rows without the header, in which blank lines come first."""
    blank_lines = 0
    row = next(rows, None)
    while row and row[2] == BLANK:
        blank_lines += 1
        row = next(rows, None)
    if row is None:
        raise UserError(f"{name}: expected a header and rows, got blank lines. Replace the file.")
    line, cells, reason, _ = row
    if reason:
        raise UserError(f"{name}: line {line}: {reason} in the header. Correct the header.")
    blank: Iterator[delimited.Row] = itertools.repeat((1, [], BLANK, ""), blank_lines)
    if delimiter == delimited.TRIPLE_COLON and cells[0].isdecimal():
        columns = delimited.triple_colon_columns(len(cells))
        if not columns:
            raise UserError(
                f"{name}: line {line}: expected id, title, genre and description, got "
                f"{len(cells):,} cells. Put a line with the names of the columns first."
            )
        return columns, itertools.chain(blank, [row], rows)
    return [cell.strip() for cell in cells], itertools.chain(blank, rows)


def _check_names(table: str, columns: Sequence[str]) -> None:
    """Check that no two columns have the same name, since one of them would not be read."""
    for name, count in Counter(columns).items():
        if name and count > 1:
            raise UserError(
                f"{table}: column '{printable(name[:60])}' appears {count:,} times. Rename or "
                "remove all but one of them."
            )


def _row_records(table: Table, rows: Iterator[delimited.Row]) -> Iterator[Record]:
    number = 0
    columns = table.columns
    for line, cells, reason, text in rows:
        if reason == BLANK:
            table.blank_lines += 1
            continue
        number += 1
        if reason:
            yield malformed(number, line, reason, text)
        else:
            yield Record(number, line, dict(zip(columns, cells, strict=True)))
