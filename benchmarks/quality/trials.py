"""The settings that the latest search of hyperparameters tried, best first.

python -m benchmarks.quality.trials --output runs/imdb --report docs/quality.md
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import tables
from pipeline.past_runs import PastRuns
from schema import command
from schema.errors import UserError
from schema.names import Node

TRIALS: Final = "trials"
"""Marker in the document."""

RESULTS_FILE: Final = "tuner_results.json"
"""What the Tuner component writes: a list of trials with their values and their score."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = tables.parser(
        "benchmarks.quality.trials", "The settings that the latest search of a run tried."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="of the run")
    options = parser.parse_args(arguments)
    return command.run(
        lambda: tables.publish({TRIALS: table(read(options.output))}, options.report)
    )


def read(output: Path) -> list[dict[str, Any]]:
    """The trials of the latest search: `trial_id`, `score` and each hyperparameter by name.

    Raises:
        UserError: no search is on record in this output directory.
    """
    try:
        folder = PastRuns(output).newest(Node.TUNER, "tuner_results").path
    except UserError as error:
        raise UserError(
            f"{output}: no search is on record there. Run the pipeline with --tune."
        ) from error
    found: list[dict[str, Any]] = json.loads((folder / RESULTS_FILE).read_text())
    return found


def table(trials: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of at least one trial; number 0, the first, is the defaults."""
    best_first = sorted(trials, key=lambda trial: trial["score"], reverse=True)
    names = [name for name in best_first[0] if name not in ("trial_id", "score")]
    rows = [
        [
            str(int(trial["trial_id"])),
            f"{trial['score']:.4f}",
            *(f"{value:g}" if isinstance(value, float) else str(value) for value in values),
        ]
        for trial in best_first
        for values in [[trial[name] for name in names]]
    ]
    head = ["trial", "mAP on the eval split", *(f"`{name}`" for name in names)]
    return f"`python -m benchmarks.quality.trials`:\n\n{tables.table(head, rows)}"


if __name__ == "__main__":
    sys.exit(main())
