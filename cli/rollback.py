"""`ordained rollback`: serve an earlier version of the pushed model."""

from typing import Annotated, Final

import typer

from cli.options import COMMON_STATUSES, OutputOption, exit_statuses
from schema.names import DEFAULT_OUTPUT, MODEL_NAME, SERVING_DIRECTORY
from schema.streams import ignore_output_errors

EPILOG: Final = exit_statuses(COMMON_STATUSES)


def rollback(
    output: OutputOption = DEFAULT_OUTPUT,
    to: Annotated[
        int | None,
        typer.Option(
            metavar="VERSION",
            help="Version to serve, which may be one that was rolled back.",
            show_default="the version before the current one",
        ),
    ] = None,
) -> None:
    """Serve an earlier version of the pushed model.

    A server that polls the directory switches by itself. Later runs do not push the model that was
    rolled back, unless `ordained run --push-again` asks for it.
    """
    from components.pusher import versions

    ignore_output_errors()
    base = output / SERVING_DIRECTORY / MODEL_NAME
    done = versions.rollback(base, to)
    if not done.has_manifest:
        print(f"{base}: version {done.after} has no manifest, so its files were not compared")
    if done.before == done.after:
        print(f"{base}: version {done.after} is already served")
    else:
        print(f"{base}: from version {done.before or 'none'} to version {done.after}")
