"""Read plots from the common file formats.

Accepted are tables (.csv, .tsv, .txt) and JSON lines (.jsonl, .ndjson), each also compressed by
gzip, with a column for the plot and either IMDb's title id or title and year. The files of MPST and
The Movies Dataset are such tables. The directory of the CMU Movie Summary Corpus is accepted, too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingest import clean
from ingest.config import option_and_setting
from ingest.lines import OnBytes, Reject, decompressed_bytes
from schema.errors import UserError
from tables.delimited import BLANK, read_rows

ID_COLUMNS: Final = ("tconst", "imdbid", "imdbtitleid", "titleid", "imdb", "const")
TITLE_COLUMNS: Final = ("title", "primarytitle", "movietitle", "filmtitle", "moviename", "name")
YEAR_COLUMNS: Final = ("year", "startyear", "releaseyear", "movieyear", "releasedate", "date")
PLOT_COLUMNS: Final = (
    "plot",
    "plotsynopsis",
    "plotsummary",
    "plotoutline",
    "synopsis",
    "summary",
    "overview",
    "storyline",
    "description",
)
"""Accepted column names after `_normalized_name`. The first column with a value is read."""

CMU_PLOTS: Final = "plot_summaries.txt"
CMU_METADATA: Final = "movie.metadata.tsv"
_CMU_METADATA_COLUMNS: Final = 9

MAX_PLOT_CHARACTERS: Final = 1 << 20
"""Maximum length of a plot, in characters. A longer plot is rejected."""

_TITLE_ID: Final = re.compile(r"(?:tt)?(\d{1,10})(?:\.0)?", re.ASCII)
_LEADING_YEAR: Final = re.compile(r"(?:18|19|20)\d\d(?!\d)", re.ASCII)


class Plot(NamedTuple):
    """Plot of a movie.

    Attributes:
        line: Line number in the file, from 1.
        title_id: Number in the movie's tconst; None if the record has no id.
        title_words: Normalized words of the movie's title; "" if the record has no title.
        year: Release year of the movie; None if the record has no year.
        text: Cleaned plot; "" if the record has no plot.
    """

    line: int
    title_id: int | None
    title_words: str
    year: int | None
    text: str


def find_plots(directory: Path) -> Path:
    """Return the file or directory of plots in the directory of the dumps.

    Raises:
        UserError: There is none, or more than one.
    """
    found = [
        path
        for path in sorted(directory.iterdir())
        if (path / CMU_PLOTS).is_file()
        or (path.is_file() and re.search("plot|^movies_metadata[.]", path.name.lower()))
    ]
    if not found:
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
        UserError: A file is missing.
    """
    plots = source / CMU_PLOTS if source.is_dir() else source
    files = [plots, *([plots.with_name(CMU_METADATA)] if plots.name == CMU_PLOTS else [])]
    for file in files:
        if not file.is_file():
            raise UserError(
                f"{file}: no such file. Choose the plots with {option_and_setting('plots')}."
            )
    return files


def read_plots(source: Path, on_bytes: OnBytes) -> Iterator[Plot | Reject]:
    """Read plots in the order of the file.

    Args:
        source: File of plots, or directory of the CMU Movie Summary Corpus.
        on_bytes: Function that is called with the number of bytes of a file read so far.

    Yields:
        The next plot, or a reject for a malformed record.

    Raises:
        UserError: A file is missing or corrupt, or its format is not accepted.
    """
    path = plot_files(source)[0]
    lines = _text_lines(path, on_bytes)
    extension = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if path.name == CMU_PLOTS:
        records = _cmu_records(path, lines, on_bytes)
    elif extension in ("jsonl", "ndjson"):
        records = _json_records(path, lines)
    elif extension == "csv":
        records = _table_records(path, _csv_rows(lines))
    elif extension in ("tsv", "txt"):
        records = _table_records(path, ((number, line.split("\t")) for number, line in lines))
    else:
        raise UserError(
            f"{path}: expected a file name that ends in .csv, .tsv, .txt, .jsonl or .ndjson, with "
            "or without .gz. Convert or rename the file."
        )
    for number, record in records:
        plot = record if isinstance(record, tuple) else _parse_plot(number, record)
        if isinstance(plot, Plot):
            yield plot
        else:
            reason, text = plot
            yield Reject(path.name, number, reason, _replace_surrogates(text))


Record = Mapping[str, Any]
NumberedLines = Iterator[tuple[int, str]]
Malformed = tuple[str, str]
"""Reason and text of a malformed record."""


def _text_lines(path: Path, on_bytes: OnBytes) -> NumberedLines:
    """Yield lines with their numbers; bytes that are not UTF-8 are decoded as surrogates."""

    def lines() -> Iterator[bytes]:
        rest = b""
        for chunk in decompressed_bytes(path, on_bytes):
            *complete, rest = (rest + chunk).split(b"\n")
            yield from complete
        yield from [rest] if rest else []

    for number, line in enumerate(lines(), 1):
        text = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _csv_rows(lines: NumberedLines) -> Iterator[tuple[int, list[str] | Malformed]]:
    """Yield CSV records with the number of their first line."""
    for line, cells, reason, text in read_rows(lines, ","):
        if reason != BLANK:
            yield line, (reason, text) if reason else cells


