"""Command line of the comparison: `python -m benchmarks.quality --help`."""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from benchmarks import tables
from benchmarks.provenance import PROJECT, provenance
from benchmarks.quality import comparison, dataset, report, run
from benchmarks.quality.analysis import analysis
from benchmarks.quality.baselines import BASELINES
from benchmarks.quality.dataset import ALL_FIELDS, TEST_VIEW, Movies
from benchmarks.quality.features import Features
from benchmarks.quality.leakage import count_leakage
from benchmarks.quality.scores import Predictions
from pipeline.config import RunConfig
from pipeline.console import ProgressTable, redirect_to_log
from schema import command
from schema import features as raw
from schema.errors import ExitStatus, UserError
from schema.fingerprint import fingerprint

COMPARISON_MARKER: Final = "comparison"
ANALYSIS_MARKER: Final = "analysis"

BASELINE_MODULES: Final = (
    "benchmarks.quality.baselines",
    "benchmarks.quality.features",
    "benchmarks.quality.dataset",
)
"""Modules whose changes make the stored baselines invalid."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit status, which is that of the pipeline if it failed."""
    parser = tables.command_parser(
        "benchmarks.quality",
        "Compare the served model of a run with baselines on the splits of that run.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=PROJECT / "data" / "sample",
        metavar="DIR",
        help="data for a run of the pipeline if the output directory has no served model "
        "(default: the bundled sample)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="output directory of the run, in which the fitted baselines are also stored "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--baselines",
        nargs="+",
        choices=BASELINES,
        default=list(BASELINES),
        metavar="NAME",
        help=f"baselines to compare with (default: all): {', '.join(BASELINES)}",
    )
    options = parser.parse_args(arguments)
    return command.run(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    """Run the pipeline if necessary, compare, and publish the tables."""
    output = options.output.resolve()
    if options.report:
        # Report a missing marker before the work begins.
        for name in (COMPARISON_MARKER, ANALYSIS_MARKER):
            tables.split_at_markers(options.report, name)
    model = run.served_model(output)
    if model is None:
        print(f"{output}: there is no served model. Running the pipeline first.", flush=True)
        script = str(PROJECT / "pipeline" / "run_local.py")
        pipeline = [sys.executable, script, "--data", str(options.data), "--output", str(output)]
        if status := subprocess.run(pipeline).returncode:
            return status
        model = run.served_model(output)
    if model is None:
        raise UserError(f"{output}: the run has not pushed a model.")
    texts = _texts(model, run.examples_of(model, output), output, options.baselines)
    tables.publish(texts, options.report)
    return ExitStatus.OK


def _texts(model: Path, examples: Path, output: Path, baselines: Sequence[str]) -> dict[str, str]:
    """Return the comparison and the analysis in Markdown."""
    heading = provenance("benchmarks.quality")
    log = f"quality-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    logs = RunConfig(data=output, output=output).logs
    with redirect_to_log(logs / log) as screen, _progress_table(screen).live() as progress:
        progress.start_step("movies")
        splits = dataset.load_splits(examples)
        leakage = count_leakage(splits)
        views = dataset.make_views(splits)
        progress.end_step(
            "done", ", ".join(f"{len(movies):,} {name}" for name, movies in splits.items())
        )

        features, directory = Features(views), output / "quality" / _digest(splits)
        results = {}
        for name in baselines:
            progress.start_step(name)
            fitted, loaded = comparison.fit_baseline(name, features, directory)
            results[name] = comparison.evaluate_baseline(name, fitted, views)
            status = "cached" if loaded else "done"
            progress.end_step(status, BASELINES[name].title.replace("**", ""))

        progress.start_step("the pipeline's model")
        results[report.MODEL] = comparison.evaluate_pipeline_model(model, views)
        progress.end_step("done", f"version {model.name}")

        progress.start_step("report")
        labels = dataset.genres(views[TEST_VIEW])
        predictions: dict[str, Predictions] = {
            name: results[name].predictions[ALL_FIELDS]
            for name in (report.STRONG_BASELINE, report.MODEL)
            if name in results
        }
        texts = {
            COMPARISON_MARKER: f"{heading}:\n\n{report.comparison(labels, results, leakage)}",
            ANALYSIS_MARKER: analysis(splits, views[TEST_VIEW], predictions),
        }
        progress.end_step("done", "")
    return texts


def _progress_table(screen: TextIO) -> ProgressTable:
    return ProgressTable(Console(file=screen, highlight=False, markup=False))


def _digest(splits: Mapping[str, Movies]) -> str:
    """Return a digest of the movies and the code on which the baselines depend."""
    digest = hashlib.sha256(fingerprint(*BASELINE_MODULES).encode())
    for movies in splits.values():
        for name in raw.CSV_COLUMNS:
            digest.update(repr(movies[name].tolist()).encode())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
