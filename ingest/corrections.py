"""Read corrections: genres that a person gave to titles, in place of those of the dumps."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import duckdb

from ingest.config import fold_genre, option_and_setting
from ingest.lines import OnBytes, Reject
from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from tables.formats import open_table
from tables.values import parse_genres, parse_title_id

CORRECTIONS_FILE: Final = "corrections.csv"
"""Name of the file of corrections in the directory of the dumps."""

USED_RESULTS: Final = ("applied", "unchanged")
"""Results of the corrections of movies: genres were changed, or are those of the dump."""

COLUMNS: Final = ("tconst", "genres", "when")
"""Columns that are read. The column `who` is for the people who share the file."""


class Correction(NamedTuple):
    """Genres that a person gave to a title.

    Attributes:
        line: Line number in the file, from 1.
        title_id: Number in the title's tconst.
        genres: Genres, in the order of the labels.
        when: Time of the correction, in UTC if the file gives no time zone.
        text: Row of the file, for messages.
    """

    line: int
    title_id: int
    genres: tuple[str, ...]
    when: datetime
    text: str


def find_corrections(directory: Path, configured: Path | None) -> Path | None:
    """Return the file of corrections; None if there is none.

    Args:
        directory: Directory of the dumps.
        configured: Path from the configuration; None looks for `CORRECTIONS_FILE` in `directory`.

    Raises:
        UserError: The path from the configuration does not exist, or the file is none.
    """
    path = configured or directory / CORRECTIONS_FILE
    if path.is_file():
        return path
    if configured or os.path.lexists(path):
        raise UserError(
            f"{path}: no such file. Choose the file of corrections with "
            f"{option_and_setting('corrections')}, or remove {path.name}."
        )
    return None


def read_corrections(
    path: Path,
    genres: Sequence[str],
    genre_map: Mapping[str, str] = MappingProxyType({}),
    on_bytes: OnBytes = lambda _: None,
) -> Iterator[Correction | Reject]:
    """Read corrections in the order of the file.

    Args:
        path: Table of any format that `tables` reads, with the columns `COLUMNS`.
        genres: Genres that a correction may name, in the order of the labels.
        genre_map: Names to use in place of others, as in `ingest.genres.GenreMap`.
        on_bytes: Function that is called with the number of bytes read so far.

    Yields:
        The next correction, or a reject for a row that cannot be used.

    Raises:
        UserError: The file cannot be read, is no table, or lacks a column.
    """
    labels = {fold_genre(name): label for name, label in genre_map.items()}
    labels |= {name.casefold(): name for name in genres}
    with open_table(path) as table:
        columns = _columns(path, table.columns)
        for record in table.records():
            on_bytes(table.bytes_read())
            if record.reason:
                yield Reject(path.name, record.line, record.reason, record.text)
                continue
            cells = {name: record.values.get(column) for name, column in columns.items()}
            text = ",".join("" if cell is None else str(cell) for cell in record.values.values())
            try:
                yield Correction(
                    record.line,
                    _parse_title_id(cells["tconst"]),
                    _parse_genres(cells["genres"], genres, labels),
                    _parse_time(cells["when"]),
                    text,
                )
            except ValueError as error:
                yield Reject(path.name, record.line, str(error), text)


def create_table(
    connection: duckdb.DuckDBPyConnection, corrections: Collection[Correction]
) -> None:
    """Create the table `corrections` (id, line, genres, record), with genres joined as in the CSV.

    Args:
        connection: Connection to the database of the build.
        corrections: At most one correction of each title.
    """
    connection.execute(
        """
        CREATE TABLE corrections AS SELECT unnest($ids::BIGINT[]) AS id,
            unnest($lines::BIGINT[]) AS line, unnest($genres::VARCHAR[]) AS genres,
            unnest($records::VARCHAR[]) AS record
        """,
        {
            "ids": [correction.title_id for correction in corrections],
            "lines": [correction.line for correction in corrections],
            "genres": [LIST_SEPARATOR.join(correction.genres) for correction in corrections],
            "records": [correction.text for correction in corrections],
        },
    )


def correction_results(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Return line, row and result of each correction in the table `corrections`.

    The result is one of `USED_RESULTS`, or the reason why the title is no movie. The tables
    `titles`, `titles_with_plot`, `movie_plots` and `corrected_but_dropped` of `ingest.dump_join`
    must exist.
    """
    return connection.execute("""
        SELECT corrections.line, record, CASE
            WHEN movie_plots.id IS NOT NULL THEN if(corrected, 'applied', 'unchanged')
            WHEN titles_with_plot.id IS NOT NULL THEN 'title dropped: plot of an earlier movie'
            WHEN titles.id IS NOT NULL THEN 'title dropped: no plot'
            ELSE coalesce('title dropped: ' || reason, 'no such title') END
        FROM corrections
        LEFT JOIN titles USING (id)
        LEFT JOIN titles_with_plot USING (id)
        LEFT JOIN movie_plots USING (id)
        LEFT JOIN (SELECT id, min(reason) AS reason FROM corrected_but_dropped GROUP BY id)
            USING (id)
        ORDER BY corrections.line
    """).fetchall()


def _columns(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the names in the file of the columns that are read; capitals make no difference."""
    found = {name.strip().casefold(): name for name in names}
    if missing := [name for name in COLUMNS if name not in found]:
        raise UserError(
            f"{path}: expected the columns {', '.join(COLUMNS)}, got {', '.join(names)[:500]}. Add "
            f"{' and '.join(missing)}."
        )
    return {name: found[name] for name in COLUMNS}


def _parse_title_id(value: Any) -> int:
    if title_id := parse_title_id(value):
        return int(title_id.removeprefix("tt"))
    raise ValueError("no title id")


def _parse_genres(value: Any, genres: Sequence[str], labels: Mapping[str, str]) -> tuple[str, ...]:
    # The name of a genre may have a comma, which separates genres otherwise.
    whole = labels.get(" ".join(value.split()).casefold()) if isinstance(value, str) else None
    given = parse_genres(value) if whole is None else (whole,)
    names = {labels.get(name.casefold(), name) for name in given} - {""}
    if not names:
        raise ValueError("no genre")
    if not names <= set(genres):
        raise ValueError("unknown genre")
    return tuple(genre for genre in genres if genre in names)


def _parse_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError("expected a time such as 2026-11-30 or 2026-11-30T18:05") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
