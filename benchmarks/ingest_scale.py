"""Time and memory of `ingest` on generated dumps, as a function of their size.

    python -m benchmarks.ingest_scale --scales 0.01 0.05 0.1

At scale 1 the dumps have the size and proportions of IMDb's: 12 million titles (6% of them movies,
a fifth of those with a plot), 90 million principals, 13 million names. Words and links are
generated from hashes, so the same scale always gives the same files. Each build runs in a separate
process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template
from typing import NamedTuple

import duckdb

from benchmarks.provenance import PROJECT, provenance
from benchmarks.tables import table
from schema import command
from schema.errors import UserError
from schema.names import MOVIES_PATTERN

FULL_SIZE_TITLES = 12_000_000
PRINCIPALS_PER_TITLE = 7.5
FULL_SIZE_NAMES = 13_000_000
VIEWS_FILE = Path(__file__).with_name("dumps.sql")


class Build(NamedTuple):
    """End and cost of a build."""

    exit_status: int
    errors: str
    seconds: float
    cpu_seconds: float
    megabytes: float


def run_build(source: Path, output: Path, *options: str) -> Build:
    """Build from a directory of dumps or from a table, in a process; return its end and cost."""
    option = "--data" if source.is_dir() else "--table"
    build = [sys.executable, "-m", "cli", "ingest", "build", option, str(source)]
    start = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*build, "--output", str(output), *options],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=PROJECT,
        ) as process,
    ):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        errors.seek(0)
        message = errors.read()
    return Build(
        process.returncode,
        message,
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10)),
    )


def generate_dumps(directory: Path, scale: float) -> tuple[int, int, int]:
    """Write the dumps and a file of plots; return the numbers of titles, principals and names."""
    titles, names = round(FULL_SIZE_TITLES * scale), round(FULL_SIZE_NAMES * scale)
    principals = round(titles * PRINCIPALS_PER_TITLE)
    views = Template(VIEWS_FILE.read_text(encoding="utf-8")).substitute(
        titles=titles,
        principals=principals,
        principals_per_title=PRINCIPALS_PER_TITLE,
        names=names,
    )
    with duckdb.connect(config={"memory_limit": "2GB"}) as con:
        con.execute(f"SET enable_progress_bar = false; {views}")
        for name in ("basics", "ratings", "crew", "principals", "plots"):
            _write_view(con, f"title.{name}", directory)
        _write_view(con, "name.basics", directory)
    return titles, principals, names


def _write_view(con: duckdb.DuckDBPyConnection, view: str, directory: Path) -> None:
    con.execute(f"""
        COPY (FROM "{view}") TO '{directory / view}.tsv.gz'
        (FORMAT csv, DELIMITER '\\t', HEADER, QUOTE '', ESCAPE '', COMPRESSION gzip)
    """)


def measure(scale: float, directory: Path) -> list[str]:
    """Generate dumps of a scale and run a build on them; return a row of the table."""
    dumps = directory / "dumps"
    dumps.mkdir()
    titles, principals, names = generate_dumps(dumps, scale)
    build = run_build(dumps, directory / "movies")
    if build.exit_status:
        raise UserError(f"scale {scale:g}: the build failed with exit status {build.exit_status}")
    shards = directory / "movies" / MOVIES_PATTERN
    movies = len(duckdb.read_csv(str(shards), all_varchar=True))
    return [
        f"{scale:g}",
        *(f"{rows:,}" for rows in (titles, principals, names, movies)),
        f"{build.seconds:.1f}",
        f"{build.cpu_seconds:.1f}",
        f"{build.cpu_seconds / principals * 1e6:.2f}",
        f"{build.megabytes:,.0f}",
    ]


def main() -> int:
    """Measure each scale and print a Markdown table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--scales",
        type=float,
        nargs="+",
        default=[0.01, 0.05, 0.1],
        help="sizes of the dumps as fractions of IMDb's (default: 0.01 0.05 0.1)",
    )
    parser.add_argument("--directory", type=Path, help="directory for the temporary dumps")
    options = parser.parse_args()
    return command.run(lambda: _measure_all(options))


def _measure_all(options: argparse.Namespace) -> None:
    print(f"{provenance('benchmarks.ingest_scale')}:\n")
    rows = []
    for scale in options.scales:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            rows.append(measure(scale, Path(directory)))
        print(f"scale {scale:g}: {rows[-1][5]} s", file=sys.stderr)
    head = [
        "scale",
        "titles",
        "principals",
        "names",
        "movies",
        "s",
        "CPU s",
        "CPU µs per principal",
    ]
    print(table([*head, "MB"], rows, text_columns=0))


if __name__ == "__main__":
    sys.exit(main())
