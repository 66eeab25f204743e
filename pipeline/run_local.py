"""Runs the whole pipeline on this machine: `python pipeline/run_local.py --help`."""

# Not evaluated, the annotations let a Python that is too old for the project say so.
from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

PROJECT: Final = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    # As a script its own folder is first on the path, where `pipeline` would not be found as a
    # package.
    sys.path[0] = str(PROJECT)

if TYPE_CHECKING:
    from rich.console import Console
    from tfx import v1 as tfx

    from components.gate import Verdict
    from ingest import IngestReport
    from pipeline.config import RunConfig
    from pipeline.console import Board
    from pipeline.runner import NodeResult

SAMPLE: Final = PROJECT / "data" / "sample"

PUSHED, CRASHED, USER_ERROR, REFUSED, ANOMALIES, INTERRUPTED = 0, 1, 2, 3, 4, 130

INTERRUPT_AGAIN_SECONDS: Final = 2.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)

EPILOG: Final = """\
exit status:
  0    the model is in the serving directory (or was there already)
  1    a node crashed; the log says where
  2    a mistake in the input, the configuration or the flags
  3    the model was not pushed: refused by the gate or the canary, or
       rolled back before
  4    the data have anomalies
  130  interrupted; the same command goes on

examples:
  python pipeline/run_local.py
  python pipeline/run_local.py --data imdb/ --output runs/imdb --tune
  python pipeline/run_local.py --from Trainer
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline; returns the exit status (see `EPILOG`)."""
    options = _parser().parse_args(arguments)
    if not all(importlib.util.find_spec(name) for name in ("tfx", "rich", "yaml", "duckdb")):
        print(
            "error: this Python has no TFX: run `make setup`, then "
            "`.venv/bin/python pipeline/run_local.py` (or `make run`); without a checkout, install "
            "ordained[train]",
            file=sys.stderr,
        )
        return USER_ERROR
    output = options.output.resolve()
    log_file = output / "logs" / f"run-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005 (local time for people)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # Until TFX is imported the console is all there is: its imports take seconds and print a lot.
    from rich.console import Console

    from pipeline.console import quiet
    from schema.errors import UserError

    try:
        _require_directory(options.data)
        output.mkdir(parents=True, exist_ok=True)
        with _only_run(output), quiet(log_file) as screen, _interruptible() as interrupted:
            console = Console(file=screen, highlight=False, markup=False)
            return _run(options, output, log_file, console, interrupted)
    except OSError as error:
        print(f"error: {error.filename or output}: {error.strerror}", file=sys.stderr)
        return USER_ERROR
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(
    options: argparse.Namespace,
    output: Path,
    log_file: Path,
    console: Console,
    interrupted: threading.Event,
) -> int:
    """The run itself, everything but the console's lines already sent to the log."""
    from schema.errors import UserError

    begun = False
    try:
        with console.status("starting (TensorFlow takes a few seconds) …"):
            from components.anomaly_gate import AnomaliesFound
            from pipeline import config as configuration
            from pipeline.console import Board

            config = configuration.load(
                options.data.resolve(),
                output,
                options.config,
                tune=options.tune,
                cache=options.cache,
                from_node=options.from_node,
                reset_baseline=options.reset_baseline,
                accept_drift=options.accept_drift,
                republish=options.republish,
            )
            pipeline = _pipeline(config)
        for name, path in (("data", config.data), ("output", output), ("log", log_file)):
            _lines(console, f"{name:<8}{path}")
        console.print()
        board = Board(console)
        begun = True
        ended: list[NodeResult] = []
        try:
            with board.shown():
                movies = _ingest(config, board)
                _nodes(config, pipeline, board, log_file, ended)
        except Exception as error:
            if ended and not interrupted.is_set():
                with console.status("writing the report …"):
                    reported = _report(config, pipeline, movies, ended, error, log_file)
                _lines(console, *(f"report  {path}" for path in reported))
            if not isinstance(error, AnomaliesFound):
                raise
            _lines(console, *str(error).splitlines(), title="stopped: the data have anomalies")
            return ANOMALIES
        return _summary(config, console, movies, ended, log_file)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or interrupted.is_set():
            # Some libraries turn an interruption into an error of their own.
            _ignore_signals()
            if begun:
                _clear(output)
            _lines(console, "", "interrupted; the same command goes on from the last node done")
            return INTERRUPTED
        if isinstance(error, UserError):
            raise
        logging.getLogger(__name__).exception("the run failed")
        _lines(console, *_reasons(error, log_file), title="failed:")
        return CRASHED


