"""One run on this machine: ingest, the pipeline's nodes, and a summary of the result."""

import json
import logging
import shlex
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from tfx import v1 as tfx

import ingest
from components.anomaly_gate.component import AcceptedStatistics
from components.anomaly_gate.decision import DataAnomaliesError
from components.evaluator.verdict import read_verdict, verdict_table
from components.pusher import versions
from components.resolvers import has_statistics
from ingest import IngestSummary
from metadata import read_history
from pipeline import config as configuration
from pipeline import failure_report, previous_search, provenance, runner
from pipeline.config import RunConfig
from pipeline.console import ProgressTable, print_lines
from pipeline.node_summary import summarize
from pipeline.pipeline import create_pipeline
from pipeline.runner import NodeResult, NodeStatus
from report.page import format_aggregates, with_corrected
from schema import files
from schema.errors import ExitStatus, TryAgainError, UserError
from schema.names import (
    DEFAULT_OUTPUT,
    MODEL_REPORT_FILE,
    OUTCOME_PROPERTY,
    PUSHED_DESTINATION_PROPERTY,
    PUSHED_PROPERTY,
    PUSHED_VERSION_PROPERTY,
    REASON_PROPERTY,
    VERDICT_FILE,
    Node,
)
from schema.wording import count, duration
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
    started: float,
) -> ExitStatus:
    """Run the pipeline and print its progress and result.

    Args:
        data: Path. Directory with IMDb's dumps and plots.
        output: Path. Directory for all files that the run writes.
        config_files: Sequence of Path. YAML files with settings.
        options: Mapping from str. Further options of `pipeline.config.load`.
        log_file: Path of the run's log.
        console: Console for messages to the user. All other output goes to the log.
        interrupted: Event that is set once the user has interrupted the run.
        started: Float. Time at which the run began, in seconds since the epoch.

    Returns:
        The exit status.

    Raises:
        UserError: The configuration, the data or the input of a component is invalid.
        TryAgainError: The disk is full.
    """
    ended: list[NodeResult] = []
    movies: IngestSummary | None = None
    progress = ProgressTable(console)
    try:
        with console.status("Reading the configuration …"):
            loaded = configuration.load(data.resolve(), output, config_files, **options)
            config, notes = previous_search.apply_latest_search(loaded)
            if config.hparams.has_sentence_encoder:
                ENCODERS[config.hparams.sentence_encoder].check_installed()
            notes = (*notes, *versions.faults(config.model_directory))
            token = versions.destination_token(config.model_directory)
            if config.from_node is not None:
                runner.require_node(create_pipeline(config, token), config.from_node)
            notes = (*notes, *_missing_statistics(config))
        source = ("table", config.ingest.table) if config.ingest.table else ("data", config.data)
        for name, path in (source, ("output", output), ("log", log_file)):
            print_lines(console, f"{name:<8}{path}")
        print_lines(console, *(f"note: {note}" for note in notes), "")
        with progress.live():
            movies = _run_ingest(config, progress, interrupted)
            config = configuration.with_genres(config, list(movies.genres))
            pipeline = create_pipeline(config, token)
            _run_nodes(config, pipeline, progress, log_file, ended, interrupted)
        return _print_result(config, console, movies, ended, log_file, started)
    except Exception as error:
        if interrupted.is_set():
            raise
        if isinstance(error, DataAnomaliesError):
            error = error.with_output(output)
        reasons = failure_report.error_lines(error, log_file)
        if movies is not None and ended:
            try:
                with console.status("Writing the report …"):
                    page = failure_report.render(config, pipeline, movies, ended, error, reasons)
                    files.atomic_write_text(log_file.with_suffix(".html"), page)
                print_lines(console, f"report  {log_file.with_suffix('.html')}")
            except Exception:
                log.exception("the report of the run could not be written")
        if isinstance(error, DataAnomaliesError):
            print_lines(console, *reasons, title="stopped: the data have anomalies")
            return ExitStatus.ANOMALIES
        if isinstance(error, UserError):
            raise
        log.exception("the run failed")
        written = (output, config.model_directory, Path(tempfile.gettempdir()))
        if full := failure_report.full_directory(error, written):
            raise TryAgainError(
                f"no space is left in {full}. Free some space and run the same command again."
            ) from error
        print_lines(console, *reasons, title="failed:")
        return ExitStatus.FAILED


def _missing_statistics(config: RunConfig) -> list[str]:
    """Return a note if the statistics that this run's are compared with were deleted.

    Raises:
        UserError: ML Metadata is damaged, or was deleted although there are artifacts.
    """
    if not config.metadata.exists() or not config.metadata.stat().st_size:
        if any(config.artifacts.glob("*/*/[0-9]*")):
            raise UserError(
                f"{config.metadata}: the database of ML Metadata is missing or empty, but "
                f"{config.artifacts} contains artifacts of earlier runs. Restore it from a copy, "
                f"or choose another --output. Or move {config.artifacts} away to begin anew."
            )
        return []
    accepted = [
        artifact
        for artifact in read_history(config.metadata).artifacts.values()
        if artifact.type == AcceptedStatistics.TYPE_NAME
    ]
    newest = max(accepted, key=lambda artifact: artifact.id, default=None)
    if newest is None or has_statistics(newest.uri):
        return []
    return [
        f"the accepted statistics {newest.uri} no longer exist. Drift is measured from the newest "
        "that still exist; if there are none, this run's data become the reference."
    ]


