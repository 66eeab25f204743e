"""IMDb's dumps: their columns, the format of each column, and reading in blocks of lines."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.lines import Block, OnBytes, blocks
from schema.errors import UserError
from tables.record import printable
from tables.source import check_kind

_TITLE_ID: Final = r"tt(\d{7}|[1-9]\d{7,9})"
_PERSON_ID: Final = r"nm(\d{7}|[1-9]\d{7,9})"
_YEAR: Final = r"(18|19|20)\d\d|\\N"
_ANY_TEXT: Final = r"[^\t]*"


@dataclass(frozen=True)
class Column:
    """Column of a dump.

    Attributes:
        name: Name in the header.
        pattern: Regular expression (RE2) that the whole value must match.
        expected: Description of valid values, for messages.
    """

    name: str
    pattern: str = _ANY_TEXT
    expected: str = "text"


@dataclass(frozen=True)
class Dump:
    """File format of one of IMDb's dumps.

    Attributes:
        name: File name without extension.
        columns: Columns in the order of the file.
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def header(self) -> str:
        """First line of the file."""
        return "\t".join(column.name for column in self.columns)

    @property
    def line_pattern(self) -> str:
        """Regular expression (RE2) that every line after the header must match."""
        return r"\t".join(f"({column.pattern})" for column in self.columns)

    def sql_columns(self) -> str:
        """Return SQL that splits `text` into the columns and `id`, the number in the first."""
        values = [
            rf"nullif(split_part(text, chr(9), {index}), '\N') AS {column.name}"
            for index, column in enumerate(self.columns, 1)
        ]
        return ", ".join([*values, f"try_cast(substr({self.columns[0].name}, 3) AS BIGINT) AS id"])

    def sql_reason(self) -> str:
        """Return SQL for the reason why `text` does not match `line_pattern`."""
        tabs = r"(length(text) - length(replace(text, chr(9), '')))"
        cases = [
            f"WHEN {tabs} <> {len(self.columns) - 1} "
            f"THEN 'expected {len(self.columns)} columns, got ' || ({tabs} + 1)"
        ]
        cases += [
            rf"WHEN NOT regexp_full_match(split_part(text, chr(9), {index}), '{column.pattern}') "
            f"THEN '{column.name}: expected {column.expected}'"
            for index, column in enumerate(self.columns, 1)
            if column.pattern != _ANY_TEXT
        ]
        return f"CASE {' '.join(cases)} END"

    def find(self, directory: Path) -> Path:
        """Return the path of the dump in a directory, compressed or not.

        Raises:
            UserError: Neither or both of the files exist, or something else has their name.
        """
        paths = [directory / (self.name + extension) for extension in (".tsv.gz", ".tsv")]
        found = [path for path in paths if path.is_file()]
        if not found:
            for path in filter(os.path.lexists, paths):
                check_kind(path)
            raise UserError(
                f"{directory}: expected {self.name}.tsv.gz or {self.name}.tsv, found neither. "
                "Download IMDb's dumps with `ordained ingest fetch`, or write the file yourself "
                "(docs/own-data.md)."
            )
        if len(found) > 1:
            raise UserError(
                f"{directory}: found both {found[0].name} and {found[1].name}. Remove one of them."
            )
        return found[0]


_TCONST: Final = Column("tconst", _TITLE_ID, "a title id such as tt0111161")
_NCONST: Final = Column("nconst", _PERSON_ID, "a person id such as nm0000151")
_PERSON_IDS: Final = rf"{_PERSON_ID}(,{_PERSON_ID})*|\\N"

BASICS: Final = Dump(
    "title.basics",
    (
        _TCONST,
        Column("titleType", r"[A-Za-z]+|\\N", "a title type such as movie"),
        Column("primaryTitle"),
        Column("originalTitle"),
        Column("isAdult", r"[01]|\\N", "0 or 1"),
        Column("startYear", _YEAR, "a year from 1800 to 2099"),
        Column("endYear", _YEAR, "a year from 1800 to 2099"),
        Column("runtimeMinutes", r"\d{1,7}|\\N", "a whole number of minutes"),
        Column("genres", r"[A-Za-z-]+(,[A-Za-z-]+)*|\\N", "a list of genres such as Crime,Drama"),
    ),
)
RATINGS: Final = Dump(
    "title.ratings",
    (
        _TCONST,
        Column("averageRating", r"10(\.0+)?|\d(\.\d+)?|\\N", "a number from 0 to 10"),
        Column("numVotes", r"\d{1,9}|\\N", "a whole number"),
    ),
)
CREW: Final = Dump(
    "title.crew",
    (
        _TCONST,
        Column("directors", _PERSON_IDS, "a list of person ids such as nm0000151,nm0000209"),
        Column("writers", _PERSON_IDS, "a list of person ids such as nm0000151,nm0000209"),
    ),
)
PRINCIPALS: Final = Dump(
    "title.principals",
    (
        _TCONST,
        Column("ordering", r"\d{1,6}", "a whole number"),
        _NCONST,
        Column("category", r"[a-z_]+|\\N", "a category such as actor"),
        Column("job"),
        Column("characters"),
    ),
)
NAMES: Final = Dump(
    "name.basics",
    (
        _NCONST,
        Column("primaryName"),
        Column("birthYear", r"\d{1,4}|\\N", "a year such as 1937"),
        Column("deathYear", r"\d{1,4}|\\N", "a year such as 2008"),
        Column("primaryProfession"),
        Column("knownForTitles"),
    ),
)
DUMPS: Final = (BASICS, RATINGS, CREW, PRINCIPALS, NAMES)


def write_blocks(
    dump: Dump, path: Path, directory: Path, on_bytes: OnBytes
) -> Iterator[tuple[Block, Path]]:
    """Split a dump into blocks of lines and write each to a file, for DuckDB to read.

    Args:
        dump: Format of the file.
        path: File to read, compressed or not.
        directory: Directory for the files of the blocks.
        on_bytes: Function that is called with the number of bytes read so far.

    Yields:
        The block, without the header, and the file with its lines.

    Raises:
        UserError: The file is corrupt, empty or has another header.
    """
    for number, block in enumerate(blocks(path, on_bytes)):
        if block.first == 1:
            header, _, block.data = block.data.partition(b"\n")
            block.first = 2
            if header != dump.header.encode():
                got = printable(header[:200].decode("utf-8", "replace").replace("\t", " | "))
                if block.rejects and block.rejects[0].line == 1:
                    got = f"a malformed line ({block.rejects[0].reason})"
                raise UserError(
                    f"{path}: line 1: expected the header of {dump.name} "
                    f"({dump.header.replace(chr(9), ' | ')}), got {got}. Download the dump again."
                )
        part = directory / f"{dump.name}-{number}.txt"
        part.write_bytes(block.data)
        yield block, part


def escape_sql(text: Path | str) -> str:
    """Return a path or text with its quotes escaped, for a string literal in SQL."""
    return str(text).replace("'", "''")
