"""Command line: `python -m serving.client`, installed as `ordained-predict`."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress, TextColumn

from schema import features as raw
from schema.command import print_error
from schema.errors import ExitStatus, UserError, exit_status_help
from serving.client import batch, files, lines, render
from serving.client.client import ROWS_PER_REQUEST, SECONDS, Client
from serving.client.stream import answers
from serving.client.transport import ModelSpec

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
  ordained-predict movies.csv --output genres.csv
  ordained-predict movies.jsonl --server http://localhost:8501 --json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask a served model; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except UserError as error:
        return print_error(error)
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
    model = ModelSpec(options.model, options.version, options.label)
    movie = {
        name: value for name in raw.MODEL_INPUTS if (value := getattr(options, name)) is not None
    }
    if [options.status, options.file is not None, bool(movie)].count(True) != 1:
        raise UserError(
            "say what to ask about, in one way: a file, or flags such as --title, or --status"
        )
    if options.output is None and (options.resume or options.rejects):
        raise UserError("--resume and --rejects belong to --output FILE")
    if options.file is None and (options.output or options.keep):
        raise UserError("--output and --keep belong to a file of movies")
    with Client(options.server, model, options.timeout) as client:
        if options.status:
            print(render.status(client.address, model.name, client.status()))
        elif options.output:
            return _write_file(client, options)
        elif options.file:
            return _print_file(client, options)
        else:
            [prediction] = client.predict([movie])
            if options.json:
                print(json.dumps(prediction.as_json(), ensure_ascii=False))
            else:
                Console(highlight=False).print(render.one_movie(prediction))
    return ExitStatus.OK


def _print_file(client: Client, options: argparse.Namespace) -> int:
    """Answer a file on the standard output, the bad rows on the standard error."""
    client.predict([{}])
    status = ExitStatus.OK
    if not options.json:
        print(render.HEAD)
    with files.opened(options.file, options.keep) as (rows, _):
        for group in answers(client, rows, options.rows_per_request, options.requests):
            for answer in group:
                row = answer.row
                if answer.prediction is None:
                    status = ExitStatus.REFUSED
                    where = f"{options.file}: row {row.number} (line {row.line})"
                    print(f"{where}: {row.error}", file=sys.stderr)
                elif options.json:
                    print(lines.json_answer(row, answer.prediction), end="")
                else:
                    title = str((row.movie or {}).get(raw.TITLE, ""))
                    name = " ".join(filter(None, [*row.carried.values(), title]))
                    print(render.line(row.number, name, answer.prediction))
    return status


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
def _bar(name: str) -> Iterator[batch.Show]:
    """A progress bar on the standard error, where that is a terminal."""
    console = Console(stderr=True)
    counts = TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected")
    columns = (*Progress.get_default_columns(), counts)
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
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="movies: .csv, .jsonl or .ndjson"
    )
    server = parser.add_argument_group("server")
    movie = parser.add_argument_group("one movie (what is left out is not known)")
    output = parser.add_argument_group("output")
    for name in raw.MODEL_INPUTS:
        people = "names joined by |" if name in raw.PEOPLE else None
        flag = f"--{name.replace('_', '-')}"
        movie.add_argument(flag, dest=name, metavar="TEXT" if people else None, help=people)
    options: tuple[tuple[Any, str, Any, Any, str, str], ...] = (
        (server, "server", str, "localhost:8500", "HOST:PORT", "gRPC; for REST http://HOST:PORT"),
        (server, "model", str, ModelSpec.name, "NAME", "the model to ask"),
        (server, "version", int, None, "N", "of the model (default: the one served)"),
        (server, "label", str, "", "NAME", "of a version, in place of its number"),
        (server, "timeout", float, SECONDS, "SECONDS", "for an answer, further tries included"),
        (output, "output", Path, None, "FILE", "write to .csv or .jsonl"),
        (output, "rejects", Path, None, "FILE", "rows without an answer (default: OUTPUT.rejects)"),
        (output, "rows-per-request", _count, ROWS_PER_REQUEST, "N", "at most"),
        (output, "requests", _count, 4, "N", "at once"),
    )
    for group, name, kind, default, metavar, words in options:
        shown = f"{words} (default: %(default)s)" if default else words
        group.add_argument(f"--{name}", type=kind, default=default, metavar=metavar, help=shown)
    server.add_argument("--status", action="store_true", help="print the versions of the model")
    add = output.add_argument
    add("--json", action="store_true", help="print JSON, a line a movie, in place of a table")
    add("--resume", action="store_true", help="go on where an earlier run to this output stopped")
    keep = "carry a further column into the output; may be repeated"
    add("--keep", action="append", default=[], metavar="COLUMN", help=keep)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
