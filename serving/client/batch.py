"""A file of movies to a file of genres: nothing half-written, and it goes on after it was killed.

Beside the output stand, until it is complete, `<output>.part`, `<output>.rejects.part` and
`<output>.progress`. The last says how many rows are done and how long the others were then; it is
replaced as a whole, after they were written. So a run that goes on cuts them to that length.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from schema import features as raw
from schema.errors import UserError, from_os_error
from schema.files import atomic_write_text, durable_rename
from serving.client import files, lines
from serving.client.client import ROWS_PER_REQUEST, Client
from serving.client.stream import answers

SECONDS_BETWEEN_SAVES: Final = 1.0


@dataclass(frozen=True)
class Job:
    """What to do; `keep` names further columns to carry into the output.

    Raises:
        UserError: a name ends wrongly, a column is there twice, or files are the same.
    """

    source: Path
    output: Path
    rejects: Path
    keep: tuple[str, ...] = ()
    rows_per_request: int = ROWS_PER_REQUEST
    requests: int = 4
    resume: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.output.suffix.lower() not in files.SUFFIXES:
            ends = ", ".join(files.SUFFIXES)
            raise UserError(f"{self.output}: expected a name that ends in {ends}")
        if taken := {"row", "probabilities", *lines.ANSWER_COLUMNS}.intersection(self.keep):
            raise UserError(f"--keep {min(taken)}: the output has a column of that name")
        if len({self.source.resolve(), self.output.resolve(), self.rejects.resolve()}) < 3:
            raise UserError("input, output and rejects must be three different files")


@dataclass(frozen=True)
class Done:
    """How far a run is: rows of the input, the bad ones among them, bytes of both outputs."""

    rows: int = 0
    rejected: int = 0
    output: int = 0
    rejects: int = 0


Show = Callable[[Done, int, int], None]
"""Told of progress: what is done, bytes of the input read, and bytes in all."""


def run(job: Job, client: Client, show: Show) -> Done:
    """Predict for a whole file.

    The client is asked about an empty movie first: a wrong server or model is told before a row is
    blamed for it.

    Raises:
        TryAgainError: the disk is full.
        UserError: a file cannot be read or written, or its header does not fit.
        ServerError: the server failed; what was answered stays for a run that resumes.
    """
    client.predict([{}])
    try:
        with files.opened(job.source, job.keep) as (rows, position):
            return _run(job, client, rows, position, show)
    except OSError as error:
        message = f"{error.filename or job.output}: {error.strerror}"
        raise from_os_error(error, message) from error


def can_resume(output: Path) -> bool:
    """Whether an unfinished run to this output has left something to go on with."""
    return _progress(output).exists()


def _run(
    job: Job, client: Client, rows: Iterable[files.Row], position: Callable[[], int], show: Show
) -> Done:
    stat = job.source.stat()
    # What has to be the same for a run to go on.
    identity = {
        "source": str(job.source.resolve()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime_ns,
        "keep": list(job.keep),
    }
    carried = (raw.TCONST, *(name for name in job.keep if name != raw.TCONST))
    head, line = "", lines.json_answer
    if job.output.suffix.lower() == ".csv":
        head = lines.csv_line(["row", *carried, *lines.ANSWER_COLUMNS])
        line = partial(lines.csv_answer, carried)
    progress = _progress(job.output)
    if job.resume:
        done = _earlier(job, identity)
    else:
        done = Done()
        progress.unlink(missing_ok=True)
    parts = [path.with_name(f"{path.name}.part") for path in (job.output, job.rejects)]
    with _opened(parts[0], done.output) as output, _opened(parts[1], done.rejects) as rejects:

        def save() -> None:
            for file in (output, rejects):
                file.flush()
                os.fsync(file.fileno())
            atomic_write_text(progress, json.dumps({"of": identity, "done": asdict(done)}))

        if not done.rows:
            output.write(head.encode())
        first = done.rows
        left = (row for row in rows if row.number > first)
        saved = time.monotonic()
        try:
            for group in answers(client, left, job.rows_per_request, job.requests):
                good = (line(a.row, a.prediction) for a in group if a.prediction)
                output.write("".join(good).encode())
                bad = [answer.row for answer in group if not answer.prediction]
                rejects.write("".join(map(lines.json_reject, bad)).encode())
                rows_done, rejected = done.rows + len(group), done.rejected + len(bad)
                done = Done(rows_done, rejected, output.tell(), rejects.tell())
                if time.monotonic() >= saved + SECONDS_BETWEEN_SAVES:
                    save()
                    saved = time.monotonic()
                show(done, position(), stat.st_size)
        finally:
            if done.rows:
                save()
    durable_rename(parts[0], job.output)
    if done.rejected:
        durable_rename(parts[1], job.rejects)
    else:
        parts[1].unlink()
        job.rejects.unlink(missing_ok=True)
    progress.unlink(missing_ok=True)
    return done


def _earlier(job: Job, identity: dict[str, Any]) -> Done:
    """How far an earlier run with the same input came."""
    path = _progress(job.output)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        done = Done(**saved["done"])
    except FileNotFoundError:
        raise UserError(f"{path}: there is nothing to go on with; leave out --resume") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: is damaged; leave out --resume to start anew") from None
    if saved["of"] != identity:
        changed = f"{job.source}: has changed since that run, or other columns are kept"
        raise UserError(f"{changed}; leave out --resume to start anew")
    return done


def _opened(path: Path, length: int) -> IO[bytes]:
    """A file of the given length at least, cut to it, to write on at its end."""
    file = path.open("r+b" if length else "wb")
    if file.seek(0, os.SEEK_END) < length:
        file.close()
        raise UserError(f"{path}: is shorter than it was; leave out --resume to start anew")
    file.truncate(file.seek(length))
    return file


def _progress(output: Path) -> Path:
    return output.with_name(f"{output.name}.progress")
