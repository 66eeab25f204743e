"""`ordained report`: open the report of the newest run."""

import os
import sys
import webbrowser
from typing import Annotated, Final

import typer

from cli.options import COMMON_STATUSES, OutputOption, exit_statuses
from schema.names import DEFAULT_OUTPUT

EPILOG: Final = exit_statuses(COMMON_STATUSES)


def report(
    output: OutputOption = DEFAULT_OUTPUT,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the path of the report only.")
    ] = False,
) -> None:
    """Open the report of the newest run.

    The command prints the path of the report and opens it in a browser.
    """
    from pipeline.past_runs import newest_report

    path = newest_report(output.resolve())
    print(path)
    # Without a display, some browsers open in the terminal.
    has_display = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if not no_browser and (sys.platform == "darwin" or has_display):
        webbrowser.open(path.as_uri())
