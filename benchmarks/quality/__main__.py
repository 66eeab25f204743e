"""The command line: `python -m benchmarks.quality --help`."""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from benchmarks.quality.arms import ARMS
from rich.console import Console

from benchmarks import tables
from benchmarks.provenance import PROJECT
from benchmarks.quality import comparison, dataset, report, run
from benchmarks.quality.analysis import analysis
from benchmarks.quality.dataset import ALL_FIELDS, JUDGED, Movies
from benchmarks.quality.features import Features
from benchmarks.quality.leakage import leakage
from benchmarks.quality.scores import Predictions
from pipeline.config import RunConfig
from pipeline.console import Board, quiet
from schema import command
from schema import features as raw
from schema.errors import ExitStatus, UserError
from schema.fingerprint import fingerprint

COMPARISON, ANALYSIS = "comparison", "analysis"
"""Markers in the document."""

CODE: Final = (
    "benchmarks.quality.arms",
    "benchmarks.quality.features",
    "benchmarks.quality.dataset",
)
"""Modules that the baselines' results depend on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; returns the exit status, that of the pipeline where it failed."""
    parser = tables.parser(
        "benchmarks.quality",
        "Compare the served model of a run with baselines on the run's own splits.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=PROJECT / "data" / "sample",
        metavar="DIR",
        help="what to run the pipeline on where the output directory has no served model "
        "(default: the bundled sample)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="of the run; the baselines' results are kept there too (default: %(default)s)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ARMS,
        default=list(ARMS),
        metavar="ARM",
        help=f"baselines to compare with (default: all): {', '.join(ARMS)}",
    )
    options = parser.parse_args(arguments)
    return command.run(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    """Make the run if there is none, compare, and print and insert the tables."""
    output = options.output.resolve()
    if options.report:
        # A mistake in the document ends the command before the work.
        for name in (COMPARISON, ANALYSIS):
            tables.around(options.report, name)
    model = run.served_model(output)
    if model is None:
        print(f"{output}: no model is served from there; the pipeline runs first", flush=True)
        script = str(PROJECT / "pipeline" / "run_local.py")
        pipeline = [sys.executable, script, "--data", str(options.data), "--output", str(output)]
        if status := subprocess.run(pipeline).returncode:
            return status
        model = run.served_model(output)
    if model is None:
        raise UserError(f"{output}: the run has pushed no model")
    texts = _texts(model, run.examples_of(model, output), output, options.arms)
    tables.publish(texts, options.report)
    return ExitStatus.OK


def _texts(model: Path, examples: Path, output: Path, arms: Sequence[str]) -> dict[str, str]:
    """The comparison and the analysis, in Markdown."""
    heading = origin("benchmarks.quality")
    log = f"quality-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    logs = RunConfig(data=output, output=output).logs
    with quiet(logs / log) as screen, _board(screen).shown() as board:
        board.begin("movies")
        splits = dataset.of_run(examples)
        found = leakage(splits)
        views = dataset.views(splits)
        board.end("done", ", ".join(f"{len(some):,} {name}" for name, some in splits.items()))

        features, folder = Features(views), output / "quality" / _digest(splits)
        outcomes = {}
        for arm in arms:
            board.begin(arm)
            fitted, kept = comparison.fit(arm, features, folder)
            outcomes[arm] = comparison.judge(arm, fitted, views)
            board.end("cached" if kept else "done", ARMS[arm].title.replace("**", ""))

        board.begin("the pipeline's model")
        outcomes[report.MODEL] = comparison.judge_model(model, views)
        board.end("done", f"version {model.name}")

        board.begin("report")
        labels = dataset.genres(views[JUDGED])
        shown: dict[str, Predictions] = {
            arm: outcomes[arm].predictions[ALL_FIELDS]
            for arm in (report.PRACTITIONER, report.MODEL)
            if arm in outcomes
        }
        texts = {
            COMPARISON: f"{heading}:\n\n{report.comparison(labels, outcomes, found)}",
            ANALYSIS: analysis(splits, views[JUDGED], shown),
        }
        board.end("done", "")
    return texts


def _board(screen: TextIO) -> Board:
    return Board(Console(file=screen, highlight=False, markup=False))


def _digest(splits: Mapping[str, Movies]) -> str:
    """Names the movies and the code that the baselines' results depend on."""
    digest = hashlib.sha256(fingerprint(*CODE).encode())
    for some in splits.values():
        for name in raw.CSV_COLUMNS:
            digest.update(repr(some[name].tolist()).encode())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
