"""Table of the trials of the latest hyperparameter search, best first.

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

TRIALS_MARKER: Final = "trials"

RESULTS_FILE: Final = "tuner_results.json"
"""Name of the JSON file in which the Tuner writes its trials."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit status."""
    parser = tables.command_parser(
        "benchmarks.quality.trials",
        "Print a table of the trials of the latest hyperparameter search.",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="output directory of the run"
    )
    options = parser.parse_args(arguments)
    return command.run(
        lambda: tables.publish(
            {TRIALS_MARKER: trials_table(read_trials(options.output))}, options.report
        )
    )


def read_trials(output: Path) -> list[dict[str, Any]]:
    """Read the trials of the latest search.

    Returns:
        List of dicts with `trial_id`, `score` and each hyperparameter by name.

    Raises:
        UserError: The output directory has no search.
    """
    try:
        directory = PastRuns(output).newest(Node.TUNER, "tuner_results").path
    except UserError as error:
        raise UserError(
            f"{output}: no run has searched hyperparameters. Run the pipeline with --tune."
        ) from error
    trials: list[dict[str, Any]] = json.loads((directory / RESULTS_FILE).read_text())
    return trials


def trials_table(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of at least one trial; trial 0 has the defaults."""
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
