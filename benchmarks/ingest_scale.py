"""How the time and memory of `ingest` grow: builds of generated dumps, shares of the official size.

    python -m benchmarks.ingest_scale --scales 0.01 0.05 0.1

The dumps have the official columns and proportions: 12 million titles (6 in 100 of them movies, a
fifth of those with a plot), 90 million principals, 13 million names. Words and links are made up
from hashes, so a scale always gives the same files. Each build runs in a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.origin import origin
from schema.names import MOVIES_PATTERN

TITLES = 12_000_000
PRINCIPALS_PER_TITLE = 7.5
NAMES = 13_000_000


class Measure(NamedTuple):
    """One build: rows read and written, wall and processor time, largest resident memory."""

    titles: int
    principals: int
    names: int
    movies: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def generate(folder: Path, scale: float) -> tuple[int, int, int]:
    """Writes the dumps and a file of plots; returns the rows of titles, principals and names."""
    titles, names = round(TITLES * scale), round(NAMES * scale)
    principals = round(titles * PRINCIPALS_PER_TITLE)
    tables = {
        "title.basics": f"""
            SELECT format('tt{{:07d}}', i) AS tconst,
                CASE WHEN h(i, 1) % 100 < 6 THEN 'movie' WHEN h(i, 1) % 100 < 15 THEN 'short'
                    ELSE 'tvEpisode' END AS "titleType",
                phrase(i, 1 + h(i, 2) % 4) AS "primaryTitle", "primaryTitle" AS "originalTitle",
                (h(i, 3) % 50 = 0)::INTEGER AS "isAdult", 1920 + h(i, 4) % 105 AS "startYear",
                '\\N' AS "endYear", orNull(i, 5, 10, 40 + h(i, 6) % 120) AS "runtimeMinutes",
                orNull(i, 7, 20, ['Drama', 'Comedy,Romance', 'Action,Crime,Thriller',
                    'Documentary'][1 + h(i, 8) % 4]) AS genres
            FROM range(1, {titles + 1}) AS t(i)
        """,
        "title.ratings": f"""
            SELECT format('tt{{:07d}}', i) AS tconst, 1 + h(i, 9) % 90 / 10 AS "averageRating",
                5 + h(i, 10) % 100000 AS "numVotes"
            FROM range(1, {titles + 1}) AS t(i) WHERE h(i, 11) % 8 = 0
        """,
        "title.crew": f"""
            SELECT format('tt{{:07d}}', i) AS tconst, orNull(i, 12, 3, person(i, 13)) AS directors,
                orNull(i, 14, 2, person(i, 15) || ',' || person(i, 16)) AS writers
            FROM range(1, {titles + 1}) AS t(i)
        """,
        "title.principals": f"""
            SELECT format('tt{{:07d}}', 1 + (i / {PRINCIPALS_PER_TITLE})::BIGINT % {titles})
                    AS tconst,
                1 + i % 10 AS ordering, person(i, 17) AS nconst,
                ['actor', 'actress', 'self', 'director', 'writer', 'producer', 'composer',
                    'editor'][1 + h(i, 18) % 8] AS category,
                orNull(i, 19, 4, 'producer') AS job,
                orNull(i, 20, 2, '["' || phrase(i, 2) || '"]') AS characters
            FROM range({principals}) AS t(i)
        """,
        "name.basics": f"""
            SELECT format('nm{{:07d}}', i) AS nconst, phrase(i, 2) AS "primaryName",
                orNull(i, 21, 10, 1900 + h(i, 22) % 100) AS "birthYear", '\\N' AS "deathYear",
                'actor,producer' AS "primaryProfession",
                format('tt{{:07d}},tt{{:07d}}', 1 + h(i, 23) % {titles}, 1 + h(i, 24) % {titles})
                    AS "knownForTitles"
            FROM range({names}) AS t(i)
        """,
        "title.plots": f"""
            SELECT format('tt{{:07d}}', i) AS tconst, phrase(i, 20 + h(i, 25) % 60) || '.' AS plot
            FROM range(1, {titles + 1}) AS t(i)
            WHERE h(i, 1) % 100 < 6 AND h(i, 26) % 5 = 0
        """,
    }
    with duckdb.connect(config={"memory_limit": "2GB"}) as con:
        con.execute(f"""
            SET enable_progress_bar = false;
            CREATE MACRO h(i, salt) AS (hash(i * 64 + salt) >> 8)::BIGINT;
            CREATE MACRO orNull(i, salt, n, value) AS
                CASE WHEN h(i, salt) % n = 0 THEN '\\N' ELSE value::VARCHAR END;
            CREATE MACRO person(i, salt) AS format('nm{{:07d}}', h(i, salt) % {names});
            CREATE MACRO word(n) AS ['ba', 'ke', 'li', 'mo', 'ru', 'sha', 'ter', 'vin'][1 + n % 8]
                || ['lan', 'dor', 'mi', 'ne', 'so', 'ta', 'ver', 'xi'][1 + (n >> 3) % 8]
                || ['', 'a', 'el', 'in', 'o', 'ra', 's', 'us'][1 + (n >> 6) % 8];
            CREATE MACRO phrase(i, count) AS array_to_string(
                list_transform(range(count), lambda j: word(h(i, 100 + j))), ' ');
        """)
        for name, query in tables.items():
            con.execute(f"""
                COPY ({query}) TO '{folder / name}.tsv.gz'
                (FORMAT csv, DELIMITER '\\t', HEADER, QUOTE '', ESCAPE '', COMPRESSION gzip)
            """)
    return titles, principals, names


def measure(scale: float, folder: Path) -> Measure:
    """Generates the dumps of a scale and builds from them."""
    dumps = folder / "dumps"
    dumps.mkdir()
    rows = generate(dumps, scale)
    command = [sys.executable, "-m", "ingest", "build", "--data", str(dumps)]
    start = time.monotonic()
    with subprocess.Popen(
        [*command, "--output", str(folder / "movies")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode:
        raise SystemExit(f"the build failed with status {process.returncode}")
    with duckdb.connect() as con:
        shards = folder / "movies" / MOVIES_PATTERN
        (movies,) = con.execute(
            f"SELECT count(*) FROM read_csv('{shards}', all_varchar = true)"
        ).fetchone() or (0,)
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Measure(*rows, movies, seconds, cpu_seconds, kilobytes / 1024)


def main() -> None:
    """Measures each scale and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.01, 0.05, 0.1])
    parser.add_argument("--folder", type=Path, help="where the dumps are put for the moment")
    options = parser.parse_args()
    print(f"{origin('benchmarks.ingest_scale')}:\n")
    print("| scale | titles | principals | names | movies | s | CPU s | CPU µs a principal | MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for scale in options.scales:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            row = measure(scale, Path(folder))
        counts = " | ".join(f"{count:,}" for count in row[:4])
        print(
            f"| {scale:g} | {counts} | {row.seconds:.1f} | {row.cpu_seconds:.1f} "
            f"| {row.cpu_seconds / row.principals * 1e6:.2f} | {row.peak_mb:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
