"""Plots from the layouts in which they are to be had, one `Plot` a record.

Accepted are tables (.csv, .tsv, .txt) and JSON lines (.jsonl, .ndjson), each plain or gzip, with a
column for the plot and either IMDb's title id or title and year, among them the files of MPST and
of The Movies Dataset; and the folder of the CMU Movie Summary Corpus.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingest import clean
from ingest.lines import LONGEST_LINE, CountBytes, Reject, raw_bytes
from schema.errors import UserError

ID_NAMES: Final = ("tconst", "imdbid", "imdbtitleid", "titleid", "imdb", "const")
TITLE_NAMES: Final = ("title", "primarytitle", "movietitle", "filmtitle", "moviename", "name")
YEAR_NAMES: Final = ("year", "startyear", "releaseyear", "movieyear", "releasedate", "date")
PLOT_NAMES: Final = (
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
"""Usual spellings, the preferred first; capitals, spaces, hyphens and underscores make no
difference.
"""

CMU_PLOTS: Final = "plot_summaries.txt"
CMU_FILMS: Final = "movie.metadata.tsv"
_CMU_FILM_COLUMNS: Final = 9

_LONGEST_RECORD: Final = 1_000
"""Lines in one CSV record; a quote that is still open then was never closed."""

_FILM_ID: Final = re.compile(r"(?:tt)?(\d{1,10})(?:\.0)?", re.ASCII)
_LEADING_YEAR: Final = re.compile(r"(?:18|19|20)\d\d(?!\d)", re.ASCII)


class Plot(NamedTuple):
    """One plot of a source.

    Attributes:
        line: Line number in its file, counted from 1.
        film: The number in the film's tconst, None if the source does not tell it.
        title: The words of the film's title, "" if the source does not tell it.
        year: The film's year, None if the source does not tell it.
        text: The cleaned plot, "" if the source has none.
    """

    line: int
    film: int | None
    title: str
    year: int | None
    text: str


def find_plots(folder: Path) -> Path:
    """The file or folder of plots beside the dumps.

    Raises:
        UserError: There is none, or more than one.
    """
    found = [
        path
        for path in sorted(folder.iterdir())
        if (path / CMU_PLOTS).is_file()
        or (path.is_file() and re.search("plot|^movies_metadata[.]", path.name.lower()))
    ]
    if not found:
        raise UserError(
            f"{folder}: no plots there (IMDb's dumps hold none): add a file with plot in its name, "
            "movies_metadata.csv or the folder of the CMU Movie Summary Corpus, or name it with "
            "--plots; `python -m ingest fetch` downloads an open corpus"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{folder}: more than one source of plots ({names}); choose with --plots")
    return found[0]


def plot_files(source: Path) -> list[Path]:
    """All files that `read_plots` reads, that with the plots first.

    Raises:
        UserError: One of them is missing.
    """
    first = source / CMU_PLOTS if source.is_dir() else source
    files = [first, *([first.with_name(CMU_FILMS)] if first.name == CMU_PLOTS else [])]
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: not found; the plots are to be read from there")
    return files


def read_plots(source: Path, count_bytes: CountBytes) -> Iterator[Plot | Reject]:
    """The records of a source in the order of its file, well-formed or not.

    Args:
        source: A file, or a folder of the CMU Movie Summary Corpus.
        count_bytes: Told how far each file is read.

    Raises:
        UserError: A file is missing, damaged or not of an accepted layout.
    """
    path = plot_files(source)[0]
    numbered = _text_lines(path, count_bytes)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if path.name == CMU_PLOTS:
        records = _cmu_records(path, numbered, count_bytes)
    elif kind in ("jsonl", "ndjson"):
        records = _json_records(path, numbered)
    elif kind == "csv":
        records = _table_records(path, _csv_rows(numbered))
    elif kind in ("tsv", "txt"):
        records = _table_records(path, ((n, line.split("\t")) for n, line in numbered))
    else:
        raise UserError(
            f"{path}: unknown kind of file; expected .csv, .tsv, .txt or .jsonl (or .gz)"
        )
    for number, record in records:
        plot = record if isinstance(record, tuple) else _plot(number, record)
        if isinstance(plot, Plot):
            yield plot
        else:
            reason, text = plot
            yield Reject(path.name, number, reason, _encodable(text))


Record = Mapping[str, Any]
Numbered = Iterator[tuple[int, str]]
Malformed = tuple[str, str]
"""Reason and text of what should have been a record."""


def _text_lines(path: Path, count_bytes: CountBytes) -> Numbered:
    """Numbered lines without their ends; bytes that are not UTF-8 become lone surrogates."""

    def lines() -> Iterator[bytes]:
        rest = b""
        for piece in raw_bytes(path, count_bytes):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        yield from [rest] if rest else []

    for number, line in enumerate(lines(), 1):
        text = line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _csv_rows(numbered: Numbered) -> Iterator[tuple[int, list[str] | Malformed]]:
    """CSV records with the number of their first line.

    After a broken record reading goes on with the line below its first, so that a stray quote does
    not swallow what follows.
    """
    csv.field_size_limit(1 << 24)
    waiting: deque[tuple[int, str]] = deque()
    width = 0

    def taken(record: list[tuple[int, str]]) -> Iterator[str]:
        while len(record) < _LONGEST_RECORD:
            line = waiting.popleft() if waiting else next(numbered, None)
            if line is None:
                return
            record.append(line)
            yield line[1] + "\n"

    while True:
        record: list[tuple[int, str]] = []
        try:
            row = next(csv.reader(taken(record), strict=True), None)
            if row is None:
                return
            width = width or len(row)
            reason = f"has {len(row)} columns, expected {width}"
        except csv.Error:
            row, reason = [], "broken quoting"
        number, text = record[0]
        if row and len(row) == width:
            yield number, row
            continue
        if text.strip():
            yield number, (reason, text)
        waiting.extendleft(reversed(record[1:]))


def _table_records(
    path: Path, rows: Iterable[tuple[int, list[str] | Malformed]]
) -> Iterator[tuple[int, Record | Malformed]]:
    names: list[str] = []
    for number, row in rows:
        if isinstance(row, tuple):
            yield number, row
        elif not names:
            names = [_folded(name) for name in row]
            _require_columns(path, number, row)
        elif len(row) == len(names):
            yield number, dict(zip(names, row, strict=True))
        elif row != [""]:
            yield number, (f"has {len(row)} columns, expected {len(names)}", " ".join(row))
    if not names:
        raise UserError(f"{path}: the file is empty; expected a header and plots")


def _json_records(path: Path, numbered: Numbered) -> Iterator[tuple[int, Record | Malformed]]:
    known = False
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            yield number, ("is no JSON", line)
            continue
        if not isinstance(record, dict):
            yield number, ("is no JSON object", line)
            continue
        if not known:
            _require_columns(path, number, record)
            known = True
        yield number, {_folded(name): value for name, value in record.items()}


def _cmu_records(
    path: Path, numbered: Numbered, count_bytes: CountBytes
) -> Iterator[tuple[int, Record | Malformed]]:
    films = _cmu_films(path.with_name(CMU_FILMS), count_bytes)
    for number, line in numbered:
        key, tab, text = line.partition("\t")
        if tab and key.isdecimal():
            title, date = films.get(key, ("", ""))
            yield number, {"plot": text, "title": title, "date": date}
        else:
            yield number, ("expected a Wikipedia id, a tab and the plot", line)


def _cmu_films(path: Path, count_bytes: CountBytes) -> dict[str, tuple[str, str]]:
    """Title and date by Wikipedia id."""
    films = {}
    for number, line in _text_lines(path, count_bytes):
        cells = line.split("\t")
        if len(cells) != _CMU_FILM_COLUMNS:
            raise UserError(
                f"{path}, line {number}: has {len(cells)} columns, expected {_CMU_FILM_COLUMNS} "
                "(Wikipedia id, Freebase id, title, date, ...); fetch the corpus again"
            )
        films[cells[0]] = (cells[2], cells[3])
    return films


def _require_columns(path: Path, number: int, names: Iterable[str]) -> None:
    found = {_folded(name) for name in names}
    if not found.isdisjoint(PLOT_NAMES) and (
        not found.isdisjoint(ID_NAMES)
        or not (found.isdisjoint(TITLE_NAMES) or found.isdisjoint(YEAR_NAMES))
    ):
        return
    raise UserError(
        f"{path}, line {number}: the columns do not tell film and plot; "
        f"found: {', '.join(names)[:500]}; accepted for the plot: {', '.join(PLOT_NAMES)}; "
        f"for the film: {', '.join(ID_NAMES)}; or both title ({', '.join(TITLE_NAMES)}) and year "
        f"({', '.join(YEAR_NAMES)}); capitals, spaces, hyphens and underscores make no difference"
    )


@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _plot(number: int, record: Record) -> Plot | Malformed:
    text, title = _first(record, PLOT_NAMES), _first(record, TITLE_NAMES)
    if _encodable(text + title) != text + title:
        return "invalid UTF-8", title or text
    if len(text) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} characters", title or text
    film = None
    if key := _first(record, ID_NAMES):
        match = _FILM_ID.fullmatch(key)
        if match is None:
            return "is for no title id such as tt0111161", key
        film = int(match[1])
    year = _LEADING_YEAR.match(_first(record, YEAR_NAMES))
    title_words, plot = clean.words(title), clean.clean_plot(text)
    return Plot(number, film, title_words, int(year[0]) if year else None, plot)


def _encodable(text: str) -> str:
    """The text with `?` in place of what was no UTF-8 in its file."""
    return text.encode("utf-8", "replace").decode()


def _first(record: Record, names: tuple[str, ...]) -> str:
    """The text of the first named column that has a value, "" if none has."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int) and (text := str(value).strip()) and text != r"\N":
            return text
    return ""
