"""Records to movies: the values of each record by field, and the cells that are not understood."""

import itertools
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema import features as raw
from tables import values
from tables.columns import Columns, Field, holds_timestamps, match_columns

if TYPE_CHECKING:
    from tables.formats import Record, Table

Value = str | int | float | tuple[str, ...]

MAX_SHOWN: Final = 200
"""Maximum length of a value that is reported, in characters."""

REQUIRED: Final = (Field.TCONST, Field.PLOT, Field.GENRES)
"""Fields without which a record is of no use: one that is not understood makes it unreadable."""

_REPEATED: Final = (*raw.NUMBERS, Field.GENRES, Field.DIRECTORS, Field.KIND, Field.LANGUAGE)
"""Fields in which many rows have the same value."""

_MAX_REMEMBERED: Final = 10_000
"""Maximum number of cells whose values are remembered for a column."""

_MAX_REMEMBERED_BYTES: Final = 2_000
"""Size of a cell from which on its value is not remembered, so that memory is bounded."""

_SIMPLE: Final = frozenset({str, int, float})
"""Types of cells whose values are remembered."""

_ID: Final = Field.ID.value
_ORIGINAL_TITLE: Final = Field.ORIGINAL_TITLE.value
_TITLE_ID: Final = re.compile(r"tt\d{7,10}", re.ASCII)
_PARSERS: Final[dict[Field, Callable[[Any], Any]]] = {
    Field.YEAR: values.parse_year,
    Field.RUNTIME: values.parse_runtime,
    Field.RATING: values.parse_rating,
    Field.VOTES: values.parse_votes,
    Field.GENRES: values.parse_genres,
    Field.DIRECTORS: values.parse_people,
    Field.WRITERS: values.parse_people,
    Field.CAST: values.parse_people,
    Field.TITLE: values.parse_title,
    Field.ORIGINAL_TITLE: values.parse_title,
    Field.TCONST: values.parse_title_id,
    Field.ID: partial(values.parse_title_id, any_id=True),
}


class Cell(NamedTuple):
    """Cell whose value was not understood.

    Attributes:
        column: Name of the column as written.
        value: Beginning of the value.
        reason: What was expected.
    """

    column: str
    value: str
    reason: str


class MovieRecord(NamedTuple):
    """Record of a table as a movie.

    Attributes:
        number: Number of the record in the table, from 1.
        line: Line on which the record begins, from 1.
        values: Known values by field: text, numbers, and tuples of names.
        record: All cells as read, by column.
        unreadable: Cells whose values were not understood; these fields are unknown.
        reason: Why the whole record is unreadable; "" if it is not.
        text: Beginning of the unreadable part; "" if the record is readable.
    """

    number: int
    line: int
    values: Mapping[str, Value]
    record: Mapping[str, Any]
    unreadable: tuple[Cell, ...] = ()
    reason: str = ""
    text: str = ""


_Parser = Callable[[Any], Any]


class _Remembered(dict[Any, Any]):
    """Values of a column by cell, which are parsed when they are first needed."""

    def __init__(self, parse: _Parser) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, cell: Any) -> Any:
        value = self._parse(cell)
        if len(self) < _MAX_REMEMBERED and getsizeof(cell) < _MAX_REMEMBERED_BYTES:
            self[cell] = value
        return value


class _Column(NamedTuple):
    """Column of a field: its name, its parser, and values that many rows have in common."""

    name: str
    parse: _Parser
    remembered: _Remembered | None


class _Plan(NamedTuple):
    """Columns of the fields.

    Attributes:
        single: Fields that have one column.
        several: Fields that have several columns in order of preference; numbered columns of one
            name are together.
    """

    single: list[tuple[str, _Column]]
    several: list[tuple[str, list[list[_Column]]]]


