"""Command line: `python -m serving.web`."""

import argparse
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from schema.errors import UserError
from serving.client import Client, ModelName, Patience
from serving.web.app import create_app

SECONDS_TO_ANSWER = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until SIGTERM or Ctrl-C.

    Returns:
        The exit status: 0, or 2 for a mistake of the user.
    """
    options = _parser().parse_args(arguments)
    try:
        client = Client(
            options.grpc or options.rest_url,
            ModelName(options.model_name),
            Patience(SECONDS_TO_ANSWER),
        )
        listening = _listen(options.host, options.port)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        create_app(client, options.model_name),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    # From before the address is printed until the end: uvicorn's own handlers come later and go
    # earlier, and a KeyboardInterrupt between them could be lost where Python ignores exceptions.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    with client:
        print(f"web page on http://{options.host}:{listening.getsockname()[1]}", flush=True)
        server.run([listening])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.web", description="A web page in front of TensorFlow Serving."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=8080, help="0 for any (default: %(default)s)")
    add(
        "--rest-url",
        default="http://127.0.0.1:8501",
        metavar="URL",
        help="the model server over REST; not used where --grpc is given (default: %(default)s)",
    )
    add("--grpc", metavar="HOST:PORT", help="the model server over gRPC")
    add("--model-name", default=ModelName.name, metavar="NAME", help="(default: %(default)s)")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"the web page cannot listen on {host}:{port}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
