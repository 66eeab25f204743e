"""Command line: `python -m serving.web`."""

import argparse
import signal
import sys
from collections.abc import Sequence

import uvicorn

from schema import command
from schema.errors import ExitStatus, exit_status_help
from schema.names import MODEL_NAME
from serving.client import Client, ModelSpec
from serving.ports import listen
from serving.web.app import create_app

SECONDS_TO_ANSWER = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until SIGTERM or Ctrl-C; returns the exit status."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _serve(options))


def _serve(options: argparse.Namespace) -> None:
    model = ModelSpec(options.model_name)
    with Client(options.grpc or options.rest_url, model, SECONDS_TO_ANSWER) as client:
        listening = listen("the web page", options.host, options.port)
        config = uvicorn.Config(
            create_app(client, options.model_name),
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        # From before the address is printed until the end: uvicorn's own handlers come later and
        # go earlier, and a KeyboardInterrupt between them could be lost where Python ignores
        # exceptions.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.handle_exit)
        print(f"web page on http://{options.host}:{listening.getsockname()[1]}", flush=True)
        server.run([listening])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.web",
        description="A web page in front of TensorFlow Serving.",
        epilog=exit_status_help(
            {
                ExitStatus.OK: "SIGTERM or Ctrl-C ended it",
                ExitStatus.USER_ERROR: "a mistake in the options",
                ExitStatus.TRY_AGAIN: "another process listens on the port",
            }
        ),
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
