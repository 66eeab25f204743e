"""`ordained web`: serve the web page in front of a model server."""

from typing import Annotated, Final

import typer

from cli.options import exit_statuses
from schema.errors import ExitStatus
from schema.names import MODEL_NAME
from schema.streams import ignore_output_errors

EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "SIGTERM or Ctrl-C ended the page.",
        ExitStatus.USER_ERROR: "An option is wrong.",
        ExitStatus.TRY_AGAIN: "Another process listens on the port.",
    }
)


def web(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Port of the page; 0 takes any free port."
        ),
    ] = 8080,
    rest_url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="REST address of the model server. `--grpc` takes precedence."
        ),
    ] = "http://127.0.0.1:8501",
    grpc: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="gRPC address of the model server.")
    ] = None,
    model_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the served model.")
    ] = MODEL_NAME,
) -> None:
    """Serve the web page only.

    On this page, people ask a model server for genres. `ordained serve` starts both together.
    """
    from serving.web.process import serve

    ignore_output_errors()
    serve(grpc or rest_url, model_name, host, port)
