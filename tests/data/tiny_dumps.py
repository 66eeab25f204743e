"""Dumps of a few fictional movies, for tests of ingest."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dump

N = r"\N"
"""Mark of a missing value in IMDb's dumps."""
Row = Sequence[object]

TITLE_ROWS: list[Row] = [
    ("tt0000003", "movie", "The Quiet Lighthouse", "Leuchtturm", 0, 1931, N, 95, "Drama,Mystery"),
    ("tt0000001", "movie", "Harbour  of\u00a0Salt", N, 0, 1948, N, 0, "Crime"),
    ("tt0000002", "movie", 'Cafe\u0301 "Nord", Part 2', N, N, N, N, N, "Comedy,News,Romance"),
    ("tt0000004", "short", "Seven Minutes", N, 0, 1950, N, 7, "Comedy"),
    ("tt0000005", "movie", "Behind Closed Doors", N, 1, 1999, N, 80, "Drama"),
    ("tt0000006", "movie", "Night Bulletin", N, 0, 1999, N, 80, "News"),
    ("tt0000007", "movie", "Untold", N, 0, 1999, N, 80, "Drama"),
    ("tt0000008", "movie", "Unlabelled", N, 0, 1999, N, 80, N),
    ("tt0000009", "movie", "Harbour of Salt", N, 0, 1999, N, 80, "Crime"),
    ("tt10000000", "movie", "Far Orbit", N, 0, 2021, N, 101, "Sci-Fi"),
]
RATINGS_ROWS: list[Row] = [
    ("tt0000001", "6.0", 120),
    ("tt0000003", "7.4", 2000000),
    ("tt0000004", "1.0", 9),
]
CREW_ROWS: list[Row] = [
    ("tt0000001", "nm0000002", N),
    ("tt0000003", "nm0000003,nm0000001", "nm0000001"),
    ("tt0000004", "nm0000001", N),
]
PRINCIPALS_ROWS: list[Row] = [
    ("tt0000001", 3, "nm0000004", "actress", N, '["Ida"]'),
    ("tt0000001", 1, "nm0000005", "actor", N, N),
    ("tt0000001", 2, "nm0000003", "director", N, N),
    ("tt0000001", 4, "nm0000001", "writer", "screenplay", N),
    ("tt0000001", 5, "nm0000005", "actor", N, '["a second part"]'),
    ("tt0000001", 6, "nm0000099", "actor", N, N),
    ("tt0000002", 1, "nm0000001", "self", N, N),
    ("tt0000002", 2, "nm0000002", "archive_footage", N, N),
    ("tt0000004", 1, "nm0000002", "actor", N, N),
]
NAME_ROWS: list[Row] = [
    ("nm0000001", "Ada  Lind", 4, N, "writer", "tt0000001"),
    ("nm0000002", "Bo|Sund", N, N, N, N),
    ("nm0000003", "Cy 'X\" Moe", 1900, 1980, "director", N),
    ("nm0000004", "Dora Hjelm", N, N, "actress", N),
    ("nm0000005", "Eli Rask", N, N, "actor", N),
    ("nm0000006", "Not Needed", N, N, "actor", N),
]
PLOT_ROWS: list[Row] = [
    ("tt0000003", "A keeper <i>waits</i> for ships that never come.... See full summary\u00a0»"),
    ("tt0000001", 'The "salt" baron\'s clerk finds two ledgers, one of them false'),
    ("tt0000002", "Two cooks fall out over a recipe &amp; a waiter. —Ola Norman"),
    ("tt0000004", "Seven people wait."),
    ("tt0000007", "Add a Plot"),
    ("tt0000009", "the SALT baron's clerk finds two ledgers: one of them false!"),
    ("tt10000000", "A crew drifts beyond the last relay."),
]


def format_tsv(header: str, rows: Sequence[Row]) -> bytes:
    """Return a table in the format of the dumps: separated by tabs, without quoting."""
    lines = [header, *("\t".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def write_file(path: Path, data: bytes) -> None:
    """Write a file, compressed if its name ends in .gz."""
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_dumps(directory: Path) -> Path:
    """Write the five dumps, most of them compressed, and title.plots.tsv; return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_dump(directory, BASICS, TITLE_ROWS)
    write_dump(directory, RATINGS, RATINGS_ROWS)
    write_dump(directory, CREW, CREW_ROWS)
    write_dump(directory, PRINCIPALS, PRINCIPALS_ROWS)
    write_file(directory / "name.basics.tsv", format_tsv(NAMES.header, NAME_ROWS))
    write_file(directory / "title.plots.tsv", format_tsv("tconst\tplot", PLOT_ROWS))
    return directory


def write_dump(directory: Path, dump: Dump, rows: Sequence[Row]) -> None:
    """Write one compressed dump."""
    write_file(directory / f"{dump.name}.tsv.gz", format_tsv(dump.header, rows))
