"""Command line: `python -m ingest build` and `python -m ingest fetch`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from ingest.builder import build
from ingest.report import tables
from ingest.settings import IngestSettings
from schema.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        The exit status: 0, 2 for a mistake of the user, 130 when interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing half-done was left", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ordained-ingest", description="From IMDb's dumps and plots to the movies CSV."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands.add_parser("build", help="join dumps and plots into CSV shards"))
    return parser


def _add_build(parser: argparse.ArgumentParser) -> None:
    usual = IngestSettings()
    parser.set_defaults(run=_build)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the dumps", metavar="DIR"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the movies", metavar="DIR"
    )
    parser.add_argument(
        "--plots",
        type=Path,
        metavar="PATH",
        help="file or folder of plots (default: the one with plot in its name beside the dumps)",
    )
    parser.add_argument(
        "--title-types",
        default=",".join(usual.title_types),
        metavar="LIST",
        help="IMDb's title types to keep, joined by commas (default: %(default)s)",
    )
    parser.add_argument("--include-adult", action="store_true", help="keep adult titles")
    parser.add_argument(
        "--max-reject-share",
        type=float,
        default=usual.max_reject_share,
        metavar="SHARE",
        help="stop above this share of malformed lines in a file (default: %(default)s)",
    )
    parser.add_argument(
        "--rows-per-shard",
        type=int,
        default=usual.rows_per_shard,
        metavar="N",
        help="movies in one CSV file, at most (default: %(default)s)",
    )
    parser.add_argument(
        "--memory-limit",
        default=usual.memory_limit,
        metavar="SIZE",
        help="what the join may hold in memory before it spills to disk (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, default=usual.threads, metavar="N", help="default: all cores"
    )


def _build(options: argparse.Namespace) -> None:
    settings = IngestSettings(
        title_types=tuple(options.title_types.split(",")),
        include_adult=options.include_adult,
        plots=options.plots,
        max_reject_share=options.max_reject_share,
        rows_per_shard=options.rows_per_shard,
        memory_limit=options.memory_limit,
        threads=options.threads,
    )
    console = Console()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total or None)
            bar.update(tasks[step], completed=done)

        report = build(options.data, options.output, settings, show)
    console.print(tables(report))
    if report.reused:
        console.print(f"{options.output}: nothing has changed since its last build; left as it is")
    else:
        console.print(f"{report.movies:,} movies in {options.output}, {report.seconds} s")


if __name__ == "__main__":
    sys.exit(main())
