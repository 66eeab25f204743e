"""Opens the report of the newest run in a browser, or prints its path.

python -m pipeline.show_report --output DIR [--no-browser]
"""

import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import metadata
from pipeline.arguments import command_parser
from schema import command
from schema.errors import UserError
from schema.names import LOGS_DIRECTORY, METADATA_FILE, MODEL_REPORT_FILE, Node


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the path of the report and open it in a browser; returns the exit status."""
    parser = command_parser(
        "pipeline.show_report", "Open the report of the newest run in a browser, or print its path."
    )
    parser.add_argument("--no-browser", action="store_true", help="print the path alone")
    given = parser.parse_args(arguments)

    def show() -> None:
        path = newest(given.output.resolve())
        print(path)
        # Without a display some browsers open in the terminal.
        displays = map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))
        if not given.no_browser and (sys.platform == "darwin" or any(displays)):
            webbrowser.open(path.as_uri())

    return command.run(show)


def newest(output: Path) -> Path:
    """The report of the newest run that has one.

    Raises:
        UserError: there is none.
    """
    # A run that ended before its last node has a page beside its log.
    logs = sorted((output / LOGS_DIRECTORY).glob("run-*.log"))
    if logs and logs[-1].with_suffix(".html").is_file():
        return logs[-1].with_suffix(".html")
    history = metadata.read(output / METADATA_FILE)
    for execution in reversed(history.executions):
        for artifact in history.outputs(execution).values():
            path = Path(artifact.uri, MODEL_REPORT_FILE)
            if execution.node == Node.MODEL_REPORT and path.is_file():
                return path
    raise UserError(f"{output} has no report yet: run the pipeline (`make run`)")


if __name__ == "__main__":
    sys.exit(main())
