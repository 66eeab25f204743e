"""Read corrections: genres that a person gave to titles, in place of those of the dumps."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from ingest.config import option_and_setting
from ingest.lines import OnBytes, Reject
from ingest.plots import _csv_rows, _text_lines
from schema.errors import UserError
from schema.features import LIST_SEPARATOR

CORRECTIONS_FILE: Final = "corrections.csv"
"""Name of the file of corrections in the directory of the dumps."""

USED_RESULTS: Final = ("applied", "unchanged")
"""Results of the corrections of movies: genres were changed, or are those of the dump."""

COLUMNS: Final = ("tconst", "genres", "when")
"""Columns that are read. The column `who` is for the people who share the file."""

_TITLE_ID: Final = re.compile(r"(?:tt)?0*([1-9]\d{0,9})", re.ASCII)


class Correction(NamedTuple):
    """Genres that a person gave to a title.

    Attributes:
        line: Line number in the file, from 1.
        title_id: Number in the title's tconst.
        genres: Genres, in the order of the labels.
        when: Time of the correction.
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
    path: Path, genres: Sequence[str], on_bytes: OnBytes = lambda _: None
) -> Iterator[Correction | Reject]:
    """Read corrections in the order of the file.

    Args:
        path: File with the columns `COLUMNS`, in any order.
        genres: Genres that a correction may name, in the order of the labels.
        on_bytes: Function that is called with the number of bytes read so far.

    Yields:
        The next correction, or a reject for a row that cannot be used.

    Raises:
        UserError: The file cannot be read, or it lacks a column.
    """
    labels = {name.casefold(): name for name in genres}
    names: dict[str, str] = {}
    for number, cells in _csv_rows(_text_lines(path, on_bytes)):
        if isinstance(cells, tuple):
            yield Reject(path.name, number, *cells)
        elif not names:
            names = _columns(path, cells)
            header = cells
        else:
            record = dict(zip(header, cells, strict=True))
            text = ",".join(cells)
            try:
                yield _parse(number, {name: record[names[name]] for name in COLUMNS}, labels, text)
            except ValueError as error:
                yield Reject(path.name, number, str(error), text)


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
    `titles`, `titles_with_plot`, `movie_plots` and `corrected_but_dropped` of `ingest.join` must
    exist.
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


def _parse(
    line: int, record: Mapping[str, Any], labels: Mapping[str, str], text: str
) -> Correction:
    """Parse the cells of a row, by column.

    Raises:
        ValueError: The row cannot be used. The message is the reason.
    """
    title_id = _TITLE_ID.fullmatch(_text(record["tconst"]))
    if not title_id:
        raise ValueError("expected a title id such as tt0111161")
    names = _genre_names(record["genres"])
    if not names:
        raise ValueError("no genre")
    if not labels.keys() >= names:
        raise ValueError("unknown genre")
    try:
        when = datetime.fromisoformat(_text(record["when"]))
    except ValueError:
        raise ValueError("expected a time such as 2026-11-30 or 2026-11-30T18:05") from None
    return Correction(
        line,
        int(title_id[1]),
        tuple(name for key, name in labels.items() if key in names),
        when if when.tzinfo else when.replace(tzinfo=UTC),
        text,
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _genre_names(value: Any) -> set[str]:
    """Return the genres of a cell, in lower case. JSON lines may have a list."""
    if not isinstance(value, list):
        value = _text(value)
        value = value.split(LIST_SEPARATOR if LIST_SEPARATOR in value else ",")
    return {name for part in value if (name := _text(part).casefold())}