def _pipeline(config: RunConfig) -> tfx.dsl.Pipeline:
    """The pipeline; what is wrong with `--from` or not installed is found before anything runs.

    Raises:
        UserError: there is no such node, or no such sentence encoder here.
    """
    from components import versions
    from pipeline import dag, runner
    from trainer.encoder.pretrained import ENCODERS

    if config.hparams.reads_sentences:
        ENCODERS[config.hparams.sentence_encoder].require()
    token = versions.destination_token(config.model_directory)
    pipeline = dag.create_pipeline(config, token)
    if config.from_node is not None:
        runner.require_node(pipeline, config.from_node)
    return pipeline


def _ingest(config: RunConfig, board: Board) -> IngestReport:
    import ingest

    def progress(name: str, done: int, total: int) -> None:
        board.progress(f"{name} {done / total:.0%}" if total else name)

    board.begin("ingest")
    try:
        report = ingest.build(config.data, config.movies, config.ingest, progress)
    except BaseException:
        board.end("failed", "")
        raise
    dropped = sum(report.dropped.values())
    rejected = sum(sum(reasons.values()) for reasons in report.rejected.values())
    board.end(
        "cached" if report.reused else "done",
        f"{report.movies:,} films of {report.titles:,} titles "
        f"({dropped:,} dropped, {rejected:,} lines rejected)",
    )
    return report


def _nodes(
    config: RunConfig,
    pipeline: tfx.dsl.Pipeline,
    board: Board,
    log_file: Path,
    ended: list[NodeResult],
) -> None:
    """Run the DAG; a record of its nodes and their times stands beside the log.

    Args:
        config: of the run.
        pipeline: its DAG.
        board: shows each node.
        log_file: of the run.
        ended: gets each node as it ends, also the one that fails.
    """
    from pipeline import runner
    from pipeline.outcomes import describe

    class Reporter:
        def started(self, node: str) -> None:
            board.begin(node)

        def finished(self, result: NodeResult) -> None:
            ended.append(result)
            board.end(result.status.value, describe(result))
            # The start is told as well, for whoever watches the process from outside.
            record.append(
                {
                    "node": result.node,
                    "status": result.status.value,
                    "started": round(time.time() - result.seconds, 2),
                    "seconds": round(result.seconds, 2),
                }
            )
            record_file.write_text(json.dumps(record, indent=1) + "\n")

    record: list[dict[str, object]] = []
    record_file = log_file.with_suffix(".json")

    if not config.schema_file.exists():
        config.schema_file.parent.mkdir(parents=True, exist_ok=True)
        part = config.schema_file.with_suffix(".part")
        shutil.copyfile(config.curated_schema, part)
        part.rename(config.schema_file)
    runner.run(pipeline, Reporter(), config.from_node)


def _report(
    config: RunConfig,
    pipeline: tfx.dsl.Pipeline,
    movies: IngestReport,
    ended: list[NodeResult],
    error: Exception,
    log_file: Path,
) -> list[Path]:
    """Write the report of a run that a node ended beside its log.

    Returns:
        Its path; nothing where it cannot be written, on a disk that is full for instance.
    """
    from pipeline import failure

    path = log_file.with_suffix(".html")
    reasons = _reasons(error, log_file)
    try:
        path.write_text(
            failure.render(config, pipeline, movies, ended, error, reasons), encoding="utf-8"
        )
    except OSError:
        logging.getLogger(__name__).exception("there is no report of the run")
        path.unlink(missing_ok=True)
        return []
    return [path]


def _reasons(error: BaseException, log_file: Path) -> list[str]:
    """What went wrong, and where more of it is told; a mistake of the user is told whole."""
    from schema.errors import UserError

    if isinstance(error, UserError):
        return str(error).splitlines()
    last = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return [last[:300], f"the whole story is in {log_file}"]


def _summary(
    config: RunConfig,
    console: Console,
    movies: IngestReport,
    results: list[NodeResult],
    log_file: Path,
) -> int:
    """Print what came out, the reason of a refusal last."""
    from components.gate import VERDICT_FILE, read_verdict, verdict_table
    from components.report import REPORT_FILE

    node = {result.node: result for result in results}
    blessing = node["Evaluator"].outputs["blessing"]
    verdict = read_verdict(blessing)
    console.print()
    console.print(verdict_table(verdict))
    aggregates = ", ".join(
        f"{name.replace('_', ' ')} {value:.3f}" for name, value in verdict.aggregates.items()
    )
    _lines(console, f"on the test split: {aggregates}")
    _lines(console, *(f"note: {note}" for note in verdict.notes))
    found = node.get("BestHyperparameters")
    if found and found.outputs:
        _lines(
            console,
            "note: the model was trained with the best hyperparameters of an earlier search "
            "(--tune searches anew)",
        )
    _lines(
        console,
        f"movies  {movies.movies:,} in {config.movies}",
        f"verdict {blessing / VERDICT_FILE}",
        f"report  {node['ModelReport'].outputs['report'] / REPORT_FILE}",
        f"log     {log_file}",
    )
    return _outcome(config, console, verdict, node["Pusher"], node["Canary"])


