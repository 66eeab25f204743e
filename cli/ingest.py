"""`ordained ingest`: build the movies CSV from dumps and plots or a table, or download data."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cli.options import (
    ColumnOption,
    TableOption,
    exit_statuses,
    expand_home,
    parse_columns,
    parse_pairs,
)
from ingest.config import IngestConfig
from ingest.fetch import CORPUS_URL, IMDB_URL, TERMS
from ingest.fetch import fetch as download
from schema.config import validation_message
from schema.errors import ExitStatus, UserError
from schema.streams import ignore_output_errors
from schema.wording import count

BUILD_EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "The movies CSV is complete.",
        ExitStatus.USER_ERROR: "The input or an option is wrong.",
        ExitStatus.NOTHING_JOINED: "No plot, or almost none, joined a title.",
        ExitStatus.TRY_AGAIN: "Another command is writing there, or the disk is full. Try again "
        "later.",
        ExitStatus.INTERRUPTED: "You interrupted the command; nothing half-written is left.",
    }
)

FETCH_EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "All files are there.",
        ExitStatus.USER_ERROR: "You did not agree to the terms, or a download or an option is "
        "wrong.",
        ExitStatus.TRY_AGAIN: "Another command is writing there, the disk is full, or the network "
        "fails. Try again later.",
        ExitStatus.INTERRUPTED: "You interrupted the command; the same command continues it.",
    }
)

_DEFAULTS: Final = IngestConfig()


def build(
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Directory for the movies CSV.", callback=expand_home),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory with IMDb's dumps.",
            show_default=False,
            callback=expand_home,
        ),
    ] = None,
    table: TableOption = None,
    column: ColumnOption = [],  # noqa: B006 (Typer makes a new list for each call)
    plots: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="File or directory of plots.",
            show_default="the file with plot in its name beside the dumps",
            callback=expand_home,
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of corrected genres.",
            show_default="corrections.csv beside the dumps, if it exists",
            callback=expand_home,
        ),
    ] = None,
    title_types: Annotated[
        str,
        typer.Option(metavar="LIST", help="IMDb's title types to keep, separated by commas."),
    ] = ",".join(_DEFAULTS.title_types),
    include_adult: Annotated[bool, typer.Option("--include-adult", help="Keep adult titles.")] = (
        _DEFAULTS.include_adult
    ),
    genres: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Genres that the model predicts, separated by commas.",
            show_default="IMDb's 22 genres of feature films, or all frequent ones of a table",
        ),
    ] = None,
    genre_map: Annotated[
        list[str],
        typer.Option(
            metavar="GIVEN=NAME",
            help="Rename a genre, such as `Biography=History`, or merge it with another one; "
            "`Adult=` drops it. Repeat it for several genres.",
        ),
    ] = [],  # noqa: B006 (Typer makes a new list for each call)
    min_genre_movies: Annotated[
        int,
        typer.Option(
            metavar="N", help="Smallest number of movies of a genre that is found in a table."
        ),
    ] = _DEFAULTS.min_genre_movies,
    unlabelled_without_plot: Annotated[
        bool,
        typer.Option(
            "--unlabelled-without-plot",
            help="Write movies without genres even if they have no plot, but a title and people.",
        ),
    ] = _DEFAULTS.unlabelled_without_plot,
    max_reject_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Largest share of malformed lines in a file before the build stops.",
        ),
    ] = _DEFAULTS.max_reject_share,
    rows_per_shard: Annotated[
        int, typer.Option(metavar="N", help="Largest number of movies in one CSV file.")
    ] = _DEFAULTS.rows_per_shard,
    memory_limit: Annotated[
        str,
        typer.Option(
            metavar="SIZE", help="Memory that the join may use before it writes to the disk."
        ),
    ] = _DEFAULTS.memory_limit,
    threads: Annotated[
        int, typer.Option(metavar="N", help="Number of threads; 0 uses all cores.")
    ] = _DEFAULTS.threads,
) -> None:
    """Build the movies CSV from dumps and plots, or from a single table."""
    from ingest.builder import build as build_movies
    from ingest.summary import summary_tables

    if (data is None) == (table is None):
        raise UserError(
            "--data and --table: expected one of them, the directory of IMDb's dumps or a table"
        )
    values = {
        "table": table,
        "columns": parse_columns(column),
        "plots": plots,
        "corrections": corrections,
        "title_types": _split(title_types),
        "include_adult": include_adult,
        "genres": None if genres is None else _split(genres),
        "genre_map": parse_pairs("--genre-map", genre_map, "GIVEN=NAME, such as Biography=History"),
        "min_genre_movies": min_genre_movies,
        "unlabelled_without_plot": unlabelled_without_plot,
        "max_reject_share": max_reject_share,
        "rows_per_shard": rows_per_shard,
        "memory_limit": memory_limit,
        "threads": threads,
    }
    try:
        config = IngestConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-").replace("columns", "column")
        raise UserError(validation_message(first, f"--{option}")) from error
    ignore_output_errors()
    with _progress_bars(TaskProgressColumn(), TimeElapsedColumn()) as show, _log_messages():
        report = build_movies(data, output, config, show)
    Console().print(summary_tables(report))
    if report.reused:
        print(f"{output}: unchanged since the last build")
    else:
        print(f"{output}: {count(report.movies, 'movie')} in {report.seconds} s")


def fetch(
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Directory for the downloads.", callback=expand_home),
    ],
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Agree to the terms without being asked.")
    ] = False,
    imdb_url: Annotated[
        str, typer.Option(metavar="URL", help="Directory of IMDb's dumps.")
    ] = IMDB_URL,
    corpus_url: Annotated[
        str, typer.Option(metavar="URL", help="Archive of the CMU Movie Summary Corpus.")
    ] = CORPUS_URL,
    no_corpus: Annotated[
        bool, typer.Option("--no-corpus", help="Download IMDb's dumps only.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Download files again that are already there.")
    ] = False,
    sha256: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=HEX",
            help="Check a download, such as `title.basics.tsv.gz=0f3a...`. Repeat it for several "
            "files.",
        ),
    ] = [],  # noqa: B006 (Typer makes a new list for each call)
) -> None:
    """Download IMDb's dumps and a corpus of plots."""
    digests = [pair.partition("=") for pair in sha256]
    for name, _, digest in digests:
        if not re.fullmatch("[0-9a-fA-F]{64}", digest):
            raise UserError(f"--sha256 {name}: expected NAME=HEX with 64 hexadecimal digits")
    print(TERMS)
    if not accept_terms:
        if not sys.stdin.isatty():
            raise UserError("nothing was downloaded: agree to these terms with --accept-terms")
        if not typer.confirm("Do you agree?"):
            raise UserError("nothing was downloaded: you did not agree to the terms")
    ignore_output_errors()
    with _progress_bars(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as show:
        downloaded = download(
            output,
            imdb_url,
            None if no_corpus else corpus_url,
            {name: digest for name, _, digest in digests},
            show,
            refresh=refresh,
        )
    if downloaded:
        print(f"{output}: downloaded {', '.join(downloaded)}")
    else:
        print(f"{output}: all files were already there")


def _split(names: str) -> list[str]:
    """Return the names of a list with commas, without the spaces that people write after them."""
    return [name.strip() for name in names.split(",")]


@contextmanager
def _progress_bars(*columns: ProgressColumn) -> Iterator[Callable[[str, int, int], None]]:
    """Show one progress bar for each name with which the yielded function is called."""
    with Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        console=Console(stderr=True),
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def finish_last() -> None:
            for last in progress.tasks[-1:]:
                end = last.completed or 1
                progress.update(last.id, completed=end, total=end)

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                finish_last()
                tasks[name] = progress.add_task(name)
            progress.update(tasks[name], completed=done, total=total or None)

        yield show
        finish_last()


@contextmanager
def _log_messages() -> Iterator[None]:
    """Print what ingest logs, such as the format of the plots, above the progress bars."""
    logger, handler = logging.getLogger("ingest"), logging.StreamHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
