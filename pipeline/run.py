"""One run of the pipeline on this machine: ingest, then the nodes, then what came of it."""

import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from tfx import v1 as tfx

import ingest
from components.anomaly_gate.decision import DataAnomaliesError
from components.evaluator.verdict import read_verdict, verdict_table
from components.pusher import versions
from ingest import IngestSummary
from pipeline import config as configuration
from pipeline import earlier_search, failure, runner
from pipeline.config import RunConfig
from pipeline.console import Board, print_lines
from pipeline.outcomes import describe
from pipeline.pipeline import create_pipeline
from pipeline.runner import NodeResult, Status
from schema import files
from schema.errors import ExitStatus, TryAgainError, UserError
from schema.names import (
    MODEL_REPORT_FILE,
    OUTCOME_PROPERTY,
    PUSHED_DESTINATION_PROPERTY,
    PUSHED_PROPERTY,
    PUSHED_VERSION_PROPERTY,
    REASON_PROPERTY,
    VERDICT_FILE,
    Node,
)
from trainer.encoder.pretrained import ENCODERS

log = logging.getLogger(__name__)


def run(
    data: Path,
    output: Path,
    config_files: Sequence[Path],
    options: Mapping[str, Any],
    log_file: Path,
    console: Console,
    interrupted: threading.Event,
) -> ExitStatus:
    """Run the pipeline and print what happens.

    Args:
        data: Path. Directory with IMDb's dumps and plots.
        output: Path. Directory for everything that the run makes.
        config_files: Sequence of Path. YAML files with settings.
        options: Mapping from str. Further options of `pipeline.config.load`.
        log_file: Path of the run's log.
        console: Console for what a person should see; all other output goes to the log.
        interrupted: Event that is set once the user has interrupted the run.

    Raises:
        UserError: The configuration, the data or a component's input is wrong.
        TryAgainError: The disk is full.
    """
    ended: list[NodeResult] = []
    movies: IngestSummary | None = None
    board = Board(console)
    try:
        with console.status("reading the settings …"):
            loaded = configuration.load(data.resolve(), output, config_files, **options)
            config, notes = earlier_search.resolved(loaded)
            if config.hparams.has_sentence_encoder:
                ENCODERS[config.hparams.sentence_encoder].check_installed()
            token = versions.destination_token(config.model_directory)
            pipeline = create_pipeline(config, token)
            if config.from_node is not None:
                runner.require_node(pipeline, config.from_node)
        for name, path in (("data", config.data), ("output", output), ("log", log_file)):
            print_lines(console, f"{name:<8}{path}")
        print_lines(console, *(f"note: {note}" for note in notes), "")
        with board.shown():
            movies = _ingest(config, board)
            _nodes(config, pipeline, board, log_file, ended)
        return _show(config, console, movies, ended, log_file)
    except Exception as error:
        if interrupted.is_set():
            raise
        reasons = failure.reasons(error, log_file)
        if movies is not None and ended:
            try:
                with console.status("writing the report …"):
                    page = failure.render(config, pipeline, movies, ended, error, reasons)
                    files.atomic_write_text(log_file.with_suffix(".html"), page)
                print_lines(console, f"report  {log_file.with_suffix('.html')}")
            except Exception:
                log.exception("there is no report of the run")
        if isinstance(error, DataAnomaliesError):
            print_lines(console, *reasons, title="stopped: the data have anomalies")
            return ExitStatus.ANOMALIES
        if isinstance(error, UserError):
            raise
        log.exception("the run failed")
        if failure.is_full_disk(error):
            raise TryAgainError(
                f"{output}: no space is left on the disk; make room and run the same command again"
            ) from error
        print_lines(console, *reasons, title="failed:")
        return ExitStatus.FAILED


def _ingest(config: RunConfig, board: Board) -> IngestSummary:
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
        f"{report.movies:,} movies of {report.titles:,} titles "
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
    """Run the DAG; `ended` gets each node that ends, and so does a record beside the log."""
    record: list[dict[str, object]] = []

    def end(result: NodeResult) -> None:
        ended.append(result)
        board.end(result.status.value, describe(result))
        # The start is recorded too, for whoever watches the process from outside.
        record.append(
            {
                "node": result.node,
                "status": result.status.value,
                "started": round(time.time() - result.seconds, 2),
                "seconds": round(result.seconds, 2),
            }
        )
        files.atomic_write_text(log_file.with_suffix(".json"), json.dumps(record, indent=1) + "\n")

    if not config.schema_file.exists():
        config.schema_file.parent.mkdir(parents=True, exist_ok=True)
        files.atomic_write_text(
            config.schema_file, config.curated_schema.read_text(encoding="utf-8")
        )
    runner.run(pipeline, board.begin, end, config.from_node, search_anew=config.search_anew)


def _show(
    config: RunConfig,
    console: Console,
    movies: IngestSummary,
    results: Sequence[NodeResult],
    log_file: Path,
) -> ExitStatus:
    """Print what came of a run whose nodes all ended, the reason of a refusal last."""
    node = {result.node: result for result in results}
    blessing = node[Node.EVALUATOR].outputs["blessing"]
    verdict = read_verdict(blessing)
    console.print()
    console.print(verdict_table(verdict))
    aggregates = ", ".join(
        f"{name.replace('_', ' ')} {value:.3f}" for name, value in verdict.aggregates.items()
    )
    print_lines(
        console,
        f"on the test split: {aggregates}",
        *(f"note: {note}" for note in verdict.notes),
        f"movies  {movies.movies:,} in {config.movies}",
        f"verdict {blessing / VERDICT_FILE}",
        f"report  {node[Node.MODEL_REPORT].outputs['report'] / MODEL_REPORT_FILE}",
        f"log     {log_file}",
    )
    pushed = node[Node.PUSHER].properties["pushed_model"]
    if pushed.get(PUSHED_PROPERTY):
        print_lines(console, f"model   {pushed[PUSHED_DESTINATION_PROPERTY]}")
        # A push out of the cache was made by an earlier run.
        is_cached = node[Node.PUSHER].status is Status.CACHED
        outcome = "unchanged" if is_cached else pushed[OUTCOME_PROPERTY]
        console.print(f"{outcome}: version {pushed[PUSHED_VERSION_PROPERTY]}", style="bold green")
        return ExitStatus.OK
    print_lines(console, f"model   not pushed; {config.model_directory} is as it was")
    if not verdict.blessed:
        print_lines(console, *verdict.reasons, title="refused by the gate:")
    else:
        tested = node[Node.SMOKE_TEST].properties["blessing"]
        reason = tested.get(REASON_PROPERTY) or pushed.get(REASON_PROPERTY)
        print_lines(console, *str(reason).splitlines(), title="not pushed:")
    return ExitStatus.REFUSED


def clear_unfinished(output: Path) -> None:
    """Delete what an interruption left half-written now, not at the next run."""
    config = RunConfig(data=output, output=output)
    if config.metadata.exists():
        connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata)
        )
        runner.clear_unfinished(connection, config.artifacts)
