"""Read rows of a Parquet file."""

import itertools
from collections.abc import Iterator
from typing import IO, Any, Final

from schema.errors import UserError
from tables.record import (
    MAX_RECORD_CHARACTERS,
    TOO_LONG,
    Record,
    invalid_characters,
    malformed,
    printable,
)
from tables.source import READ_BYTES

MAGIC: Final = b"PAR1"

BATCH_ROWS: Final = 1_000
"""Maximum number of rows that are in memory at a time."""

BATCH_BYTES: Final = 1 << 25
"""Size of the rows that are in memory at a time, if all rows of a row group are equally long."""


class ParquetFile:
    """A Parquet file.

    Args:
        name: Name of the file in error messages.
        file: Binary file that can seek.

    Attributes:
        columns: Names of the columns.

    Raises:
        UserError: pyarrow is not installed, or the file is corrupt.
    """

    def __init__(self, name: str, file: IO[bytes]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise UserError(
                f"{name}: reading Parquet needs pyarrow. Run `pip install 'ordained[parquet]'`, "
                "or convert the file to CSV."
            ) from None
        self._name, self._errors = name, (pa.ArrowException, OSError, UnicodeDecodeError)
        try:
            # By default, all bytes of a row group are in memory.
            self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=READ_BYTES)
        except self._errors as error:
            raise self._corrupt(error) from error
        self._as_text = lambda kind: pa.types.is_temporal(kind) or pa.types.is_decimal(kind)
        self._is_text = lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind)
        self._text, self._bytes = pa.string(), pa.large_binary()
        self.columns = tuple(name.strip() for name in self._file.schema_arrow.names)
        self._rows: int = self._file.metadata.num_rows
        self._rows_read = 0

    @property
    def share_read(self) -> float:
        """Share of the rows that have been read."""
        return self._rows_read / self._rows if self._rows else 1.0

    def records(self) -> Iterator[Record]:
        """Yield all rows; dates, times and decimal numbers are texts.

        Raises:
            UserError: The file is corrupt.
        """
        batches = itertools.chain.from_iterable(
            self._file.iter_batches(batch_rows(group.num_rows, group.total_byte_size), [index])
            for index, group in enumerate(self._groups())
        )
        while True:
            try:
                batch = next(batches, None)
                columns = [self._cells(column) for column in batch.columns] if batch else []
            except self._errors as error:
                raise self._corrupt(error) from error
            if batch is None:
                return
            for cells in zip(*columns, strict=True):
                self._rows_read = number = self._rows_read + 1
                if reason := _invalid_cells(cells):
                    yield malformed(number, number, reason, " ".join(map(str, cells)))
                else:
                    yield Record(number, number, dict(zip(self.columns, cells, strict=True)))

    def _groups(self) -> Iterator[Any]:
        metadata = self._file.metadata
        return map(metadata.row_group, range(metadata.num_row_groups))

    def _cells(self, column: Any) -> list[Any]:
        if self._as_text(column.type):
            column = column.cast(self._text)
        try:
            cells = column.to_pylist()
        except UnicodeDecodeError:
            if not self._is_text(column.type):
                raise
            cells = column.cast(self._bytes).to_pylist()
        # Some programs store texts without saying that they are texts.
        return [
            cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell
            for cell in cells
        ]

    def _corrupt(self, error: Exception) -> UserError:
        message = printable(str(error).partition("\n")[0])
        return UserError(
            f"{self._name}: the Parquet file is corrupt ({message}). Download or copy it again."
        )


def batch_rows(rows: int, size: int) -> int:
    """Return how many rows of a row group are in memory at a time.

    >>> batch_rows(50_000, 5_000_000), batch_rows(20, 200_000_000), batch_rows(3, 300_000_000)
    (1000, 3, 1)

    Args:
        rows: Number of rows in the group.
        size: Number of bytes of the group without compression.
    """
    return max(1, min(BATCH_ROWS, rows * BATCH_BYTES // max(size, 1)))


def _invalid_cells(cells: tuple[Any, ...]) -> str:
    """Return why a row is malformed; "" if it is well formed."""
    text = "\n".join([cell for cell in cells if isinstance(cell, str)])
    return TOO_LONG if len(text) > MAX_RECORD_CHARACTERS else invalid_characters(text)
