"""Time and memory of complete runs by node, as a function of the number of movies.

    python -m benchmarks.pipeline --data data/sample
    python -m benchmarks.pipeline --data imdb
    python -m benchmarks.pipeline --data imdb --titles 5000 16000 50000

Each run is a separate process with a new output directory. Memory is the largest resident memory of
any single process of the run, read from /proc twice per second, which requires Linux.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from benchmarks.provenance import PROJECT, provenance
from benchmarks.tables import table
from schema import command
from schema.names import INGEST_SUMMARY_FILE, LOGS_DIRECTORY, MOVIES_DIRECTORY, Node

BASICS_DUMP = "title.basics.tsv"
OUTSIDE_NODES = "(start, ingest, end)"
SAMPLING_INTERVAL_SECONDS = 0.5
MIN_SHOWN_SECONDS = 0.5


class RunMeasurement(NamedTuple):
    """Time and memory of one run.

    Attributes:
        movies: Int. Number of movies.
        status: Int. Exit status of the run.
        seconds: Float. Wall-clock time of the run.
        node_seconds: Wall-clock time of each node, in seconds.
        node_peak_mb: Largest resident memory of a process during each node, in MB.
    """

    movies: int
    status: int
    seconds: float
    node_seconds: dict[str, float]
    node_peak_mb: dict[str, float]


def measure(data: Path, output: Path, flags: Sequence[str]) -> RunMeasurement:
    """Run the pipeline once and measure time and memory."""
    script = str(PROJECT / "pipeline" / "run_local.py")
    arguments = [sys.executable, script, "--data", str(data), "--output", str(output), *flags]
    samples: list[tuple[float, float]] = []
    started = time.time()
    output.mkdir(parents=True)
    with (
        (output / "console.txt").open("w") as console,
        subprocess.Popen(arguments, stdout=console) as process,
    ):
        while process.poll() is None:
            samples.append((time.time(), largest_process_mb(process.pid)))
            time.sleep(SAMPLING_INTERVAL_SECONDS)
    seconds = time.time() - started
    summary = json.loads((output / MOVIES_DIRECTORY / INGEST_SUMMARY_FILE).read_text())["summary"]
    record = json.loads(next((output / LOGS_DIRECTORY).glob("run-*.json")).read_text())
    node_seconds, node_peak_mb = {}, {}
    for node in record:
        begin, end = node["started"], node["started"] + node["seconds"]
        during = (mb for sampled, mb in samples if begin <= sampled <= end)
        node_seconds[node["node"]] = node["seconds"]
        node_peak_mb[node["node"]] = max(during, default=0.0)
    node_seconds[OUTSIDE_NODES] = seconds - sum(node_seconds.values())
    before_nodes = (mb for sampled, mb in samples if sampled < record[0]["started"])
    node_peak_mb[OUTSIDE_NODES] = max(before_nodes)
    movies = int(summary["movies"])
    return RunMeasurement(movies, process.returncode, seconds, node_seconds, node_peak_mb)


def largest_process_mb(root: int) -> float:
    """Return the resident memory, in MB, of the largest process among `root` and its children."""
    parents, pages = {}, {root: 0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # The process may have ended.
        with suppress(OSError):
            # The name of a process may contain spaces and parentheses, the later fields cannot.
            fields = stat.read_text().rpartition(")")[2].split()
            process = int(stat.parent.name)
            parents[process], pages[process] = int(fields[1]), int(fields[21])
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return max(pages[process] for process in family) * os.sysconf("SC_PAGE_SIZE") / 1e6


def subsample(data: Path, directory: Path, titles: int) -> Path:
    """Write the dumps with a number of titles that are evenly spaced in the file."""
    directory.mkdir()
    for dump in data.iterdir():
        if not dump.name.startswith(BASICS_DUMP):
            (directory / dump.name).symlink_to(dump.resolve())
    [source] = data.glob(f"{BASICS_DUMP}*")
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8", newline="") as file:
        header, *lines = file.readlines()
    chosen = [lines[i * len(lines) // titles] for i in range(min(titles, len(lines)))]
    (directory / BASICS_DUMP).write_text(header + "".join(chosen), encoding="utf-8")
    return directory


def node_table(runs: Sequence[RunMeasurement]) -> str:
    """Return a Markdown table with one row per node and two columns per run."""
    rows = []
    for node in runs[0].node_seconds:
        if any(run.node_seconds[node] >= MIN_SHOWN_SECONDS for run in runs):
            cells = (
                (f"{run.node_seconds[node]:.1f}", f"{run.node_peak_mb[node]:,.0f}") for run in runs
            )
            rows.append([node, *chain(*cells)])
    total, without_trainer = ["**total**"], ["without the Trainer"]
    for run in runs:
        total += [f"**{run.seconds:.0f}**", f"**{max(run.node_peak_mb.values()):,.0f}**"]
        without_trainer += [f"{run.seconds - run.node_seconds.get(Node.TRAINER, 0):.0f}", ""]
    head = [cell for run in runs for cell in (f"{run.movies:,} movies: s", "MB")]
    return table(["node", *head], [*rows, total, without_trainer])


def main() -> int:
    """Measure all runs and print the table; return the highest exit status of the runs."""
    parser = argparse.ArgumentParser(
        description="Measure time and memory of complete runs by node."
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=PROJECT / "data" / "sample",
        help="directory with the dumps (default: the bundled sample)",
    )
    parser.add_argument(
        "--titles", type=int, nargs="*", help="numbers of titles, one run each (default: all)"
    )
    parser.add_argument(
        "--keep", type=Path, help="new directory for the outputs, which are deleted without it"
    )
    parser.add_argument("flags", nargs="*", help="options for run_local.py, after --")
    options = parser.parse_args()
    return command.run(lambda: _measure_all(options))


def _measure_all(options: argparse.Namespace) -> int:
    heading = provenance("benchmarks.pipeline")
    runs = []
    for titles in options.titles or [0]:
        with tempfile.TemporaryDirectory() as scratch:
            data = (
                subsample(options.data, Path(scratch, "data"), titles) if titles else options.data
            )
            output = (options.keep or Path(scratch)) / f"titles-{titles or 'all'}"
            runs.append(measure(data, output, options.flags))
        movies, status, seconds, *_ = runs[-1]
        print(f"{movies:,} movies: exit status {status}, {seconds:.0f} s", file=sys.stderr)
    print(f"{heading}:\n\n{node_table(runs)}")
    return max(run.status for run in runs)


if __name__ == "__main__":
    sys.exit(main())
