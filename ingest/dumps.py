"""IMDb's dumps: their columns, what each column holds, and their lines in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.lines import Block, CountBytes, blocks
from schema.errors import UserError

_TITLE: Final = r"tt(\d{7}|[1-9]\d{7,9})"
_NAME: Final = r"nm(\d{7}|[1-9]\d{7,9})"
_YEAR: Final = r"(18|19|20)\d\d|\\N"
_ANY: Final = r"[^\t]*"


@dataclass(frozen=True)
class Column:
    """A column: the pattern (RE2) that a whole value matches, and what that is in words."""

    name: str
    pattern: str = _ANY
    expected: str = "text"


@dataclass(frozen=True)
class Dump:
    """One file of IMDb's dumps."""

    name: str
    columns: tuple[Column, ...]

    @property
    def header(self) -> str:
        """The first line of the file."""
        return "\t".join(column.name for column in self.columns)

    @property
    def pattern(self) -> str:
        """What every further line matches in full (RE2)."""
        return r"\t".join(f"({column.pattern})" for column in self.columns)

    def sql_columns(self) -> str:
        """SQL for what `text` holds: the columns, and as `id` the number in the first of them."""
        values = [
            rf"nullif(split_part(text, chr(9), {at}), '\N') AS {column.name}"
            for at, column in enumerate(self.columns, 1)
        ]
        return ", ".join([*values, f"try_cast(substr({self.columns[0].name}, 3) AS BIGINT) AS id"])

    def sql_reason(self) -> str:
        """SQL that says why `text` does not match `pattern`."""
        tabs = r"(length(text) - length(replace(text, chr(9), '')))"
        cases = [
            f"WHEN {tabs} <> {len(self.columns) - 1} "
            f"THEN 'has ' || ({tabs} + 1) || ' columns, expected {len(self.columns)}'"
        ]
        cases += [
            rf"WHEN NOT regexp_full_match(split_part(text, chr(9), {at}), '{column.pattern}') "
            f"THEN '{column.name} is not {column.expected}'"
            for at, column in enumerate(self.columns, 1)
            if column.pattern != _ANY
        ]
        return f"CASE {' '.join(cases)} END"

    def find(self, folder: Path) -> Path:
        """The dump's file in a folder, gzip or plain.

        Raises:
            UserError: There is none, or both.
        """
        found = [
            path for end in (".tsv.gz", ".tsv") if (path := folder / (self.name + end)).is_file()
        ]
        if not found:
            raise UserError(
                f"{folder}: neither {self.name}.tsv.gz nor {self.name}.tsv is there; "
                "`python -m ingest fetch` downloads IMDb's dumps"
            )
        if len(found) > 1:
            raise UserError(
                f"{folder}: both {found[0].name} and {found[1].name} are there; remove one"
            )
        return found[0]


_TCONST: Final = Column("tconst", _TITLE, "a title id such as tt0111161")
_NCONST: Final = Column("nconst", _NAME, "a person id such as nm0000151")
_NAMES: Final = rf"{_NAME}(,{_NAME})*|\\N"

BASICS: Final = Dump(
    "title.basics",
    (
        _TCONST,
        Column("titleType", r"[A-Za-z]+|\\N", "a title type such as movie"),
        Column("primaryTitle"),
        Column("originalTitle"),
        Column("isAdult", r"[01]|\\N", "0 or 1"),
        Column("startYear", _YEAR, "a year such as 1994"),
        Column("endYear", _YEAR, "a year such as 1994"),
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
        Column("directors", _NAMES, "a list of person ids such as nm0000151,nm0000209"),
        Column("writers", _NAMES, "a list of person ids such as nm0000151,nm0000209"),
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


def spooled(
    dump: Dump, path: Path, spool: Path, count_bytes: CountBytes
) -> Iterator[tuple[Block, Path]]:
    """The lines of a dump in blocks.

    Yields:
        Each block without the header, and the file in the folder `spool` that it was written to.

    Raises:
        UserError: The file is damaged, empty or has another header.
    """
    block = None
    for number, block in enumerate(blocks(path, count_bytes)):
        if block.first == 1:
            header, _, block.data = block.data.partition(b"\n")
            block.first = 2
            if header != dump.header.encode():
                found = header[:200].decode("utf-8", "replace").replace("\t", " | ")
                raise UserError(
                    f"{path}: its first line is not the header of {dump.name}; "
                    f"found: {found}; expected: {dump.header.replace(chr(9), ' | ')}"
                )
        part = spool / f"{dump.name}-{number}.txt"
        part.write_bytes(block.data)
        yield block, part
    if block is None:
        raise UserError(f"{path}: the file is empty; fetch or copy it again")


def quoted(path: Path) -> str:
    """A path as it goes between single quotes in SQL."""
    return str(path).replace("'", "''")
