"""`ordained label`: find the model and the movies, label them, and say what was written."""

import json
import logging
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

import ingest
import metadata
from components.labeller.inference import Model, Source
from components.labeller.job import LabelJob, Progress, delete_parts, unlabelled_shards
from pipeline import config as configuration
from pipeline import failure_report
from pipeline.config import RunConfig
from pipeline.console import ProgressTable, print_lines
from pipeline.folds import folds_directory, train_folds
from pipeline.served_model import find_model, trained_hparams
from schema import features as raw
from schema.errors import ExitStatus, TryAgainError, UserError
from schema.genres import read_genres
from schema.names import (
    INGEST_SUMMARY_FILE,
    LABEL_DIRECTORY,
    METADATA_FILE,
    MOVIES_DIRECTORY,
    Split,
)
from schema.versions import parse_version
from schema.wording import count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelRequest:
    """What to label, and where to write it.

    Attributes:
        data: Directory with IMDb's dumps and plots, with the table, or with the movies that ingest
            has built.
        runs: Output directory of the runs.
        config_files: YAML files with settings.
        table: Single table, which overrides `ingest.table`.
        columns: Columns of the table by field, which override those of `ingest.columns`.
        model: SavedModel, or directory of its versions; None is the served model of `runs`.
        output: Table of the movies without genres; None writes none.
        doubts: Table of the movies whose genres the model doubts; None writes none.
        without_plot: Whether to label movies without plot that have a title and people.
        folds: Number of folds of all movies whose genres are doubted; 0 doubts only those of the
            eval and test splits, and trains no model.
    """

    data: Path
    runs: Path
    config_files: Sequence[Path] = ()
    table: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    model: Path | None = None
    output: Path | None = None
    doubts: Path | None = None
    without_plot: bool = False
    folds: int = 0


def run(
    request: LabelRequest, log_file: Path, console: Console, interrupted: threading.Event
) -> ExitStatus:
    """Write the tables of a request and print the progress and the result.

    Args:
        request: What to label.
        log_file: Path of the log.
        console: Console for messages to the user. All other output goes to the log.
        interrupted: Event that is set once the user has interrupted the command.

    Raises:
        UserError: The data, the model, a setting or a name of a file is wrong.
        TryAgainError: Another command writes the same table, or the disk is full.
    """
    progress = ProgressTable(console)
    try:
        with progress.live():
            try:
                lines = _label(request, progress)
            except BaseException:
                progress.stop_step(interrupted=interrupted.is_set())
                raise
    except Exception as error:
        if interrupted.is_set() or isinstance(error, UserError):
            raise
        log.exception("the movies could not be labelled")
        tables = [path.absolute().parent for path in (request.output, request.doubts) if path]
        written = (*tables, Path(tempfile.gettempdir()))
        if full := failure_report.full_directory(error, written):
            raise TryAgainError(
                f"no space is left in {full}. Free some space and run the same command again."
            ) from error
        print_lines(console, *failure_report.error_lines(error, log_file), title="failed:")
        return ExitStatus.FAILED
    print_lines(console, *lines)
    return ExitStatus.OK


def _label(request: LabelRequest, progress: ProgressTable) -> list[str]:
    """Write the tables and return lines that say what was written."""
    config = configuration.load(
        request.data,
        request.runs,
        request.config_files,
        table=request.table,
        columns=request.columns,
    )
    path = find_model(config.model_directory, request.model)
    model = Model(path, path.name)
    # The examples are looked up before the first table is written, since they may be missing.
    judged = []
    if request.doubts and not request.folds:
        judged = judged_sources(request.runs, config.model_directory, model)
    movies = request.data
    if request.output or request.folds:
        movies = _find_movies(request, config, progress)
    job = LabelJob(PipelineOptions(config.beam.arguments()), _StepPerFile(progress))
    lines = []
    if request.output:
        shards = unlabelled_shards(movies)
        counts = job.write_labels([Source(shard, model) for shard in shards], request.output)
        lines.append(
            f"{request.output}: {count(counts.movies, 'movie')}, {counts.unsure:,} of them unsure; "
            f"model version {model.version}"
        )
    if request.doubts:
        if request.folds:
            used = config.model_copy(update={"hparams": trained_hparams(path)})
            used = configuration.with_genres(used, read_genres(path))
            judged = _train_folds(request, used, movies, progress)
        doubted = job.write_doubts(judged, request.doubts)
        judged_movies = "in all folds" if request.folds else "of the run's eval and test splits"
        lines.append(
            f"{request.doubts}: {count(doubted, 'movie')} {judged_movies} whose genres the model "
            "doubts"
        )
    # Only now is everything complete that an interruption would have to continue.
    for table in filter(None, (request.output, request.doubts)):
        delete_parts(table)
    if request.folds:
        shutil.rmtree(folds_directory(config), ignore_errors=True)
    return lines


