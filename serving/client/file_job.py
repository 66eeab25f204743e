"""Prediction of a whole file, which can be resumed after an interruption.

Until the output is complete, it is written to `<output>.part`, and the rejected rows to
`<rejects>.part`. `<output>.progress` records how many rows are done and how long both files were at
that point. It is replaced atomically after they are written, so a resumed job truncates them to
these lengths and continues.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from schema import features as raw
from schema.errors import UserError, from_os_error
from schema.files import atomic_write_text, durable_rename
from serving.client import lines
from serving.client.client import ROWS_PER_REQUEST, Client
from serving.client.files import MovieTable, open_movies
from serving.client.stream import RowResult, predict_rows

SAVE_INTERVAL_SECONDS: Final = 1.0

OUTPUT_SUFFIXES: Final = (".csv", ".jsonl", ".ndjson")

_START_AGAIN: Final = "Run without --resume to start again."


@dataclass(frozen=True)
class FileJob:
    """The files and options of one job.

    Attributes:
        source: File of movies, of any format that `tables.formats` reads.
        output: File for the predictions; `.csv`, `.jsonl` or `.ndjson`.
        rejects: File for descriptions of the rows without a prediction, and of the values that
            were not understood, as JSON lines.
        keep: Further columns that are copied to the output.
        rows_per_request: Largest number of rows in one request.
        requests: Largest number of concurrent requests.
        resume: Whether to continue an interrupted job with the same output.

    Raises:
        UserError: A file name has another suffix, a column would appear twice, or two of the files
            are the same.
    """

    source: Path
    output: Path
    rejects: Path
    keep: tuple[str, ...] = ()
    rows_per_request: int = ROWS_PER_REQUEST
    requests: int = 4
    resume: bool = False

    def __post_init__(self) -> None:
        """Validate the values."""
        if self.output.suffix.lower() not in OUTPUT_SUFFIXES:
            suffixes = ", ".join(OUTPUT_SUFFIXES)
            raise UserError(f"{self.output}: expected a file name that ends in {suffixes}")
        self.check_kept_columns({"row", "probabilities", "predicted", "warnings"})
        if len({self.source.resolve(), self.output.resolve(), self.rejects.resolve()}) < 3:
            raise UserError("input, output and rejects must be three different files")

    def check_kept_columns(self, reserved: Collection[str]) -> None:
        """Raise a `UserError` if a column of `keep` has a reserved name."""
        for name in self.keep:
            if name in reserved:
                raise UserError(f"--keep {name}: the output already has a column of this name")


@dataclass(frozen=True)
class JobProgress:
    """Progress of a job.

    Attributes:
        rows: Number of rows that are done.
        rejected: Number of these rows without a prediction.
        unreadable: Number of values that were not understood.
        warned: Number of rows whose prediction has warnings.
        output: Size of the output, in bytes.
        rejects: Size of the file of rejected rows, in bytes.
    """

    rows: int = 0
    rejected: int = 0
    unreadable: int = 0
    warned: int = 0
    output: int = 0
    rejects: int = 0

    @property
    def predicted(self) -> int:
        """Number of rows with a prediction."""
        return self.rows - self.rejected

    def after(self, results: Sequence[RowResult]) -> "JobProgress":
        """Return the progress after further rows, before anything is written."""
        return replace(
            self,
            rows=self.rows + len(results),
            rejected=self.rejected + sum(not result.prediction for result in results),
            unreadable=self.unreadable + sum(len(result.row.unreadable) for result in results),
            warned=self.warned
            + sum(bool(result.prediction and result.prediction.warnings) for result in results),
        )


@dataclass(frozen=True)
class JobResult:
    """Result of a complete job.

    Attributes:
        progress: Numbers of rows and sizes of the complete files.
        format: Format, encoding and compression of the input.
        blank_lines: Number of blank lines in the input, which are no rows.
    """

    progress: JobProgress
    format: str
    blank_lines: int


OnProgress = Callable[[JobProgress, int, int], None]
"""Receives the progress, the number of input bytes that have been read, and the input's size."""