def _run_ingest(
    config: RunConfig, progress: ProgressTable, interrupted: threading.Event
) -> IngestSummary:
    def update(name: str, done: int, total: int) -> None:
        progress.update_step(f"{name} {done / total:.0%}" if total else name)

    progress.start_step("ingest")
    try:
        report = ingest.build(config.data, config.movies, config.ingest, update)
    except BaseException:
        progress.update_step("")
        progress.stop_step(interrupted=interrupted.is_set())
        raise
    dropped = sum(report.dropped.values())
    rejected = sum(sum(reasons.values()) for reasons in report.rejected.values())
    progress.end_step(
        "cached" if report.reused else "done",
        f"{count(report.movies, 'movie')} of {count(report.titles, 'title')} "
        f"({dropped:,} dropped, {count(rejected, 'line')} rejected{_corrections(report)})",
    )
    return report


def _corrections(report: IngestSummary) -> str:
    counts = report.corrections
    if not counts:
        return ""
    rejected = sum(number for result, number in counts.items() if result.startswith("rejected"))
    return f"; {count(counts['applied'], 'correction')} applied, {rejected:,} rejected"


def _run_nodes(
    config: RunConfig,
    pipeline: tfx.dsl.Pipeline,
    progress: ProgressTable,
    log_file: Path,
    ended: list[NodeResult],
    interrupted: threading.Event,
) -> None:
    """Run the nodes; append each result to `ended` and to a JSON file beside the log."""
    record: list[dict[str, object]] = []

    def on_end(result: NodeResult) -> None:
        ended.append(result)
        progress.end_step(result.status.value, summarize(result))
        # `benchmarks.pipeline` assigns its memory samples to nodes by their start times.
        record.append(
            {
                "node": result.node,
                "status": result.status.value,
                "started": round(time.time() - result.seconds, 2),
                "seconds": round(result.seconds, 2),
            }
        )
        files.atomic_write_text(log_file.with_suffix(".json"), json.dumps(record, indent=1) + "\n")

    config.copy_schema()
    runner.run(
        pipeline,
        progress.start_step,
        on_end,
        config.from_node,
        force_search=config.force_search,
        interrupted=interrupted,
        properties=provenance.collect(),
    )


def _print_result(
    config: RunConfig,
    console: Console,
    movies: IngestSummary,
    results: Sequence[NodeResult],
    log_file: Path,
    started: float,
) -> ExitStatus:
    """Print the result of a complete run; the reasons of a refusal come last."""
    nodes = {result.node: result for result in results}
    blessing = nodes[Node.EVALUATOR].outputs["blessing"]
    verdict = read_verdict(blessing)
    console.print()
    console.print(verdict_table(verdict))
    print_lines(
        console,
        f"on the test split: {format_aggregates(verdict.aggregates)}",
        *filter(None, [with_corrected(verdict)]),
        *(f"note: {note}" for note in verdict.notes),
        f"movies  {movies.movies:,} in {config.movies}",
        f"verdict {blessing / VERDICT_FILE}",
        f"report  {nodes[Node.MODEL_REPORT].outputs['report'] / MODEL_REPORT_FILE}",
        f"log     {log_file}",
        f"time    {duration(time.time() - started)}",
    )
    if Node.LABELLER in nodes:
        print_lines(console, f"labels  {nodes[Node.LABELLER].outputs['labels']}")
    pushed = nodes[Node.PUSHER].properties["pushed_model"]
    if pushed.get(PUSHED_PROPERTY):
        print_lines(
            console,
            f"model   {pushed[PUSHED_DESTINATION_PROPERTY]}",
            _next_commands(config.output, "report", "serve"),
        )
        # If the Pusher's result comes from the cache, an earlier run pushed the model.
        is_cached = nodes[Node.PUSHER].status is NodeStatus.CACHED
        outcome = "unchanged" if is_cached else pushed[OUTCOME_PROPERTY]
        console.print(f"{outcome}: version {pushed[PUSHED_VERSION_PROPERTY]}", style="bold green")
        return ExitStatus.OK
    print_lines(
        console,
        f"model   not pushed; {config.model_directory} is unchanged",
        _next_commands(config.output, "report"),
    )
    if not verdict.blessed:
        print_lines(console, *verdict.reasons, title="not blessed by the gate:")
    else:
        tested = nodes[Node.SMOKE_TEST].properties["blessing"]
        reason = tested.get(REASON_PROPERTY) or pushed.get(REASON_PROPERTY)
        print_lines(console, *str(reason).splitlines(), title="not pushed:")
    return ExitStatus.REFUSED


def _next_commands(output: Path, *subcommands: str) -> str:
    """Return a line with the commands that continue with the output of a run."""
    here = Path.cwd()
    shown = output.relative_to(here) if output.is_relative_to(here) else output
    arguments = "" if shown == DEFAULT_OUTPUT else f" --output {shlex.quote(str(shown))}"
    commands = [f"`ordained {subcommand}{arguments}`" for subcommand in subcommands]
    return f"next    {' or '.join(commands)}"


def clear_unfinished(output: Path, since: float) -> None:
    """Delete the partial outputs of an interrupted run.

    Args:
        output: Output directory of the run.
        since: Time at which the run began, in seconds since the epoch.
    """
    config = RunConfig(data=output, output=output)
    if config.metadata.exists():
        connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.metadata)
        )
        runner.clear_unfinished(connection, config.artifacts, interrupted_since=since)
