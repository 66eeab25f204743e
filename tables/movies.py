"""Records to movies: the values of each record by field, and the cells that are not understood."""

import itertools
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
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


@dataclass(frozen=True, slots=True)
class MovieRecord:
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
_Plan = list[tuple[Field, list[list[tuple[str, _Parser]]]]]
"""For each field, its columns with their parsers; numbered columns of one name are together."""


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

    def parser(name: Field, column: str) -> _Parser:
        parse = parsers.get(name, values.parse_text)
        if name is Field.YEAR and holds_timestamps(column):
            parse = partial(values.parse_year, is_timestamp=True)
        return _cached(parse) if name in _REPEATED else parse

    return [
        (name, [[(column, parser(name, column)) for column in group] for group in groups])
        for name in columns.fields
        if (groups := columns.series(name))
    ]


def _cached(parse: _Parser) -> _Parser:
    """Return a function that remembers the values of texts, which many rows have in common."""
    remembered = lru_cache(maxsize=10_000)(parse)
    return lambda value: remembered(value) if isinstance(value, str) else parse(value)


def _read_movie(record: "Record", plan: _Plan, any_id: bool) -> MovieRecord:
    number, line, cells, reason, text = record
    if reason:
        return MovieRecord(number, line, {}, cells, (), reason, text)
    found: dict[str, Any] = {}
    unreadable: list[Cell] = []
    for name, groups in plan:
        before = len(unreadable)
        for group in groups:
            known = []
            for column, parse in group:
                cell = cells.get(column)
                if cell is None or cell == "":
                    continue
                try:
                    if value := parse(cell):
                        known.append(value)
                except ValueError as error:
                    unreadable.append(Cell(column, _shown(cell), str(error)))
            if known:
                is_series = len(known) > 1
                found[name] = (
                    tuple(dict.fromkeys(itertools.chain(*known))) if is_series else known[0]
                )
                break
        if name in REQUIRED and name not in found and len(unreadable) > before:
            column, value, why = unreadable[before]
            return MovieRecord(number, line, {}, cells, (), f"{column}: {why}", value)
    for title in (Field.TITLE, Field.ORIGINAL_TITLE):
        if title in found:
            found[title], year = found[title]
            if year:
                found.setdefault(Field.YEAR, year)
    if Field.ID in found and (any_id or _TITLE_ID.fullmatch(found[Field.ID])):
        found.setdefault(Field.TCONST, found[Field.ID])
    return MovieRecord(number, line, found, cells, tuple(unreadable))


def _shown(value: Any) -> str:
    """Return the beginning of a value for a message."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text[:MAX_SHOWN].encode("utf-8", "replace").decode()