def _outcome(
    config: RunConfig,
    console: Console,
    verdict: Verdict,
    pusher: NodeResult,
    canary: NodeResult,
) -> int:
    pushed = pusher.properties["pushed_model"]
    if pushed.get("pushed"):
        _lines(console, f"model   {pushed['pushed_destination']}")
        # A push out of the cache was made by an earlier run.
        outcome = "unchanged" if pusher.status == "cached" else pushed["outcome"]
        console.print(f"{outcome}: version {pushed['pushed_version']}", style="bold green")
        return PUSHED
    _lines(console, f"model   not pushed; {config.model_directory} is as it was")
    if verdict.blessed:
        reasons = str(
            canary.properties["blessing"].get("reason") or pushed.get("reason")
        ).splitlines()
        _lines(console, *reasons, title="not pushed:")
    else:
        _lines(console, *verdict.reasons, title="refused by the gate:")
    return REFUSED


def _lines(console: Console, *lines: str, title: str = "") -> None:
    """Print lines, wrapped between words on a terminal only: elsewhere each stays one line.

    Args:
        console: where to.
        lines: whose text is taken as it is.
        title: a line in red before them.
    """
    if title:
        console.print(f"\n{title}", style="bold red")
    for line in lines:
        console.print(f"  {line}" if title else line, soft_wrap=not console.is_terminal)


def _clear(output: Path) -> None:
    """What an interruption left half-written is deleted now, not at the next run."""
    from pipeline import config as configuration
    from pipeline import runner

    config = configuration.RunConfig(data=output, output=output)
    if config.metadata.exists():
        from tfx import v1 as tfx

        connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata)
        )
        runner.clear_unfinished(connection, config.artifacts)


@contextlib.contextmanager
def _only_run(output: Path) -> Iterator[None]:
    """Hold the output directory's lock; it goes with the process, however that ends."""
    from schema.errors import UserError

    with (output / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{output}: another run is at work here; wait for it or choose another --output"
            ) from error
        yield


def _require_directory(data: Path) -> None:
    from schema.errors import UserError

    if not data.is_dir():
        raise UserError(f"{data}: no such directory; --data wants a folder with IMDb's dumps")


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Make SIGTERM a KeyboardInterrupt, as SIGINT is; the event tells that either has come.

    One that is raised in a destructor, say, is lost; so it is raised again until the run ends.
    """
    interrupted = threading.Event()

    def interrupt(signum: int, frame: object) -> None:
        del signum, frame
        interrupted.set()
        signal.setitimer(signal.ITIMER_REAL, INTERRUPT_AGAIN_SECONDS)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield interrupted
    finally:
        _ignore_signals()
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """What is being cleared after one interruption is not to be left half-cleared by another."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _parser() -> argparse.ArgumentParser:
    from pipeline.options import add_config

    parser = argparse.ArgumentParser(
        prog="run_local.py",
        description="From IMDb dumps to a served genre model: ingest, check, transform, train,\n"
        "judge and push.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=SAMPLE,
        metavar="DIR",
        help="folder with title.basics, title.ratings, title.crew, title.principals, name.basics "
        "and plots (default: the bundled sample)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="folder for everything that the run makes (default: output)",
    )
    add_config(parser)
    parser.add_argument(
        "--tune",
        action=argparse.BooleanOptionalAction,
        help="search hyperparameters; without it the best ones of the latest search are used",
    )
    parser.add_argument(
        "--no-cache", dest="cache", action="store_false", help="run every node, changed or not"
    )
    parser.add_argument(
        "--from",
        dest="from_node",
        metavar="NODE",
        help="run this node and what depends on it again, whatever the cache holds",
    )
    parser.add_argument(
        "--reset-baseline",
        action="store_true",
        help="do not compare with the last blessed model, once",
    )
    parser.add_argument(
        "--accept-drift",
        action="store_true",
        help="take data unlike the last as the new reference, once",
    )
    parser.add_argument(
        "--republish",
        action="store_true",
        help="push a model that was rolled back before, once",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
