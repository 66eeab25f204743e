"""The CMU Movie Summary Corpus as a table: its plots, each with the metadata of the movie."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from schema.errors import UserError
from tables.formats import Record, Table, open_table

CMU_PLOTS: Final = "plot_summaries.txt"
CMU_METADATA: Final = "movie.metadata.tsv"

_ID: Final = "wikipedia_id"
_PLOT_COLUMNS: Final = (_ID, "plot")
_METADATA_COLUMNS: Final = (
    *(_ID, "freebase_id", "title", "release_date", "revenue", "runtime"),
    *("languages", "countries", "genres"),
)
_JOINED: Final = ("title", "release_date", "runtime", "genres")
"""Columns of the metadata that are joined to the plots."""


def corpus_files(path: Path) -> tuple[Path, Path] | None:
    """Return the files with plots and metadata if a path is the corpus or its file of plots."""
    plots = path / CMU_PLOTS if path.is_dir() else path
    is_corpus = plots.name == CMU_PLOTS and plots.is_file()
    return (plots, plots.with_name(CMU_METADATA)) if is_corpus else None


@contextmanager
def open_corpus(plots: Path, metadata: Path) -> Iterator[Table]:
    """Open the corpus as a table with one record for each plot.

    A movie without metadata has an id and a plot only.

    Raises:
        UserError: A file cannot be read, or a row of the metadata is malformed.
    """
    movies = _read_metadata(metadata)

    def records() -> Iterator[Record]:
        for record in table.records():
            movie = movies.get(record.values.get(_ID, ""), {})
            yield record._replace(values=record.values | movie)
        corpus.blank_lines = table.blank_lines

    with open_table(plots, columns=_PLOT_COLUMNS) as table:
        corpus = replace(table, columns=(*_PLOT_COLUMNS, *_JOINED), _records=records())
        yield corpus


def _read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Return the columns that are joined by Wikipedia id."""
    movies = {}
    with open_table(path, columns=_METADATA_COLUMNS) as table:
        for record in table.records():
            if record.reason:
                raise UserError(
                    f"{path}: line {record.line}: {record.reason}. Download the corpus again."
                )
            movies[record.values[_ID]] = {name: record.values[name] for name in _JOINED}
    return movies
