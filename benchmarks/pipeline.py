"""Time and memory of whole runs, node by node, and how they grow with the number of movies.

    python -m benchmarks.pipeline --data data/sample
    python -m benchmarks.pipeline --data imdb
    python -m benchmarks.pipeline --data imdb --titles 5000 16000 50000

Each run is a process of its own in a new output directory. Memory is the largest resident memory of
any one process of the run, read from /proc twice a second; so this wants Linux.
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

from benchmarks.origin import PROJECT, origin
from benchmarks.tables import table
from schema import command
from schema.names import INGEST_SUMMARY_FILE, LOGS_DIRECTORY, MOVIES_DIRECTORY, Node

BASICS = "title.basics.tsv"
OUTSIDE = "(start, ingest, end)"


class Run(NamedTuple):
    """One run: rows, exit status, seconds in all, and by node seconds and peak memory in MB."""

    movies: int
    status: int
    seconds: float
    nodes: dict[str, float]
    peaks: dict[str, float]


def measure(data: Path, output: Path, flags: Sequence[str]) -> Run:
    """Run the pipeline once."""
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
            samples.append((time.time(), largest(process.pid)))
            time.sleep(0.5)
    seconds = time.time() - started
    report = json.loads((output / MOVIES_DIRECTORY / INGEST_SUMMARY_FILE).read_text())["summary"]
    record = json.loads(next((output / LOGS_DIRECTORY).glob("run-*.json")).read_text())
    nodes, peaks = {}, {}
    for node in record:
        begin, end = node["started"], node["started"] + node["seconds"]
        nodes[node["node"]] = node["seconds"]
        peaks[node["node"]] = max((mb for at, mb in samples if begin <= at <= end), default=0.0)
    nodes[OUTSIDE] = seconds - sum(nodes.values())
    peaks[OUTSIDE] = max(mb for at, mb in samples if at < record[0]["started"])
    return Run(int(report["movies"]), process.returncode, seconds, nodes, peaks)


def largest(root: int) -> float:
    """Resident memory, in MB, of the largest process among `root` and its descendants."""
    parents, pages = {}, {root: 0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may have ended meanwhile.
        with suppress(OSError):
            # Its name may hold anything; the fields after it do not.
            fields = stat.read_text().rpartition(")")[2].split()
            process = int(stat.parent.name)
            parents[process], pages[process] = int(fields[1]), int(fields[21])
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return max(pages[process] for process in family) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cut(data: Path, folder: Path, titles: int) -> Path:
    """The same dumps with so many titles, taken evenly over the file."""
    folder.mkdir()
    for dump in data.iterdir():
        if not dump.name.startswith(BASICS):
            (folder / dump.name).symlink_to(dump.resolve())
    [source] = data.glob(f"{BASICS}*")
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8", newline="") as file:
        header, *lines = file.readlines()
    chosen = [lines[i * len(lines) // titles] for i in range(min(titles, len(lines)))]
    (folder / BASICS).write_text(header + "".join(chosen), encoding="utf-8")
    return folder


def nodes_by_run(runs: Sequence[Run]) -> str:
    """Nodes down, runs across, in Markdown."""
    rows = []
    for node in runs[0].nodes:
        if any(run.nodes[node] >= 0.5 for run in runs):
            cells = ((f"{run.nodes[node]:.1f}", f"{run.peaks[node]:,.0f}") for run in runs)
            rows.append([node, *chain(*cells)])
    whole, outside = ["**in all**"], ["without the Trainer"]
    for run in runs:
        whole += [f"**{run.seconds:.0f}**", f"**{max(run.peaks.values()):,.0f}**"]
        outside += [f"{run.seconds - run.nodes.get(Node.TRAINER, 0):.0f}", ""]
    head = [cell for run in runs for cell in (f"{run.movies:,} movies: s", "MB")]
    return table(["node", *head], [*rows, whole, outside])


def main() -> int:
    """Measure and print; returns the exit status, the highest of the runs'."""
    parser = argparse.ArgumentParser(description="Time and memory of whole runs, node by node.")
    parser.add_argument("--data", type=Path, default=PROJECT / "data" / "sample")
    parser.add_argument("--titles", type=int, nargs="*", help="cut the data to so many titles")
    parser.add_argument("--keep", type=Path, help="keep what the runs write, in this new folder")
    parser.add_argument("flags", nargs="*", help="flags for run_local.py, after --")
    options = parser.parse_args()
    return command.run(lambda: _measure_all(options))


def _measure_all(options: argparse.Namespace) -> int:
    heading = origin("benchmarks.pipeline")
    runs = []
    for titles in options.titles or [0]:
        with tempfile.TemporaryDirectory() as scratch:
            data = cut(options.data, Path(scratch, "data"), titles) if titles else options.data
            output = (options.keep or Path(scratch)) / f"titles-{titles or 'all'}"
            runs.append(measure(data, output, options.flags))
        movies, status, seconds, *_ = runs[-1]
        print(f"{movies:,} movies: exit {status}, {seconds:.0f} s", file=sys.stderr)
    print(f"{heading}:\n\n{nodes_by_run(runs)}")
    return max(run.status for run in runs)


if __name__ == "__main__":
    sys.exit(main())
