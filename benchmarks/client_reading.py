"""Rate and memory of the client's reader, compared with those of another commit.

    python -m benchmarks.client_reading c688c87 --rows 1000000

Both commits read the same files in separate processes, alternately and in several rounds, so that
other load on the machine affects both. Rates are those of the rounds with the least processor time,
ratios are taken within each round, and memory is the most of all rounds. Nothing is predicted.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.provenance import PROJECT, provenance
from benchmarks.tables import table

READ = """
import resource, sys, time
from pathlib import Path
from serving.client import files
start = time.process_time()
path, count = Path(sys.argv[1]), 0
if hasattr(files, "open_movies"):
    with files.open_movies(path) as movies:
        for row in movies.rows:
            count += 1
else:
    with files.open_rows(path) as (rows, _):
        for row in rows:
            count += 1
print(count, time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""Program that prints the number of rows, the processor time in seconds and the memory in KiB."""


def movies(count: int) -> Iterator[dict[str, str | int]]:
    """Yield invented movies."""
    for number in range(count):
        yield {
            "tconst": f"tt{number:07}",
            "title": f"The Harbour {number}",
            "year": 1930 + number % 90,
            "runtime_minutes": 60 + number % 120,
            "average_rating": f"{1 + number % 90 / 10:.1f}",
            "num_votes": number % 5000,
            "directors": f"Ada Lind {number % 700}",
            "cast": f"Bo Sund {number % 900}|Cy Moe {number % 1100}",
        }


def write_files(directory: Path, rows: int) -> dict[str, Path]:
    """Write the files that are read, by description."""
    paths = {
        "CSV without plots": directory / "movies.csv",
        "CSV with quoted plots": directory / "plots.csv",
        "JSON lines": directory / "movies.jsonl",
    }
    with (
        paths["CSV without plots"].open("w", newline="") as simple,
        paths["CSV with quoted plots"].open("w", newline="") as plots,
        paths["JSON lines"].open("w") as lines,
    ):
        columns = list(next(movies(1)))
        writers = csv.DictWriter(simple, columns), csv.DictWriter(plots, [*columns, "plot"])
        for writer in writers:
            writer.writeheader()
        for movie in movies(rows):
            plot = f'{movie["title"]}, "the old one", ' + "where a keeper waits for a ship. " * 12
            writers[0].writerow(movie)
            writers[1].writerow(movie | {"plot": plot})
            lines.write(f"{json.dumps(movie)}\n")
    return paths


def measure(source: Path, path: Path) -> tuple[int, float, int]:
    """Return the number of rows, the processor time in seconds and the memory in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        cwd=source,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows, seconds, memory = done.stdout.split()
    return int(rows), float(seconds), int(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commit", help="commit to compare with")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    source_line = provenance("benchmarks.client_reading")
    with tempfile.TemporaryDirectory() as name:
        other = Path(name) / "other"
        other.mkdir()
        archive = subprocess.run(
            ["git", "archive", options.commit], cwd=PROJECT, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", other], input=archive.stdout, check=True)
        lines = []
        for form, path in write_files(Path(name), options.rows).items():
            rounds = [
                [measure(source, path) for source in (other, PROJECT)]
                for _ in range(options.rounds)
            ]
            ratios = [old[1] / new[1] for old, new in rounds]
            old, new = zip(*rounds, strict=True)
            lines.append(
                [
                    form,
                    *(f"{runs[0][0] / min(run[1] for run in runs):,.0f}" for runs in (old, new)),
                    *(f"{statistic(ratios):.2f}" for statistic in (min, median, max)),
                    *(f"{max(run[2] for run in runs) / 1024:,.0f}" for runs in (old, new)),
                ]
            )
    print(source_line)
    columns = ["file", "rows/s before", "rows/s", "least ratio", "median", "most", "MiB before"]
    print(table([*columns, "MiB"], lines))


if __name__ == "__main__":
    main()
