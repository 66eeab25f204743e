"""Command line: `python -m ingest build` and `python -m ingest fetch`."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

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

from ingest.builder import build
from ingest.config import IngestConfig
from ingest.fetch import CORPUS_URL, IMDB_URL, TERMS, fetch
from ingest.summary import summary_tables
from schema import command
from schema.config import validation_message
from schema.errors import ExitStatus, UserError, exit_status_help

EPILOG: Final = exit_status_help(
    {
        ExitStatus.OK: "the files are there",
        ExitStatus.USER_ERROR: "a mistake in the input or the options; one line says which",
        ExitStatus.TRY_AGAIN: "another process writes there, the disk is full, or the network "
        "failed: the same command can succeed later",
        ExitStatus.INTERRUPTED: "interrupted; the same command does or finishes the work",
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status (see `EPILOG`)."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ordained-ingest",
        description="From IMDb's dumps and plots to the movies CSV.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="join dumps and plots into CSV shards"))
    _add_fetch(commands.add_parser("fetch", help="download IMDb's dumps and a corpus of plots"))
    return parser


def _add_build(parser: argparse.ArgumentParser) -> None:
    usual = IngestConfig()
    parser.set_defaults(
        run=_build, **(usual.model_dump() | {"title_types": ",".join(usual.title_types)})
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder of the dumps")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the movies")
    add(
        "--plots",
        type=Path,
        metavar="PATH",
        help="file or folder of plots (default: the one with plot in its name beside the dumps)",
    )
    add(
        "--title-types",
        metavar="LIST",
        help="IMDb's title types to keep, joined by commas (default: %(default)s)",
    )
    add("--include-adult", action="store_true", help="keep adult titles")
    add(
        "--max-reject-share",
        type=float,
        metavar="SHARE",
        help="stop above this share of malformed lines in a file (default: %(default)s)",
    )
    add(
        "--rows-per-shard",
        type=int,
        metavar="N",
        help="movies in one CSV file, at most (default: %(default)s)",
    )
    add(
        "--memory-limit",
        metavar="SIZE",
        help="what the join may hold in memory before it spills to disk (default: %(default)s)",
    )
    add("--threads", type=int, metavar="N", help="default: all cores")


def _build(options: argparse.Namespace) -> None:
    values = {name: getattr(options, name) for name in IngestConfig.model_fields}
    try:
        settings = IngestConfig.model_validate(
            values | {"title_types": options.title_types.split(",")}
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UserError(validation_message(first, f"--{option}")) from error
    with _bars(TaskProgressColumn(), TimeElapsedColumn()) as show:
        report = build(options.data, options.output, settings, show)
    Console().print(summary_tables(report))
    if report.reused:
        print(f"{options.output}: nothing has changed since its last build; left as it is")
    else:
        print(f"{options.output}: {report.movies:,} movies in {report.seconds} s")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_fetch)
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the files")
    add("--accept-terms", action="store_true", help="agree to the terms without being asked")
    add(
        "--imdb-url",
        default=IMDB_URL,
        metavar="URL",
        help="folder of the dumps (default: %(default)s)",
    )
    add(
        "--corpus-url",
        default=CORPUS_URL,
        metavar="URL",
        help="archive of the CMU Movie Summary Corpus (default: %(default)s)",
    )
    add("--no-corpus", action="store_true", help="download the dumps alone")
    add("--refresh", action="store_true", help="download also what is there already")
    add(
        "--sha256",
        action="append",
        default=[],
        metavar="NAME=HEX",
        help="check a download, such as title.basics.tsv.gz=0f3a...; may be repeated",
    )


def _fetch(options: argparse.Namespace) -> None:
    digests = [pair.partition("=") for pair in options.sha256]
    for name, _, digest in digests:
        if not re.fullmatch("[0-9a-fA-F]{64}", digest):
            raise UserError(f"--sha256 {name}: expected NAME=HEX with 64 hexadecimal digits")
    print(TERMS)
    if not options.accept_terms:
        if not sys.stdin.isatty():
            raise UserError("nothing was downloaded: agree to these terms with --accept-terms")
        if input("Do you agree? [yes/no] ").strip().lower() not in ("y", "yes"):
            raise UserError("nothing was downloaded: the terms were not agreed to")
    with _bars(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as show:
        fetched = fetch(
            options.output,
            options.imdb_url,
            None if options.no_corpus else options.corpus_url,
            {name: digest for name, _, digest in digests},
            show,
            refresh=options.refresh,
        )
    print(f"{options.output}: {', '.join(fetched) or 'nothing'} downloaded; the rest was there")


@contextmanager
def _bars(*columns: ProgressColumn) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each name that the yielded function is called with, one by one."""
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


if __name__ == "__main__":
    sys.exit(main())