def _train_folds(
    request: LabelRequest, config: RunConfig, movies: Path, progress: ProgressTable
) -> list[Source]:
    """Train a model for each fold and show each training as one step."""
    running = -1

    def on_start(fold: int, node: str) -> None:
        nonlocal running
        if fold != running:
            if running >= 0:
                progress.end_step("done", "")
            progress.start_step(f"training {fold + 1} of {request.folds}")
            running = fold
        progress.update_step(node)

    sources = train_folds(config, movies, request.folds, on_start)
    progress.end_step("done", "")
    return sources


def judged_sources(output: Path, served: Path, model: Model) -> list[Source]:
    """Return the files of examples on which a model was not fitted: its eval and test splits.

    They are those of the run that trained the model. So a movie is never judged by a model that was
    fitted on it, even if the data have changed since.

    Args:
        output: Output directory of the runs.
        served: Model directory of the runs.
        model: A version in `served`.

    Raises:
        UserError: No run in the output directory has pushed the model, or its examples are gone.
    """
    version = parse_version(model.version)
    if version is None or model.path.parent.resolve() != served.resolve():
        raise UserError(
            f"--doubts: {model.path} is not a version in {served}. Only the run that trained a "
            "model knows the movies on which it was not fitted: leave --model out, or name another "
            "--run."
        )
    history = metadata.read_history(output / METADATA_FILE)
    trained = metadata.pushed_model_id(history, version)
    examples = None if trained is None else metadata.examples_of_model(history, trained)
    splits = (Split.EVAL, Split.TEST)
    found = [
        Source(path, model, split)
        for split in splits
        for path in sorted(Path(examples or "", f"Split-{split}").glob("*.gz"))
    ]
    if {source.split for source in found} != set(splits):
        raise UserError(
            f"--doubts: {output} no longer has the examples of model version {version}. Train the "
            "model again with `ordained run`."
        )
    return found


def _has_movies_without_plot(summary_file: Path) -> bool:
    """Return whether ingest has written movies without genres even if they have no plot."""
    try:
        built_from = json.loads(summary_file.read_text(encoding="utf-8"))["built_from"]
        return bool(built_from["settings"]["unlabelled_without_plot"])
    except (ValueError, KeyError, TypeError):
        return False


class _StepPerFile:
    """Shows the progress of each file as one step."""

    def __init__(self, table: ProgressTable) -> None:
        self._table = table
        self._running: Source | None = None

    def __call__(self, progress: Progress) -> None:
        source, done, total = progress.source, progress.done, progress.total
        if source != self._running:
            self._running = source
            shard = source.path.stem.partition("-of-")[0]
            self._table.start_step(f"{source.split} split" if source.split else shard)
        kept = f", {progress.resumed:,} from an interrupted command" if progress.resumed else ""
        message = f"{done:,} of {count(total, 'movie')}{kept}"
        self._table.update_step(message)
        if 0 < done < total:
            log.info("%s: %s", source.path.name, message)
        if done == total:
            self._table.end_step("cached" if progress.resumed == total > 0 else "done", message)


def _find_movies(request: LabelRequest, config: RunConfig, progress: ProgressTable) -> Path:
    """Return the directory with the movies, which are built if the runs have not built the same."""
    summary_file = request.data / INGEST_SUMMARY_FILE
    if config.ingest.table is None and summary_file.is_file():
        if request.without_plot and not _has_movies_without_plot(summary_file):
            raise UserError(
                f"{request.data}: these movies were built without those that have no plot. Build "
                "them with `ordained ingest build --unlabelled-without-plot`, or leave "
                "--without-plot out."
            )
        return request.data
    settings = config.ingest
    if request.without_plot:
        settings = settings.model_copy(update={"unlabelled_without_plot": True})
    reasons = ingest.rebuild_reasons(request.data, config.movies, settings)
    if not reasons:
        return config.movies
    # The movies of the runs are not replaced: their models were trained on them.
    movies = config.output / LABEL_DIRECTORY / MOVIES_DIRECTORY
    progress.start_step("ingest")

    def update(name: str, done: int, total: int) -> None:
        progress.update_step(f"{name} {done / total:.0%}" if total else name)

    # The models of the folds are trained on these movies; otherwise they need no genres.
    summary = ingest.build(request.data, movies, settings, update, for_training=request.folds > 0)
    unlabelled = sum(summary.unlabelled.values())
    no_column = config.ingest.table and raw.GENRES_FIELD not in summary.columns
    progress.end_step(
        "cached" if summary.reused else "done",
        f"{count(unlabelled, 'movie')} without genres of {count(summary.titles, 'title')}"
        + (" (the table has no column of genres)" if no_column else ""),
    )
    return movies
