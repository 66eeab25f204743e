"""The CMU Movie Summary Corpus as a table: its plots, each with the metadata of the movie."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ingest.plots import CMU_METADATA, CMU_PLOTS
from schema.errors import UserError
from tables.formats import Record, Table
from tables.record import malformed

_ID: Final = "Wikipedia movie ID"
_PLOT: Final = "Plot"
_METADATA_COLUMNS: Final = {
    _ID: 0,
    "Title": 2,
    "Release date": 3,
    "Runtime": 5,
    "Genres": 8,
}
"""Positions of the columns of the metadata that are used. The files have no names of columns."""

_METADATA_WIDTH: Final = 9


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
        UserError: A file cannot be read.
    """
    try:
        with plots.open("rb") as file:
            columns = (*_METADATA_COLUMNS, _PLOT)
            records = _read_records(file, _read_metadata(metadata))
            yield Table(str(plots), columns, file.tell, lambda: "CMU Movie Summary Corpus", records)
    except OSError as error:
        name = error.filename or plots
        raise UserError(f"{name}: cannot be read: {error.strerror or error}") from error


def _read_records(plots: BinaryIO, metadata: dict[str, dict[str, str]]) -> Iterator[Record]:
    for number, line in enumerate(plots, 1):
        identifier, tab, plot = _decode(line).partition("\t")
        if tab and identifier.isdecimal():
            movie = metadata.get(identifier, {_ID: identifier})
            yield Record(number, number, {**movie, _PLOT: plot})
        else:
            reason = "expected a Wikipedia id, a tab and the plot"
            yield malformed(number, number, reason, identifier)


def _read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Return the cells of the movies by Wikipedia id."""
    movies = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            cells = _decode(line).split("\t")
            if len(cells) != _METADATA_WIDTH:
                raise UserError(
                    f"{path}: line {number}: expected {_METADATA_WIDTH} columns, got {len(cells)}. "
                    "Download the corpus again."
                )
            movies[cells[0]] = {name: cells[place] for name, place in _METADATA_COLUMNS.items()}
    return movies


def _decode(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