def read_movies(
    table: "Table", columns: Columns | None = None, *, any_id: bool = False
) -> Iterator[MovieRecord]:
    """Read the movies of a table.

    A value comes from the first column of its field that has one. Names in numbered columns are
    joined. The year at the end of a title counts if no column has the year. A column of other ids
    counts as tconst where it has an id of IMDb and no other column has.

    Args:
        table: Open table.
        columns: Meaning of the columns; None finds it from their names.
        any_id: Bool. Whether tconst may be an id of any form; by default, an id that is not IMDb's
            makes the record unreadable.

    Returns:
        The movies, one by one. A movie has a reason if its record is malformed, or if id, plot or
        genres are not understood.
    """
    return read_records(table.records(), columns or match_columns(table.columns), any_id=any_id)


def read_records(
    records: Iterable["Record"], columns: Columns, *, any_id: bool = False
) -> Iterator[MovieRecord]:
    """Read the movies of some records, as `read_movies` does."""
    plan = _plan(columns, any_id)
    return (_read_movie(record, plan, any_id) for record in records)


def _plan(columns: Columns, any_id: bool) -> _Plan:
    parsers = _PARSERS | {Field.TCONST: partial(values.parse_title_id, any_id=any_id)}

    def column_of(field: Field, column: str) -> _Column:
        parse = parsers.get(field, values.parse_text)
        if field is Field.YEAR and holds_timestamps(column):
            parse = partial(values.parse_year, is_timestamp=True)
        return _Column(column, parse, _Remembered(parse) if field in _REPEATED else None)

    plan = _Plan([], [])
    for field in columns.fields:
        groups = [[column_of(field, name) for name in group] for group in columns.series(field)]
        if sum(map(len, groups)) == 1:
            plan.single.append((field.value, groups[0][0]))
        else:
            plan.several.append((field.value, groups))
    return plan


def _read_movie(record: "Record", plan: _Plan, any_id: bool) -> MovieRecord:
    number, line, cells, reason, text = record
    if reason:
        return MovieRecord(number, line, {}, cells, (), reason, text)
    found: dict[Any, Any] = {}
    failed: list[tuple[str, Cell]] = []
    # Most fields have one column, and this loop takes most of the time of reading.
    for field, (column, parse, remembered) in plan.single:
        cell = cells.get(column)
        if cell is None or cell == "":
            continue
        try:
            if remembered is None or type(cell) not in _SIMPLE:
                value = parse(cell)
            else:
                value = remembered[cell]
        except ValueError as error:
            failed.append((field, Cell(column, _shown(cell), str(error))))
        else:
            if value:
                found[field] = value
    for field, groups in plan.several:
        if value := _first_known(field, groups, cells, failed):
            found[field] = value
    for field, (column, shown, why) in failed:
        if field in REQUIRED and field not in found:
            return MovieRecord(number, line, {}, cells, (), f"{column}: {why}", shown)
    for title in (raw.TITLE, _ORIGINAL_TITLE):
        if title in found:
            found[title], year = found[title]
            if year:
                found.setdefault(Field.YEAR, year)
    if _ID in found and (any_id or _TITLE_ID.fullmatch(found[_ID])):
        found.setdefault(Field.TCONST, found[_ID])
    return MovieRecord(
        number, line, found, cells, tuple(cell for _, cell in failed) if failed else ()
    )


def _first_known(
    field: str,
    groups: list[list[_Column]],
    cells: Mapping[str, Any],
    failed: list[tuple[str, Cell]],
) -> Any:
    """Return the first known value of the columns; the names of numbered columns are joined."""
    for group in groups:
        known = []
        for column, parse, _ in group:
            cell = cells.get(column)
            if cell is None or cell == "":
                continue
            try:
                if value := parse(cell):
                    known.append(value)
            except ValueError as error:
                failed.append((field, Cell(column, _shown(cell), str(error))))
        if known:
            is_series = len(known) > 1
            return tuple(dict.fromkeys(itertools.chain(*known))) if is_series else known[0]
    return None


def _shown(value: Any) -> str:
    """Return the beginning of a value for a message."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text[:MAX_SHOWN].encode("utf-8", "replace").decode()
