"""Time and memory of whole runs, node by node, and how they grow with the number of films.

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
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.origin import PROJECT, origin
from schema.names import INGEST_REPORT_FILE, LOGS_FOLDER, MOVIES_FOLDER, Node

BASICS = "title.basics.tsv"
OUTSIDE = "(start, ingest, end)"


@dataclass
class Run:
    """One run: rows, exit status, seconds in all, and by node seconds and peak memory in MB."""

    films: int
    status: int
    seconds: float
    nodes: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)


def measure(data: Path, output: Path, flags: Sequence[str]) -> Run:
    """Run the pipeline once."""
    command = [
        sys.executable,
        str(PROJECT / "pipeline" / "run_local.py"),
        "--data",
        str(data),
        "--output",
        str(output),
        *flags,
    ]
    samples: list[tuple[float, float]] = []
    started = time.time()
    output.mkdir(parents=True)
    with (
        (output / "console.txt").open("w") as console,
        subprocess.Popen(command, stdout=console) as process,
    ):
        while process.poll() is None:
            samples.append((time.time(), largest(process.pid)))
            time.sleep(0.5)
    run = Run(_films(output), process.returncode, time.time() - started)
    record = json.loads(next((output / LOGS_FOLDER).glob("run-*.json")).read_text())
    for node in record:
        begin, end = node["started"], node["started"] + node["seconds"]
        run.nodes[node["node"]] = node["seconds"]
        run.peaks[node["node"]] = max((mb for at, mb in samples if begin <= at <= end), default=0.0)
    run.nodes[OUTSIDE] = run.seconds - sum(run.nodes.values())
    run.peaks[OUTSIDE] = max(mb for at, mb in samples if at < record[0]["started"])
    return run


def largest(root: int) -> float:
    """Resident memory, in MB, of the largest process among `root` and its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name of a process may hold anything; the fields after it do not.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    family = {root}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return max((_resident(pid) for pid in family), default=0.0)


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _films(output: Path) -> int:
    report = json.loads((output / MOVIES_FOLDER / INGEST_REPORT_FILE).read_text())["report"]
    return int(report["movies"])


def cut(data: Path, folder: Path, titles: int) -> Path:
    """The same dumps with so many titles, taken evenly over the file."""
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


def table(runs: Sequence[Run]) -> str:
    """Nodes down, runs across, in Markdown."""
    head = "| node | " + " | ".join(f"{run.films:,} films: s | MB" for run in runs) + " |"
    lines = [head, "|---" + "|---:|---:" * len(runs) + "|"]
    for node in runs[0].nodes:
        cells = [f"{run.nodes[node]:.1f} | {run.peaks[node]:,.0f}" for run in runs]
        if any(run.nodes[node] >= 0.5 for run in runs):
            lines.append(f"| {node} | " + " | ".join(cells) + " |")
    cells = [f"**{run.seconds:.0f}** | **{max(run.peaks.values()):,.0f}**" for run in runs]
    lines.append("| **in all** | " + " | ".join(cells) + " |")
    outside = [f"{run.seconds - run.nodes.get(Node.TRAINER, 0):.0f} |" for run in runs]
    lines.append("| without the Trainer | " + " | ".join(outside) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time and memory of whole runs, node by node.")
    parser.add_argument("--data", type=Path, default=PROJECT / "data" / "sample")
    parser.add_argument("--titles", type=int, nargs="*", help="cut the data to so many titles")
    parser.add_argument("--keep", type=Path, help="keep what the runs write, in this new folder")
    parser.add_argument("flags", nargs="*", help="flags for run_local.py, after --")
    options = parser.parse_args()
    heading = origin("benchmarks.pipeline")
    runs = []
    for titles in options.titles or [0]:
        with tempfile.TemporaryDirectory() as scratch:
            data = options.data
            if titles:
                folder = Path(scratch, "data")
                folder.mkdir()
                data = cut(options.data, folder, titles)
            output = (options.keep or Path(scratch)) / f"titles-{titles or 'all'}"
            run = measure(data, output, options.flags)
            print(f"{run.films:,} films: exit {run.status}, {run.seconds:.0f} s", file=sys.stderr)
            runs.append(run)
    print(f"{heading}:\n")
    print(table(runs))
    return max(run.status for run in runs)


if __name__ == "__main__":
    sys.exit(main())