def run_job(
    job: FileJob,
    client: Client,
    on_progress: OnProgress,
    on_note: Callable[[str], None] = lambda _: None,
) -> JobResult:
    """Predict a whole file.

    An empty movie is sent first. Its prediction has the names of the genres, and a wrong server or
    model is not reported as an invalid row.

    Args:
        job: Files and options.
        client: Client for the model.
        on_progress: Function that is called after each group of rows.
        on_note: Function that is called with a message about columns that are not read.

    Returns:
        Numbers of rows and the format of the input.

    Raises:
        TryAgainError: The disk is full.
        UserError: A file cannot be read or written, the columns of the input are invalid, a column
            of `keep` has the name of a genre, or the genres change during the job.
        ServerError: The server failed. The job can be resumed.
    """
    [empty] = client.predict([{}])
    job.check_kept_columns(empty.names)
    try:
        with open_movies(job.source, job.keep) as movies:
            if movies.note:
                on_note(movies.note)
            progress = _predict_file(job, client, empty.names, movies, on_progress)
            return JobResult(progress, movies.table.description, movies.table.blank_lines)
    except OSError as error:
        message = f"{error.filename or job.output}: {error.strerror}"
        raise from_os_error(error, message) from error


def can_resume(output: Path) -> bool:
    """Return whether an interrupted job with this output can be resumed."""
    return _progress_path(output).exists()


def _predict_file(
    job: FileJob,
    client: Client,
    genres: tuple[str, ...],
    movies: MovieTable,
    on_progress: OnProgress,
) -> JobProgress:
    stat = job.source.stat()
    # A job can be resumed only if all of these are unchanged.
    identity = {
        "source": str(job.source.resolve()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime_ns,
        "keep": list(job.keep),
        "genres": list(genres),
    }
    header, to_line = "", lines.json_prediction
    if job.output.suffix.lower() == ".csv":
        copied = (raw.TCONST, *(name for name in job.keep if name != raw.TCONST))
        others = ("row", *copied)
        header = lines.csv_line([*others, *lines.prediction_columns(genres, others)])
        to_line = partial(lines.csv_prediction, copied, genres)
    progress_path = _progress_path(job.output)
    if job.resume:
        progress = _load_progress(job, identity)
    else:
        progress = JobProgress()
        progress_path.unlink(missing_ok=True)
    output_part, rejects_part = (
        path.with_name(f"{path.name}.part") for path in (job.output, job.rejects)
    )
    with (
        _open_truncated(output_part, progress.output) as output,
        _open_truncated(rejects_part, progress.rejects) as rejects,
    ):

        def save_progress() -> None:
            for file in (output, rejects):
                file.flush()
                os.fsync(file.fileno())
            document = {"input": identity, "progress": asdict(progress)}
            atomic_write_text(progress_path, json.dumps(document))

        if not progress.rows:
            output.write(header.encode())
        rows_done_before = progress.rows
        remaining = (row for row in movies.rows if row.number > rows_done_before)
        saved_at = time.monotonic()
        try:
            for results in predict_rows(client, remaining, job.rows_per_request, job.requests):
                output_lines = (to_line(r.row, r.prediction) for r in results if r.prediction)
                output.write("".join(output_lines).encode())
                rejects.write("".join(lines.json_rejects(r.row) for r in results).encode())
                progress = replace(
                    progress.after(results), output=output.tell(), rejects=rejects.tell()
                )
                if time.monotonic() >= saved_at + SAVE_INTERVAL_SECONDS:
                    save_progress()
                    saved_at = time.monotonic()
                on_progress(progress, movies.table.bytes_read(), stat.st_size)
        finally:
            if progress.rows:
                save_progress()
    durable_rename(output_part, job.output)
    if progress.rejects:
        durable_rename(rejects_part, job.rejects)
    else:
        rejects_part.unlink()
        job.rejects.unlink(missing_ok=True)
    progress_path.unlink(missing_ok=True)
    return progress


def _load_progress(job: FileJob, identity: dict[str, Any]) -> JobProgress:
    """Return the progress of the interrupted job; a `UserError` if it had another input."""
    path = _progress_path(job.output)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        saved_identity, progress = document["input"], JobProgress(**document["progress"])
    except FileNotFoundError:
        raise UserError(f"{path}: not found, so no job can be resumed. {_START_AGAIN}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: the file is damaged. {_START_AGAIN}") from None
    if saved_identity != identity:
        raise UserError(
            f"{job.source}: the file, the columns of --keep, or the genres of the model have "
            f"changed since the interrupted job. {_START_AGAIN}"
        )
    return progress


def _open_truncated(path: Path, length: int) -> IO[bytes]:
    """Open a file to append, truncated to a length in bytes; a new file if the length is 0."""
    file = path.open("r+b" if length else "wb")
    if (size := file.seek(0, os.SEEK_END)) < length:
        file.close()
        raise UserError(f"{path}: expected at least {length} bytes, got {size}. {_START_AGAIN}")
    file.truncate(file.seek(length))
    return file


def _progress_path(output: Path) -> Path:
    return output.with_name(f"{output.name}.progress")
