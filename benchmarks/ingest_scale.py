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
from string import Template

import duckdb

from benchmarks.origin import PROJECT, origin
from benchmarks.tables import table
from schema import command
from schema.errors import UserError
from schema.names import MOVIES_PATTERN

TITLES = 12_000_000
PRINCIPALS_PER_TITLE = 7.5
NAMES = 13_000_000
VIEWS = Path(__file__).with_name("dumps.sql")


def generate(folder: Path, scale: float) -> tuple[int, int, int]:
    """Writes the dumps and a file of plots; returns the rows of titles, principals and names."""
    titles, names = round(TITLES * scale), round(NAMES * scale)
    principals = round(titles * PRINCIPALS_PER_TITLE)
    views = Template(VIEWS.read_text(encoding="utf-8")).substitute(
        titles=titles,
        principals=principals,
        principals_per_title=PRINCIPALS_PER_TITLE,
        names=names,
    )
    with duckdb.connect(config={"memory_limit": "2GB"}) as con:
        con.execute(f"SET enable_progress_bar = false; {views}")
        for name in ("basics", "ratings", "crew", "principals", "plots"):
            _copy(con, f"title.{name}", folder)
        _copy(con, "name.basics", folder)
    return titles, principals, names


def _copy(con: duckdb.DuckDBPyConnection, view: str, folder: Path) -> None:
    con.execute(f"""
        COPY (FROM "{view}") TO '{folder / view}.tsv.gz'
        (FORMAT csv, DELIMITER '\\t', HEADER, QUOTE '', ESCAPE '', COMPRESSION gzip)
    """)


def measure(scale: float, folder: Path) -> list[str]:
    """Generates the dumps of a scale and builds from them; a row of the table."""
    dumps = folder / "dumps"
    dumps.mkdir()
    titles, principals, names = generate(dumps, scale)
    build = [sys.executable, "-m", "cli", "ingest", "build", "--data", str(dumps)]
    start = time.monotonic()
    with subprocess.Popen(
        [*build, "--output", str(folder / "movies")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode:
        raise UserError(f"the build failed with status {process.returncode}")
    shards = folder / "movies" / MOVIES_PATTERN
    movies = len(duckdb.read_csv(str(shards), all_varchar=True))
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return [
        f"{scale:g}",
        *(f"{rows:,}" for rows in (titles, principals, names, movies)),
        f"{seconds:.1f}",
        f"{cpu_seconds:.1f}",
        f"{cpu_seconds / principals * 1e6:.2f}",
        f"{kilobytes / 1024:,.0f}",
    ]


def main() -> int:
    """Measures each scale and prints a Markdown table; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.01, 0.05, 0.1])
    parser.add_argument("--folder", type=Path, help="where the dumps are put for the moment")
    options = parser.parse_args()
    return command.run(lambda: _measure_all(options))


def _measure_all(options: argparse.Namespace) -> None:
    print(f"{origin('benchmarks.ingest_scale')}:\n")
    rows = []
    for scale in options.scales:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows.append(measure(scale, Path(folder)))
        print(f"scale {scale:g}: {rows[-1][5]} s", file=sys.stderr)
    head = ["scale", "titles", "principals", "names", "movies", "s", "CPU s", "CPU µs a principal"]
    print(table([*head, "MB"], rows, texts=0))


if __name__ == "__main__":
    sys.exit(main())
