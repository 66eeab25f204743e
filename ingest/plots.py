"""Read plots from a table, or from the CMU Movie Summary Corpus.

A table has a column for the plot, and either IMDb's title id or the title and the year. The files
of MPST and The Movies Dataset are such tables.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from ingest import clean
from ingest.config import option_and_setting
from ingest.corpus import CMU_METADATA, CMU_PLOTS, OnMetadata, open_corpus
from ingest.lines import OnBytes, Reject
from ingest.table_columns import assign_columns, list_columns
from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from tables.columns import COLUMN_NAMES, Columns, Field
from tables.formats import open_table
from tables.kinds import is_another_kind
from tables.movies import Cell, MovieRecord, read_movies
from tables.record import printable
from tables.source import check_kind

_PEOPLE: Final = (Field.DIRECTORS, Field.WRITERS, Field.CAST)
_TITLES: Final = (Field.TITLE, Field.ORIGINAL_TITLE)
_FIELDS: Final = (Field.TCONST, Field.ID, *_TITLES, Field.YEAR, Field.PLOT, Field.KIND, *_PEOPLE)
"""Fields that are read. Other columns, such as genres, make no record unreadable."""

_RECORDS_PER_UPDATE: Final = 1_000

_SHOWN_NAMES: Final = 6
"""Number of accepted column names that a message lists for each field."""

_log = logging.getLogger(__name__)


class Plot(NamedTuple):
    """Plot of a movie.

    Attributes:
        line: Line number in the file, from 1.
        title_id: Number in the movie's tconst; None if the record has no id.
        title: Title of the movie; "" if the record has no title.
        year: Release year of the movie; None if the record has no year.
        text: Plot on one line; "" if the record has no plot, or a placeholder for it.
        people: Names of the movie's people, joined by `LIST_SEPARATOR`; "" if the record has an id.
        is_another_kind: Whether the record is about another kind of title, such as a TV show.
    """

    line: int
    title_id: int | None
    title: str
    year: int | None
    text: str
    people: str = ""
    is_another_kind: bool = False


class UnreadableCell(NamedTuple):
    """Cell that was not understood, in a record that is kept."""

    line: int
    cell: Cell


def find_plots(directory: Path) -> Path:
    """Return the file or directory of plots in the directory of the dumps.

    Hidden files and those that Excel keeps beside an open file are ignored.

    Raises:
        UserError: There is none, or more than one, or something else has the name.
    """
    named = [
        path
        for path in sorted(directory.iterdir())
        if (path / CMU_PLOTS).is_file()
        or (
            not path.name.startswith((".", "~$"))
            and ("plot" in path.name.lower() or path.name.lower().startswith("movies_metadata."))
        )
    ]
    found = [path for path in named if path.is_file() or (path / CMU_PLOTS).is_file()]
    if not found:
        for path in named:
            check_kind(path)
        raise UserError(
            f"{directory}: found no plots, which IMDb's dumps do not contain. Add a file with "
            "`plot` in its name, movies_metadata.csv or the directory of the CMU Movie Summary "
            f"Corpus, or choose the plots with {option_and_setting('plots')}. `ordained ingest "
            "fetch` downloads the corpus."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(
            f"{directory}: found several sources of plots ({names}). Choose one of them with "
            f"{option_and_setting('plots')}."
        )
    return found[0]


def plot_files(source: Path) -> list[Path]:
    """Return all files that `read_plots` reads; the file with the plots is the first.

    Raises:
        UserError: A file is missing, or something else has its name.
    """
    plots = source / CMU_PLOTS if source.is_dir() else source
    files = [plots, *([plots.with_name(CMU_METADATA)] if plots.name == CMU_PLOTS else [])]
    for file in files:
        if os.path.lexists(file):
            check_kind(file)
        else:
            raise UserError(
                f"{file}: no such file. Choose the plots with {option_and_setting('plots')}."
            )
    return files


def read_plots(
    source: Path,
    on_bytes: OnBytes,
    title_types: Sequence[str] = ("movie",),
    chosen: Mapping[str, str] = MappingProxyType({}),
    on_blank_lines: Callable[[int], None] = lambda _: None,
    on_metadata: OnMetadata = lambda _: None,
) -> Iterator[Plot | Reject | UnreadableCell]:
    """Read plots in the order of the file.

    Args:
        source: File of plots, or directory of the CMU Movie Summary Corpus.
        on_bytes: Function that is called with the number of bytes of a file read so far.
        title_types: Values of IMDb's `titleType` that are kept.
        chosen: Names of columns by field, which override what the names of the columns say.
        on_blank_lines: Function that is called at the end with the number of blank lines.
        on_metadata: Function that is called at the end with what was read of the corpus's metadata.

    Yields:
        The next plot, or a reject for a malformed record. Cells of a record that are not understood
        come before its plot.

    Raises:
        UserError: A file is missing or corrupt, or its format is not accepted.
    """
    path, *metadata = plot_files(source)
    opened = open_corpus(path, metadata[0], on_metadata) if metadata else open_table(path)
    with opened as table:
        columns = assign_columns(path.name, table.columns, chosen, _FIELDS)
        _check_columns(path, table.columns, columns)
        unknown = [
            name + (f" (similar to {known})" if known else "")
            for name, known in columns.unknown.items()
            if name
        ]
        if unknown:
            _log.info("%s: columns that are not read: %s", path.name, list_columns(unknown))
        for movie in read_movies(table, columns):
            movie = clean.without_long_values(movie, columns)
            yield from _parse_plot(path.name, movie, title_types)
            if movie.number % _RECORDS_PER_UPDATE == 0:
                on_bytes(table.bytes_read())
        on_bytes(table.bytes_read())
        on_blank_lines(table.blank_lines)
        _log.info("%s: %s", path.name, table.description)


def _check_columns(path: Path, names: Sequence[str], columns: Columns) -> None:
    fields = columns.fields.keys()
    if Field.PLOT in fields and fields & {Field.TCONST, Field.ID, *_TITLES}:
        return
    similar = "".join(
        f" {name} is similar to {known}." for name, known in columns.unknown.items() if known
    )
    raise UserError(
        f"{path}: expected columns for the plot and the movie, got "
        f"{printable(', '.join(names)[:500] + '.' + similar[:500])} Name the column of the plot "
        f"{_choices(Field.PLOT)}, and the column of IMDb's id {_choices(Field.TCONST)}. "
        f"Without ids, name the column of the title {_choices(Field.TITLE)}, and the column of the "
        f"year {_choices(Field.YEAR)}. Only letters and digits of the names are compared, in any "
        "case. You can also name the columns with the setting `ingest.columns: {plot: NAME}`, or "
        'with `--column "plot=NAME"`.'
    )


def _choices(field: Field) -> str:
    names = COLUMN_NAMES[field][:_SHOWN_NAMES]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _parse_plot(
    file: str, movie: MovieRecord, title_types: Sequence[str]
) -> Iterator[Plot | Reject | UnreadableCell]:
    if movie.reason:
        yield Reject(file, movie.line, movie.reason, movie.text)
        return
    values = cast("dict[str, Any]", movie.values)
    title = values.get(Field.TITLE) or values.get(Field.ORIGINAL_TITLE, "")
    tconst = values.get(Field.TCONST)
    names = {name: None for field in _PEOPLE for name in values.get(field, ())}
    people = "" if tconst else LIST_SEPARATOR.join(names)
    yield from (UnreadableCell(movie.line, cell) for cell in movie.unreadable)
    yield Plot(
        movie.line,
        int(tconst[2:]) if tconst else None,
        clean.normalize(title),
        values.get(Field.YEAR),
        clean.clean_plot(values.get(Field.PLOT, "")),
        clean.normalize(people),
        is_another_kind(values.get(Field.KIND, ""), title_types),
    )
