"""`ordained schema`: compare the newest data with the curated schema, and update it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import COMMON_STATUSES, OutputOption, exit_statuses, expand_home
from schema.errors import UserError
from schema.features import SCHEMA_FILE
from schema.names import DEFAULT_OUTPUT
from schema.streams import ignore_output_errors

if TYPE_CHECKING:
    from pipeline.schema_review import Change

EPILOG: Final = exit_statuses(COMMON_STATUSES)


def schema(
    output: OutputOption = DEFAULT_OUTPUT,
    schema_file: Annotated[
        Path,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="The curated schema.",
            show_default="schema/schema.pbtxt",
            callback=expand_home,
        ),
    ] = SCHEMA_FILE,
    write: Annotated[
        bool, typer.Option("--write", help="Ask about each change, and write those you accept.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With `--write`: accept all changes without asking.")
    ] = False,
) -> None:
    """Compare the newest data with the schema.

    The command lists how the data of the newest run differ from the curated schema.
    """
    from pipeline import schema_review

    if yes and not write:
        raise UserError("--yes accepts the changes that --write asks about. Add --write.")
    if write and not yes and not sys.stdin.isatty():
        raise UserError(
            "--write asks about each change, but there is no terminal. Add --yes to accept all."
        )

    if yes:
        ignore_output_errors()

    def confirm(change: "Change") -> bool:
        return yes or typer.confirm(f"Accept {change.feature}: {change.difference}?")

    newest = schema_review.read_newest(output)
    schema_review.review(schema_file, *newest, write=write, confirm=confirm)
