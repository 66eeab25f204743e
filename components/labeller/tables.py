"""Tables of labels: join the files of all parts into one CSV or Parquet file with DuckDB.

DuckDB reads and writes in blocks and sorts with temporary files, so the memory is bounded.
"""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from report.metrics import DOUBT_ABOVE
from schema.errors import UserError
from schema.files import atomic_write
from schema.genres import genre_columns

MEMORY_LIMIT: Final = "1GB"
"""Memory that DuckDB may use before it writes temporary files."""

_FORMATS: Final = {".csv": "csv, HEADER", ".parquet": "parquet"}
"""DuckDB's format of a table, by suffix."""


class LabelCounts(NamedTuple):
    """Number of movies in a table of labels, and number of those that are unsure."""

    movies: int
    unsure: int


def check_table(table: Path) -> None:
    """Check that a file can be written as a table.

    Raises:
        UserError: Its suffix is unknown, or its directory does not exist.
    """
    if table.suffix.lower() not in _FORMATS:
        raise UserError(f"{table}: expected a file name that ends in {' or '.join(_FORMATS)}.")
    if not table.parent.is_dir():
        raise UserError(f"{table.parent}: no such directory. Create it, or choose another one.")
    if table.is_dir():
        raise UserError(f"{table}: is a directory. Choose another file name.")


def write_labels(parts: Sequence[Path], table: Path, scratch: Path) -> LabelCounts:
    """Write the predicted genres of all movies, in the order of the parts.

    The columns are tconst, title, genres, confidence, unsure (see `decision.MovieLabels`),
    model_version, and the probability of each genre (see `schema.genres.genre_columns`).

    Args:
        parts: Files that `inference.label_part` has written, at least one.
        table: CSV or Parquet file.
        scratch: Directory for temporary files.
    """
    with _open(parts, scratch) as database:
        [names] = database.execute("SELECT names FROM parts LIMIT 1").fetchone() or [[]]
        is_csv = table.suffix.lower() == ".csv"
        value = "printf('%.6f', probabilities[{}])" if is_csv else "probabilities[{}]"
        columns = ["tconst", "title", "genres", "confidence", "unsure", "model_version"]
        probabilities = [
            f"{value.format(i)} AS {_name(name)}"
            for i, name in enumerate(genre_columns(names, columns), 1)
        ]
        movies = _write(database, f"SELECT {', '.join(columns + probabilities)} FROM parts", table)
        [unsure] = database.execute("SELECT count(*) FROM parts WHERE unsure").fetchone() or [0]
    return LabelCounts(movies, unsure)


def write_doubts(parts: Sequence[Path], table: Path, scratch: Path) -> int:
    """Write the movies whose listed genres the model doubts, the surest doubt first.

    The columns are tconst, title, listed, predicted, add, remove, doubt (see
    `decision.MovieLabels`), split and model_version. The arguments are those of `write_labels`.

    Returns:
        Number of movies in the table.
    """
    query = f"""
        SELECT tconst, title, listed, genres AS predicted, "add", "remove", doubt, split,
            model_version
        FROM parts WHERE doubt > {DOUBT_ABOVE} ORDER BY doubt DESC, tconst
    """
    with _open(parts, scratch) as database:
        return _write(database, query, table)


@contextmanager
def _open(parts: Sequence[Path], scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with the view `parts`, the rows of all parts in their order."""
    with duckdb.connect(
        config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(scratch)}
    ) as database:
        files = ", ".join(_text(glob.escape(str(part))) for part in parts)
        database.execute(f"CREATE VIEW parts AS FROM read_parquet([{files}])")
        yield database


def _write(database: duckdb.DuckDBPyConnection, query: str, table: Path) -> int:
    """Write the rows of a query to a table as a whole and return their number."""
    with atomic_write(table) as file:
        format_ = _FORMATS[table.suffix.lower()]
        copy = f"COPY ({query}) TO {_text(str(file))} (FORMAT {format_})"
        [count] = database.execute(copy).fetchone() or [0]
    return int(count)


def _text(value: str) -> str:
    """Return a string literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    """Return an identifier of SQL."""
    return '"' + value.replace('"', '""') + '"'