def _column_count_reason(width: int, row: list[str]) -> str:
    return f"expected {width} columns, got {len(row)}"


def _table_records(
    path: Path, rows: Iterable[tuple[int, list[str] | Malformed]]
) -> Iterator[tuple[int, Record | Malformed]]:
    names: list[str] = []
    for number, row in rows:
        if isinstance(row, tuple):
            yield number, row
        elif not names:
            names = [_normalized_name(name) for name in row]
            _check_columns(path, number, row)
        elif len(row) == len(names):
            yield number, dict(zip(names, row, strict=True))
        elif row != [""]:
            yield number, (_column_count_reason(len(names), row), " ".join(row))
    if not names:
        raise UserError(
            f"{path}: expected a header and plots, got an empty file. Replace the file."
        )


def _json_records(path: Path, lines: NumberedLines) -> Iterator[tuple[int, Record | Malformed]]:
    is_checked = False
    for number, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            yield number, ("invalid JSON", line)
            continue
        if not isinstance(record, dict):
            yield number, ("expected a JSON object", line)
            continue
        if not is_checked:
            _check_columns(path, number, record)
            is_checked = True
        yield number, {_normalized_name(name): value for name, value in record.items()}


def _cmu_records(
    path: Path, lines: NumberedLines, on_bytes: OnBytes
) -> Iterator[tuple[int, Record | Malformed]]:
    metadata = _cmu_metadata(path.with_name(CMU_METADATA), on_bytes)
    for number, line in lines:
        wikipedia_id, tab, text = line.partition("\t")
        if tab and wikipedia_id.isdecimal():
            title, date = metadata.get(wikipedia_id, ("", ""))
            yield number, {"plot": text, "title": title, "date": date}
        else:
            yield number, ("expected a Wikipedia id, a tab and the plot", line)


def _cmu_metadata(path: Path, on_bytes: OnBytes) -> dict[str, tuple[str, str]]:
    """Return title and release date by Wikipedia id."""
    movies = {}
    for number, line in _text_lines(path, on_bytes):
        cells = line.split("\t")
        if len(cells) != _CMU_METADATA_COLUMNS:
            raise UserError(
                f"{path}: line {number}: {_column_count_reason(_CMU_METADATA_COLUMNS, cells)}. "
                "Download the corpus again."
            )
        movies[cells[0]] = (cells[2], cells[3])
    return movies


def _check_columns(path: Path, number: int, names: Iterable[str]) -> None:
    found = {_normalized_name(name) for name in names}
    if not found.isdisjoint(PLOT_COLUMNS) and (
        not found.isdisjoint(ID_COLUMNS)
        or not (found.isdisjoint(TITLE_COLUMNS) or found.isdisjoint(YEAR_COLUMNS))
    ):
        return
    raise UserError(
        f"{path}: line {number}: expected columns for the plot and the movie, got "
        f"{', '.join(names)[:500]}. Name the column of the plot {_choices(PLOT_COLUMNS)}, and the "
        f"column of IMDb's id {_choices(ID_COLUMNS)}. Without ids, name the column of the title "
        f"{_choices(TITLE_COLUMNS)}, and the column of the year {_choices(YEAR_COLUMNS)}. "
        "Upper case, spaces, hyphens and underscores make no difference."
    )


def _choices(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


@lru_cache(maxsize=1024)
def _normalized_name(name: str) -> str:
    """Return a column name in lower case, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name).casefold()


def _parse_plot(number: int, record: Record) -> Plot | Malformed:
    text, title = _first_value(record, PLOT_COLUMNS), _first_value(record, TITLE_COLUMNS)
    if _replace_surrogates(text + title) != text + title:
        return "invalid UTF-8", title or text
    if len(text) > MAX_PLOT_CHARACTERS:
        return f"longer than {MAX_PLOT_CHARACTERS:,} characters", title or text
    title_id = None
    if value := _first_value(record, ID_COLUMNS):
        match = _TITLE_ID.fullmatch(value)
        if match is None:
            return "expected a title id such as tt0111161", value
        title_id = int(match[1])
    year = _LEADING_YEAR.match(_first_value(record, YEAR_COLUMNS))
    title_words, plot = clean.normalized_words(title), clean.clean_plot(text)
    return Plot(number, title_id, title_words, int(year[0]) if year else None, plot)


def _replace_surrogates(text: str) -> str:
    """Return the text with `?` in place of bytes that were not UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _first_value(record: Record, columns: tuple[str, ...]) -> str:
    """Return the first non-empty value of the columns as text; "" if all are empty or missing."""
    for name in columns:
        value = record.get(name)
        if isinstance(value, str | int) and (text := str(value).strip()) and text != r"\N":
            return text
    return ""
