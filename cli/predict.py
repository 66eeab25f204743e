"""`ordained predict`: ask a served model for the genres of one movie or of a file of movies."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn

from cli.options import exit_statuses, expand_home
from schema import features as raw
from schema.errors import ExitStatus, UserError
from schema.streams import ignore_output_errors
from serving.client import Client, ModelSpec, file_job, lines, render
from serving.client.client import DEFAULT_TIMEOUT_SECONDS, ROWS_PER_REQUEST
from serving.client.files import open_movies
from serving.client.stream import predict_rows

EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "Every row has a prediction.",
        ExitStatus.FAILED: "The server failed.",
        ExitStatus.USER_ERROR: "The input or an option is wrong, or there is no such model.",
        ExitStatus.REFUSED: "Some rows have no prediction; a message names each and the reason.",
        ExitStatus.TRY_AGAIN: "No server answers, it is too busy or too slow, or the disk is full. "
        "Try again later; `--resume` continues an `--output` file.",
        ExitStatus.INTERRUPTED: "You interrupted the command; `--resume` continues an `--output` "
        "file.",
    }
)

_MOVIE: Final = "One movie (leave out what is unknown)"
_SERVER: Final = "Server"
_OUTPUT: Final = "Output"


def _field(metavar: str, text: str = "") -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_MOVIE, show_default=False)


def _people(text: str) -> Any:
    return _field("NAMES", f"Names of the {text}, separated by `|`.")


def predict(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="File of movies: CSV, JSON, JSON lines or Parquet, also in gzip or zip.",
            callback=expand_home,
            show_default=False,
        ),
    ] = None,
    plot: Annotated[str | None, _field("TEXT", "Plot summary.")] = None,
    title: Annotated[str | None, _field("TEXT", "Title.")] = None,
    year: Annotated[str | None, _field("NUMBER", "Year of release.")] = None,
    runtime_minutes: Annotated[str | None, _field("NUMBER", "Running time in minutes.")] = None,
    average_rating: Annotated[str | None, _field("NUMBER", "Mean rating, 1 to 10.")] = None,
    num_votes: Annotated[str | None, _field("NUMBER", "Number of ratings.")] = None,
    directors: Annotated[str | None, _people("directors")] = None,
    writers: Annotated[str | None, _people("writers")] = None,
    cast: Annotated[str | None, _people("cast")] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="`HOST:PORT` for gRPC or `http://HOST:PORT` for REST.",
            rich_help_panel=_SERVER,
        ),
    ] = "localhost:8500",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the model.", rich_help_panel=_SERVER)
    ] = ModelSpec.name,
    model_version: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Version of the model.",
            show_default="the newest that is served",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    model_label: Annotated[
        str,
        typer.Option(
            metavar="LABEL",
            help="Label of a version, instead of its number.",
            show_default=False,
            rich_help_panel=_SERVER,
        ),
    ] = "",
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Time allowed for one request, including retries.",
            rich_help_panel=_SERVER,
        ),
    ] = DEFAULT_TIMEOUT_SECONDS,
    status: Annotated[
        bool,
        typer.Option(
            "--status", help="Print which versions the server has.", rich_help_panel=_SERVER
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the predictions to this `.csv` or `.jsonl` file.",
            callback=expand_home,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File for the rows without a prediction and for values that are not understood.",
            show_default="the name of --output with .rejects added",
            callback=expand_home,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    keep: Annotated[
        list[str],
        typer.Option(
            metavar="COLUMN",
            help="Copy this column of the input to the output. Repeat it for several columns.",
            rich_help_panel=_OUTPUT,
        ),
    ] = [],  # noqa: B006 (Typer makes a new list for each call)
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue where an earlier run with this output stopped.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one line of JSON per movie instead of a table.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    rows_per_request: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Largest number of rows per request.", rich_help_panel=_OUTPUT
        ),
    ] = ROWS_PER_REQUEST,
    requests: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Number of requests at the same time.", rich_help_panel=_OUTPUT
        ),
    ] = 4,
) -> int:
    """Predict genres with a served model.

    Give the fields of one movie as options, or a file with one movie per row.

    Examples:
    - `ordained predict --title "The Long Ford" --year 1957 --plot "A gunman rides..."`
    - `ordained predict movies.csv --output genres.csv`
    - `ordained predict movies.jsonl --server http://localhost:8501 --json`
    """
    values = (
        *(plot, title, year, runtime_minutes, average_rating, num_votes),
        *(directors, writers, cast),
    )
    fields = (raw.PLOT, raw.TITLE, *raw.NUMBERS, *raw.PEOPLE)
    movie = {field: value for field, value in zip(fields, values, strict=True) if value is not None}
    if [status, file is not None, bool(movie)].count(True) != 1:
        raise UserError(
            "expected exactly one of: a FILE of movies, options of one movie such as --title, or "
            "--status"
        )
    if output is None and (resume or rejects):
        raise UserError("--resume and --rejects need --output FILE")
    if file is None and (output or keep):
        raise UserError("--output and --keep need a FILE of movies")
    spec = ModelSpec(model, model_version, model_label)
    try:
        with Client(server, spec, timeout) as client:
            if status:
                print(render.status_text(client.address, spec.name, client.status()))
            elif file is None:
                _print_movie(client, movie, as_json)
            elif output is None:
                return _print_file(client, file, keep, rows_per_request, requests, as_json)
            else:
                ignore_output_errors()
                job = file_job.FileJob(
                    source=file,
                    output=output,
                    rejects=rejects or output.with_name(f"{output.name}.rejects"),
                    keep=tuple(keep),
                    rows_per_request=rows_per_request,
                    requests=requests,
                    resume=resume,
                )
                return _write_file(client, job)
    except KeyboardInterrupt:
        hint = (
            "; the same command with --resume continues"
            if output and file_job.can_resume(output)
            else ""
        )
        print(f"interrupted{hint}", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    return ExitStatus.OK


def _print_movie(client: Client, movie: dict[str, str], as_json: bool) -> None:
    [prediction] = client.predict([movie])
    for warning in prediction.warnings.values():
        print(warning, file=sys.stderr)
    if as_json:
        print(json.dumps(prediction.as_json(), ensure_ascii=False))
    else:
        Console(highlight=False).print(render.movie_table(prediction))


def _print_file(
    client: Client,
    file: Path,
    keep: Sequence[str],
    rows_per_request: int,
    requests: int,
    as_json: bool,
) -> int:
    """Print predictions to the standard output, and everything else to the standard error."""
    client.predict([{}])
    done = file_job.JobProgress()
    with open_movies(file, keep) as movies:
        if movies.note:
            print(movies.note, file=sys.stderr)
        if not as_json:
            print(render.TABLE_HEADER)
        for group in predict_rows(client, movies.rows, rows_per_request, requests):
            for result in group:
                row = result.row
                for problem in filter(None, [row.note, row.reason]):
                    print(f"{file}: row {row.number} (line {row.line}): {problem}", file=sys.stderr)
                if result.prediction and as_json:
                    print(lines.json_prediction(row, result.prediction), end="")
                elif result.prediction:
                    title = str((row.movie or {}).get(raw.TITLE, ""))
                    name = " ".join(filter(None, [*row.copied.values(), title]))
                    print(render.movie_line(row.number, name, result.prediction))
            done = done.after(group)
        counts = render.counts_text(done, movies.table.description, movies.table.blank_lines)
        print(f"{file}: {counts}", file=sys.stderr)
    return ExitStatus.REFUSED if done.rejected else ExitStatus.OK


def _write_file(client: Client, job: file_job.FileJob) -> int:
    with _progress_bar(str(job.source)) as show:
        try:
            result = file_job.run_job(job, client, show, lambda note: print(note, file=sys.stderr))
        except UserError as error:
            if file_job.can_resume(job.output):
                error.args = (f"{error} (--resume continues after the last row)",)
            raise
    done = result.progress
    counts = render.counts_text(done, result.format, result.blank_lines)
    hint = f". {job.rejects} lists them." if done.rejected or done.unreadable else ""
    print(f"{job.output}: {counts}{hint}")
    return ExitStatus.REFUSED if done.rejected else ExitStatus.OK


@contextmanager
def _progress_bar(name: str) -> Iterator[file_job.OnProgress]:
    """Show a progress bar on the standard error, if that is a terminal."""
    console = Console(stderr=True)
    counts = TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected")
    columns = (*Progress.get_default_columns(), counts)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None, rows=0, rejected=0)

        def show(done: file_job.JobProgress, position: int, size: int) -> None:
            progress.update(
                task, completed=position, total=size, rows=done.rows, rejected=done.rejected
            )

        yield show
