"""Rows of a file of movies. A malformed row does not stop the reading."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from schema import features as raw
from schema.errors import UserError
from serving.client.movies import Movie
from tables.columns import Columns, Field, match_columns
from tables.formats import Table, open_table
from tables.movies import Cell, MovieRecord, read_movies

MAX_COLUMNS_SHOWN: Final = 20
"""Maximum number of columns that a message lists."""

_INPUTS: Final[dict[str, Callable[[Any], str | float]]] = {
    **dict.fromkeys(raw.TEXTS, str),
    **dict.fromkeys(raw.NUMBERS, float),
    **dict.fromkeys(raw.PEOPLE, raw.LIST_SEPARATOR.join),
}
"""Inputs of the model, and the functions that make them from values of `tables.movies`."""

_ORIGINAL_TITLE: Final = Field.ORIGINAL_TITLE.value
_FIELDS: Final = (Field.TCONST, Field.ID, Field.ORIGINAL_TITLE, *map(Field, raw.MODEL_INPUTS))


class Row(NamedTuple):
    """One row of a file.

    Attributes:
        number: Number of the row, counted from 1 without the header.
        line: Number of the line on which the row begins, counted from 1.
        copied: Values that are copied to the output, by column: tconst and the columns of `--keep`.
        movie: Model inputs of the row; None if the row is malformed.
        reason: Description of the mistake in the row as a whole; empty if there is none.
        text: Start of a malformed row.
        unreadable: Cells whose values were not understood. They count as unknown.
    """

    number: int
    line: int
    copied: dict[str, str]
    movie: Movie | None = None
    reason: str = ""
    text: str = ""
    unreadable: tuple[Cell, ...] = ()

    @property
    def note(self) -> str:
        """Description of the values that were not understood; empty if there are none."""
        notes = (f"{cell.column}: {cell.reason}, got {cell.value!r}" for cell in self.unreadable)
        return "; ".join(notes)


@dataclass(frozen=True)
class MovieTable:
    """The rows of a table.

    Attributes:
        table: The open table.
        rows: Iterator over the rows, which can be read once.
        note: Message about columns that are not read; empty if there are none.
    """

    table: Table
    rows: Iterator[Row]
    note: str


@contextmanager
def open_movies(path: Path, keep: Sequence[str] = ()) -> Iterator[MovieTable]:
    """Open a file of movies of any format that `tables.formats` reads.

    Args:
        path: Path of the file.
        keep: Further columns that are copied to the output.

    Raises:
        UserError: The file cannot be read, has no column of a movie, or lacks a column of `keep`.
    """
    with open_table(path) as table:
        yield movies_of(table, keep)


def movies_of(table: Table, keep: Sequence[str] = ()) -> MovieTable:
    """Return the rows of an open table.

    Raises:
        UserError: As for `open_movies`.
    """
    columns = match_columns(table.columns)
    _check_columns(table, columns, keep)
    records = read_movies(table, columns.only(*_FIELDS), any_id=True)
    note = ""
    if unread := [name for name in columns.unknown if name and name not in keep]:
        note = f"{table.name}: these columns are not read: {_listed(unread, columns)}"
    return MovieTable(table, map(partial(_row, keep), records), note)


def _row(keep: Sequence[str], record: MovieRecord) -> Row:
    number, line, values, cells, unreadable, reason, text = record
    if reason:
        return Row(number, line, {}, None, reason, text)
    movie = {name: _INPUTS[name](value) for name, value in values.items() if name in _INPUTS}
    if raw.TITLE not in movie and (title := values.get(_ORIGINAL_TITLE)):
        movie[raw.TITLE] = str(title)
    copied = {raw.TCONST: str(values[raw.TCONST])} if raw.TCONST in values else {}
    for name in keep:
        if (cell := cells.get(name)) is not None:
            copied[name] = cell if isinstance(cell, str) else json.dumps(cell, default=str)
    return Row(number, line, copied, movie, "", "", unreadable)


def _check_columns(table: Table, columns: Columns, keep: Sequence[str]) -> None:
    names = [name for name in table.columns if name]
    for name in keep:
        if name not in names:
            raise UserError(
                f"{table.name}: --keep {name}: the file has no such column. Its columns are "
                f"{_listed(names)}."
            )
    if not columns.only(Field.ORIGINAL_TITLE, *map(Field, raw.MODEL_INPUTS)).fields:
        raise UserError(
            f"{table.name}: expected at least one of the columns {', '.join(raw.MODEL_INPUTS)}, "
            f"got {_listed(names, columns) or 'none'}. Name the columns in the first line."
        )


def _listed(names: Sequence[str], columns: Columns | None = None) -> str:
    """Return a list of columns for a message, with similar known names."""
    similar = columns.unknown if columns else {}
    shown = [
        repr(name) + (f" (did you mean {similar[name]}?)" if similar.get(name) else "")
        for name in names[:MAX_COLUMNS_SHOWN]
    ]
    if more := len(names) - len(shown):
        shown.append(f"and {more:,} more")
    return ", ".join(shown)
