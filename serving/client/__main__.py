"""Command line: `python -m serving.client`, installed as `ordained-predict`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from schema import features as raw
from schema.command import failed
from schema.errors import ExitStatus, UserError, exit_status_help
from serving.client import batch, files, lines, render
from serving.client.client import ROWS_PER_REQUEST, Client, Patience
from serving.client.movies import Movie
from serving.client.stream import Answer, answers
from serving.client.transport import ModelName

STATUSES: Final = exit_status_help(
    {
        ExitStatus.OK: "every row was answered",
        ExitStatus.FAILED: "the server failed",
        ExitStatus.USER_ERROR: "a mistake in the input or the options, or no such model",
        ExitStatus.REFUSED: "some rows were not answered; each is reported with what was wrong",
        ExitStatus.TRY_AGAIN: "no server answers, or it is too busy or too slow, or the disk is "
        "full:\n       the same command can succeed later; with --output, --resume continues",
        ExitStatus.INTERRUPTED: "interrupted; with --output, --resume continues",
    }
)

EPILOG: Final = f"""\
{STATUSES}

examples:
  ordained-predict --title "The Long Ford" --year 1957 --plot "A gunman rides..."
  ordained-predict films.csv --output genres.csv
  ordained-predict films.jsonl --server http://localhost:8501 --json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask a served model.

    Returns:
        The exit status (see `STATUSES`).
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except UserError as error:
        return failed(error)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be said there.
        sys.stdout = None  # type: ignore[assignment]
        return ExitStatus.OK
    except KeyboardInterrupt:
        left = options.output and batch.can_resume(options.output)
        hint = "; the same command with --resume goes on" if left else ""
        print(f"interrupted{hint}", file=sys.stderr)
        return ExitStatus.INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    model = ModelName(options.model, options.version, options.label)
    flags = {
        name: value for name in raw.MODEL_INPUTS if (value := getattr(options, name)) is not None
    }
    _require_one_task(options, flags)
    with Client(options.server, model, Patience(options.timeout)) as client:
        if options.status:
            print("\n".join(render.status(client.address, model.name, client.status())))
            return ExitStatus.OK
        if options.file is None:
            return _one(client, flags, options.json)
        if options.output is None:
            return _print_file(client, options)
        return _write_file(client, options)


def _require_one_task(options: argparse.Namespace, flags: dict[str, str]) -> None:
    given = [bool(options.status), options.file is not None, bool(flags)]
    if sum(given) != 1:
        raise UserError(
            "say what to ask about, in one way: a file, or flags such as --title, or --status"
        )
    if options.output is None and (options.resume or options.rejects):
        raise UserError("--resume and --rejects belong to --output FILE")
    if options.file is None and (options.output or options.keep):
        raise UserError("--output and --keep belong to a file of movies")


def _one(client: Client, movie: Movie, as_json: bool) -> int:
    [prediction] = client.predict([movie])
    if as_json:
        print(json.dumps(prediction.as_json(), ensure_ascii=False))
    else:
        Console(highlight=False).print(render.one_film(prediction))
    return ExitStatus.OK


def _print_file(client: Client, options: argparse.Namespace) -> int:
    """Answer a file on the standard output, the bad rows on the standard error."""
    client.predict([{}])
    rejected = 0
    if not options.json:
        print(render.HEAD)
    with files.opened(options.file, options.keep) as (rows, _):
        for group in answers(client, rows, options.rows_per_request, options.requests):
            for answer in group:
                if answer.prediction is None:
                    rejected += 1
                    print(_reject(options.file, answer), file=sys.stderr)
                else:
                    print(_answer(answer, options.json), flush=False)
    return ExitStatus.REFUSED if rejected else ExitStatus.OK


def _answer(answer: Answer, as_json: bool) -> str:
    row, prediction = answer.row, answer.prediction
    assert prediction is not None
    if as_json:
        return lines.json_answer(answer).rstrip("\n")
    title = str((row.movie or {}).get(raw.TITLE, ""))
    name = " ".join(filter(None, [*row.carried.values(), title]))
    return render.line(row.number, name, prediction)


def _reject(path: Path, answer: Answer) -> str:
    row = answer.row
    return f"{path}: row {row.number} (line {row.line}): " + ": ".join(
        filter(None, [row.field, row.reason])
    )


def _write_file(client: Client, options: argparse.Namespace) -> int:
    job = batch.Job(
        source=options.file,
        output=options.output,
        rejects=options.rejects or options.output.with_name(f"{options.output.name}.rejects"),
        keep=tuple(options.keep),
        rows_per_request=options.rows_per_request,
        requests=options.requests,
        resume=options.resume,
    )
    with _bar(str(options.file)) as show:
        try:
            done = batch.run(job, client, show)
        except UserError as error:
            if batch.can_resume(job.output):
                error.args = (f"{error} (--resume goes on from the last row)",)
            raise
    told = f"{job.output}: {done.rows - done.rejected:,} of {done.rows:,} rows"
    print(f"{told}; {job.rejects} says why the others are not" if done.rejected else told)
    return ExitStatus.REFUSED if done.rejected else ExitStatus.OK


@contextmanager
def _bar(name: str) -> Iterator[Callable[[batch.Done, int, int], None]]:
    """A progress bar on the standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None, rows=0, rejected=0)

        def show(done: batch.Done, position: int, size: int) -> None:
            progress.update(
                task, completed=position, total=size, rows=done.rows, rejected=done.rejected
            )

        yield show


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ordained-predict",
        description="Ask a served model for the genres of movies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="movies: .csv, .jsonl or .ndjson")
    _add_server(parser)
    movie = parser.add_argument_group("one movie (what is left out is not known)")
    for name in raw.MODEL_INPUTS:
        people = "names joined by |" if name in raw.PEOPLE else None
        flag = f"--{name.replace('_', '-')}"
        movie.add_argument(flag, dest=name, metavar="TEXT" if people else None, help=people)
    _add_output(parser)
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    add = group.add_argument
    add(
        "--server",
        default="localhost:8500",
        metavar="ADDRESS",
        help="HOST:PORT for gRPC, http://HOST:PORT for REST (default: %(default)s)",
    )
    add("--model", default=ModelName.name, metavar="NAME", help="(default: %(default)s)")
    add("--version", type=int, metavar="N", help="of the model (default: the one served)")
    add("--label", default="", metavar="NAME", help="of a version, in place of its number")
    add(
        "--timeout",
        type=float,
        default=Patience.seconds,
        metavar="SECONDS",
        help="for an answer, further tries included (default: %(default)s)",
    )
    add("--status", action="store_true", help="print the versions of the model")


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    add = group.add_argument
    add("--json", action="store_true", help="print JSON, a line a film, in place of a table")
    add("--output", type=Path, metavar="FILE", help="write to .csv or .jsonl")
    add("--resume", action="store_true", help="go on where an earlier run to this output stopped")
    add(
        "--rejects",
        type=Path,
        metavar="FILE",
        help="rows that could not be answered, as JSON lines (default: <output>.rejects)",
    )
    add(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="carry a further column into the output; may be repeated",
    )
    add(
        "--rows-per-request",
        type=_count,
        default=ROWS_PER_REQUEST,
        metavar="N",
        help="(default: %(default)s)",
    )
    add("--requests", type=_count, default=4, metavar="N", help="at once (default: %(default)s)")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
