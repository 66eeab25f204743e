"""Command line: `python -m serving.web`."""

import argparse
import signal
import sys
from collections.abc import Sequence

import uvicorn

from schema.command import failed
from schema.errors import ExitStatus, UserError, exit_status_help
from schema.names import MODEL_NAME
from serving.client import Client, ModelName, Patience
from serving.ports import listen
from serving.web.app import create_app

SECONDS_TO_ANSWER = 20.0

EPILOG = exit_status_help(
    {
        ExitStatus.OK: "SIGTERM or Ctrl-C ended it",
        ExitStatus.USER_ERROR: "a mistake in the options",
        ExitStatus.TRY_AGAIN: "another process listens on the port",
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until SIGTERM or Ctrl-C.

    Returns:
        The exit status (see `EPILOG`).
    """
    options = _parser().parse_args(arguments)
    try:
        client = Client(
            options.grpc or options.rest_url,
            ModelName(options.model_name),
            Patience(SECONDS_TO_ANSWER),
        )
        listening = listen("the web page", options.host, options.port)
    except UserError as error:
        return failed(error)
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
    return ExitStatus.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.web",
        description="A web page in front of TensorFlow Serving.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    add("--model-name", default=MODEL_NAME, metavar="NAME", help="(default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
