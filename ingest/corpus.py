"""The CMU Movie Summary Corpus as a table: its plots, each with the metadata of the movie."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ingest.lines import Reject
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


@dataclass
class Metadata:
    """What was read of the metadata.

    Attributes:
        file: Name of the file.
        lines: Number of lines that are not blank.
        blank_lines: Number of blank lines.
        movies: Columns that are joined, by Wikipedia id.
        rejects: Malformed lines, and further lines of one id.
        with_plot: Wikipedia ids that have a plot.
    """

    file: str
    lines: int = 0
    blank_lines: int = 0
    movies: dict[str, dict[str, Any]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    with_plot: set[str] = field(default_factory=set)

    @property
    def without_plot(self) -> int:
        """Number of movies that have no plot."""
        return len(self.movies.keys() - self.with_plot)


OnMetadata = Callable[[Metadata], None]


@contextmanager
def open_corpus(plots: Path, metadata: Path, on_metadata: OnMetadata) -> Iterator[Table]:
    """Open the corpus as a table with one record for each plot.

    A movie without metadata has an id and a plot only.

    Args:
        plots: File with the plots.
        metadata: File with the metadata.
        on_metadata: Function that is called with the metadata when all plots have been read.

    Raises:
        UserError: A file cannot be read.
    """
    joined = _read_metadata(metadata)

    def records() -> Iterator[Record]:
        for record in table.records():
            wikipedia_id = record.values.get(_ID, "")
            joined.with_plot.add(wikipedia_id)
            movie = joined.movies.get(wikipedia_id, {})
            yield record._replace(values=record.values | movie)
        corpus.blank_lines = table.blank_lines
        on_metadata(joined)

    with open_table(plots, columns=_PLOT_COLUMNS) as table:
        corpus = replace(table, columns=(*_PLOT_COLUMNS, *_JOINED), _records=records())
        yield corpus


def _read_metadata(path: Path) -> Metadata:
    metadata = Metadata(path.name)
    with open_table(path, columns=_METADATA_COLUMNS) as table:
        for record in table.records():
            metadata.lines += 1
            values, reason, text = record.values, record.reason, record.text
            if not reason and values[_ID] in metadata.movies:
                reason, text = "duplicate id", values[_ID]
            if reason:
                metadata.rejects.append(Reject(path.name, record.line, reason, text))
            else:
                metadata.movies[values[_ID]] = {name: values[name] for name in _JOINED}
        metadata.blank_lines = table.blank_lines
    return metadata
