"""IMDb's dumps: their columns, and their lines checked and handed to DuckDB."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from ingest import lines
from ingest.lines import Block, CountBytes, Reject, RejectLog
from schema.errors import UserError

FEW: Final = 100_000
"""Below this many rejects a file is read to its end before their share is judged."""

_TITLE: Final = r"tt(\d{7}|[1-9]\d{7,9})"
_NAME: Final = r"nm(\d{7}|[1-9]\d{7,9})"
_YEAR: Final = r"(18|19|20)\d\d|\\N"
_ANY: Final = r"[^\t]*"


@dataclass(frozen=True)
class Column:
    """One column: the pattern (RE2) that a whole value matches, and what that is in words."""

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

    def sql_value(self, name: str) -> str:
        """SQL for a column's text, NULL for IMDb's null, in the table `lines`."""
        at = [column.name for column in self.columns].index(name) + 1
        return rf"nullif(split_part(text, chr(9), {at}), '\N')"

    def sql_id(self, name: str) -> str:
        """SQL for the number in a column's tconst or nconst, NULL if there is none."""
        return f"try_cast(substr({self.sql_value(name)}, 3) AS BIGINT)"

    def sql_reason(self) -> str:
        """SQL that says why a line of the table `lines` does not match `pattern`."""
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


def load(
    con: duckdb.DuckDBPyConnection,
    dump: Dump,
    path: Path,
    statements: Sequence[str],
    spool: Path,
    log: RejectLog,
    max_reject_share: float,
    count_bytes: CountBytes,
) -> int:
    """Runs SQL on all well-formed lines of a dump, a block at a time.

    Each statement sees a table `lines` (line BIGINT, text VARCHAR, ok BOOLEAN): the lines with
    their numbers and whether they match the dump's pattern. The others are rejected with a reason.

    Args:
        con: The database.
        dump: Which dump the file holds.
        path: The file.
        statements: What to run on each block.
        spool: Folder for one or two blocks at a time.
        log: Takes the rejects.
        max_reject_share: Reading stops when many lines, and more than this share, are rejected.
        count_bytes: Called with the number of bytes read from disk.

    Returns:
        The number of lines below the header.

    Raises:
        UserError: The file is damaged, has another header, or too many malformed lines.
    """
    total = 0
    for block, part in lines.ahead(_spooled(dump, path, spool, count_bytes)):
        total += block.count
        con.execute(f"""
            CREATE OR REPLACE TEMP TABLE lines AS
            SELECT row_number() OVER () + {block.first - 1} AS line, text,
                regexp_full_match(text, '{dump.pattern}') AS ok
            FROM read_csv('{quoted(part)}', columns = {{'text': 'VARCHAR'}}, auto_detect = false,
                header = false, quote = '', escape = '', new_line = '\\n',
                delim = '{lines.FIELD_FREE}', nullstr = '{lines.TAKEN_OUT}')
        """)
        part.unlink()
        for statement in statements:
            con.execute(statement)
        bad = con.execute(
            f"SELECT line, {dump.sql_reason()}, left(text, 200) FROM lines WHERE NOT ok"
        ).fetchall()
        log.add(block.rejects + [Reject(path.name, *row) for row in bad])
        judge_rejects(path.name, total, log, max_reject_share, at_least=FEW)
    return total


def _spooled(
    dump: Dump, path: Path, spool: Path, count_bytes: CountBytes
) -> Iterator[tuple[Block, Path]]:
    """Each block without the header, and the file that it was written to."""
    block = None
    for number, block in enumerate(lines.blocks(path, count_bytes)):
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


def judge_rejects(
    file: str, total: int, log: RejectLog, max_reject_share: float, at_least: int = 0
) -> None:
    """Stops the build where too large a share of a file is malformed.

    Raises:
        UserError: Of `total` lines more than `at_least` and the allowed share are rejected.
    """
    rejected = log.of(file)
    if rejected > at_least and rejected > max_reject_share * total:
        (_, reason), _ = max(
            ((key, count) for key, count in log.counts.items() if key[0] == file),
            key=lambda item: item[1],
        )
        raise UserError(
            f"{file}: {rejected:,} of {total:,} lines are malformed, more than the allowed share "
            f"{max_reject_share:g} (mostly: {reason}); see {log.shown_path}, mend the file or "
            "raise --max-reject-share"
        )


def quoted(path: Path) -> str:
    """A path as it goes between single quotes in SQL."""
    return str(path).replace("'", "''")
