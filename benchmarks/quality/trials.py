"""The settings that the latest search of hyperparameters tried, best first.

python -m benchmarks.quality.trials --output runs/imdb --report docs/quality.md
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tfx.types import standard_artifacts

from benchmarks.quality import report, run
from schema import command
from schema.errors import UserError

TRIALS: Final = "trials"
"""Marker in the document."""

RESULTS_FILE: Final = "tuner_results.json"
"""What the Tuner component writes: a list of trials with their values and their score."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _print_table(options))


def _print_table(options: argparse.Namespace) -> None:
    text = table(read(options.output.resolve()))
    if options.report:
        report.insert(options.report, TRIALS, text)
    print(text)


def read(output: Path) -> list[dict[str, Any]]:
    """The trials of the latest search: `trial_id`, `score` and each hyperparameter by name.

    Args:
        output: output directory of the run.

    Raises:
        UserError: nothing has run there, or no search is on record.
    """
    folder = run.latest(output, standard_artifacts.TunerResults.TYPE_NAME)
    if folder is None:
        raise UserError(f"{output}: no search is on record there. Run the pipeline with --tune.")
    found: list[dict[str, Any]] = json.loads((folder / RESULTS_FILE).read_text())
    return found


def table(trials: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table, best first; the first trial, number 0, is the defaults.

    Args:
        trials: see `read`; not empty.
    """
    best_first = sorted(trials, key=lambda trial: trial["score"], reverse=True)
    names = [name for name in best_first[0] if name not in ("trial_id", "score")]
    rows = [
        [str(int(trial["trial_id"])), f"{trial['score']:.4f}", *(_short(trial[n]) for n in names)]
        for trial in best_first
    ]
    head = ["trial", "mAP on the eval split", *(f"`{name}`" for name in names)]
    return "`python -m benchmarks.quality.trials`:\n\n" + report.table(head, rows)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.trials",
        description="The settings that the latest search of a run tried, best first.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="of the run")
    report.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
