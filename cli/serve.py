"""`ordained serve`: serve the pushed model over gRPC and REST, with a web page."""

import sys
from typing import Annotated, Final

import typer

from cli.options import OutputOption, exit_statuses
from schema.errors import ExitStatus
from schema.names import DEFAULT_OUTPUT, LOGS_DIRECTORY, MODEL_NAME, SERVING_DIRECTORY
from schema.streams import ignore_output_errors
from serving import launch

EPILOG: Final = exit_statuses(
    {
        ExitStatus.OK: "SIGTERM or Ctrl-C ended the server.",
        ExitStatus.FAILED: "The server or the web page ended by itself; the log says why.",
        ExitStatus.USER_ERROR: "No model has been pushed, or an option is wrong.",
        ExitStatus.TRY_AGAIN: "Another process listens on one of the ports, or the disk is full.",
    }
)


def serve(
    output: OutputOption = DEFAULT_OUTPUT,
    server: Annotated[
        launch.ServerKind | None,
        typer.Option(help="Server to start.", show_default="the first that this machine has"),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Port for gRPC.")
    ] = 8500,
    rest_api_port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Port for REST.")
    ] = 8501,
    web_port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="PORT", help="Port of the web page.")
    ] = 8080,
) -> int:
    """Serve the pushed model and a web page.

    TensorFlow Serving serves the model over gRPC and REST if its binary is on the PATH (`binary`)
    or a Docker engine runs (`docker`). Otherwise, the embedded server does (`embedded`).
    """
    ignore_output_errors()
    base = (output / SERVING_DIRECTORY / MODEL_NAME).resolve()
    address = launch.Address(host, port, rest_api_port, web_port, base)
    web_page = [sys.executable, "-m", "cli", "web", *web_options(address)]
    return launch.serve(server, address, output / LOGS_DIRECTORY, web_page)


def web_options(address: launch.Address) -> list[str]:
    """Return the options of `ordained web` for the page beside a server."""
    return [
        *("--host", address.host, "--port", str(address.web)),
        *("--rest-url", address.rest_url, "--grpc", f"{address.host}:{address.grpc}"),
        *("--model-name", MODEL_NAME),
    ]
