"""The command line: `python -m benchmarks.quality --help`."""

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.origin import origin
from pipeline.console import import_tensorflow
from schema import command
from schema import features as raw
from schema.errors import ExitStatus, UserError

if TYPE_CHECKING:
    from benchmarks.quality.comparison import Outcome
    from benchmarks.quality.features import View
    from benchmarks.quality.films import Films
    from pipeline.console import Board

PROJECT: Final = Path(__file__).resolve().parents[2]
SEED: Final = 1

COMPARISON, ANALYSIS = "comparison", "analysis"
"""Markers in the document."""

CONFUSIONS: Final = 15
DOUBTS: Final = 15


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; returns the exit status, that of the pipeline where it failed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # The options name the arms, whose module imports TensorFlow.
    import_tensorflow()
    options = _parser().parse_args(arguments)
    return command.run(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    """Make the run if there is none, compare, and print and insert the tables."""
    from benchmarks.quality import report, run

    output = options.output.resolve()
    if options.report:
        # A mistake in the document ends the command before the work.
        for name in (COMPARISON, ANALYSIS):
            report.around(options.report, name)
    model = run.served_model(output)
    if model is None:
        print(f"{output}: no model is served from there; the pipeline runs first", flush=True)
        if status := run.make(options.data, output):
            return status
        model = run.served_model(output)
    if model is None:
        raise UserError(f"{output}: the run has pushed no model")
    texts = _texts(model, run.examples_of(model, output), output, options.arms)
    if options.report:
        for name, text in texts.items():
            report.insert(options.report, name, text)
    print(*texts.values(), sep="\n\n")
    return ExitStatus.OK


def _texts(model: Path, examples: Path, output: Path, arms: Sequence[str]) -> dict[str, str]:
    """The comparison and the analysis, in Markdown."""
    from rich.console import Console

    from benchmarks.quality import comparison, films, leakage, report
    from benchmarks.quality.features import JUDGED
    from pipeline.config import RunConfig
    from pipeline.console import Board, quiet

    heading = origin("benchmarks.quality")
    log = f"quality-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    with quiet(RunConfig(data=output, output=output).logs / log) as screen:
        board = Board(Console(file=screen, highlight=False, markup=False))
        with board.shown():
            board.begin("films")
            splits = films.of_run(examples)
            found = leakage.leakage(splits)
            views = films.views(splits)
            board.end("done", ", ".join(f"{len(some):,} {name}" for name, some in splits.items()))
            outcomes = _baselines(arms, splits, views, output / "quality", board)
            board.begin("the pipeline's model")
            outcomes[report.MODEL] = comparison.judge_model(model, views, board.progress)
            board.end("done", f"version {model.name}")
            board.begin("report")
            labels = views[JUDGED].labels
            texts = {
                COMPARISON: f"{heading}:\n\n{report.comparison(labels, outcomes, found, SEED)}",
                ANALYSIS: _analysis(splits, views, outcomes),
            }
            board.end("done", "")
    return texts


def _baselines(
    arms: Sequence[str],
    splits: Mapping[str, "Films"],
    views: Mapping["View", "Films"],
    folder: Path,
    board: "Board",
) -> dict[str, "Outcome"]:
    """Fit and judge the baselines, or read what was kept of them."""
    from benchmarks.quality import comparison
    from benchmarks.quality.features import Features, Sentences

    kept = folder / _digest(splits)

    @cache
    def features() -> Features:
        return Features(views, Sentences(folder, board.progress), SEED)

    outcomes = {}
    for arm in arms:
        board.begin(arm)
        fitted, known = comparison.fit(arm, features, kept)
        outcomes[arm] = comparison.judge(arm, fitted, views)
        board.end("cached" if known else "done", outcomes[arm].title.replace("**", ""))
    return outcomes


def _digest(splits: Mapping[str, "Films"]) -> str:
    """Names the films and the code that the baselines' results depend on."""
    from schema.fingerprint import fingerprint

    code = fingerprint(
        "benchmarks.quality.arms",
        "benchmarks.quality.features",
        "benchmarks.quality.films",
    )
    digest = hashlib.sha256(f"{code} {SEED}".encode())
    for films in splits.values():
        for name in raw.CSV_COLUMNS:
            digest.update(repr(films[name].tolist()).encode())
    return digest.hexdigest()[:16]


def _analysis(
    splits: Mapping[str, "Films"],
    views: Mapping["View", "Films"],
    outcomes: Mapping[str, "Outcome"],
) -> str:
    """What the model's predictions and the labels say, in Markdown."""
    from benchmarks.quality import analysis, films, leakage, report
    from benchmarks.quality.features import JUDGED
    from ingest.split_key import WINDOW

    test = views[JUDGED]
    of_model = outcomes[report.MODEL].predictions[films.ALL_FIELDS]
    everything = films.together(splits)
    shared = {
        f"a stretch of {WINDOW} words of the plot in common": leakage.windows(everything),
        "the same title stem": leakage.stems(everything),
    }
    shown = [arm for arm in (report.PRACTITIONER, report.MODEL) if arm in outcomes]
    return report.analysis(
        analysis.confusions(test.labels, of_model.decided, CONFUSIONS),
        {
            "Not listed, and the model is sure of them:": analysis.doubts(
                test, of_model.probabilities, False, DOUBTS
            ),
            "Listed, and the model is sure of the contrary:": analysis.doubts(
                test, of_model.probabilities, True, DOUBTS
            ),
        },
        analysis.slices(test, {arm: outcomes[arm].predictions[films.ALL_FIELDS] for arm in shown}),
        {name: analysis.agreement(everything, keys, SEED) for name, keys in shared.items()},
        everything.labels,
    )


def _parser() -> argparse.ArgumentParser:
    from benchmarks.quality import report
    from benchmarks.quality.arms import ORDER

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description="Compare the served model of a run with baselines on the run's own splits.",
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
        help="output directory of the run; the baselines' results are kept there too "
        "(default: output)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=ORDER,
        default=ORDER,
        metavar="ARM",
        help=f"baselines to compare with (default: all): {', '.join(ORDER)}",
    )
    report.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
