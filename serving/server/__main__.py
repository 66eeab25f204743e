"""Command line: `python -m serving.server`, with the options of tensorflow_model_server."""

import argparse
import logging
import os
import queue
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schema import command
from schema.errors import ExitStatus, UserError, exit_status_help
from serving.server.app import Server
from serving.server.config import (
    Batching,
    ServerConfig,
    read_batching,
    read_monitoring,
    read_ssl,
)

SIGNAL_SECONDS: Final = 0.2
"""Between two looks for a signal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C.

    Returns:
        The exit status, as `--help` lists them.
    """
    options = _parser().parse_args(arguments)
    return command.run(lambda: _serve(options))


def _serve(options: argparse.Namespace) -> None:
    # What TensorFlow says of itself is no news to the one who serves.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("serving").setLevel(logging.INFO)
    # Of a queue of this kind alone may a signal handler make use whatever it has interrupted.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    server = Server(_config(options))
    rest = f", REST on {server.rest_url}" if server.rest_port else ""
    print(f"gRPC on {server.grpc_address}{rest}", flush=True)
    # A signal that another thread takes does not wake this one: so it looks now and then.
    while signals.empty():
        time.sleep(SIGNAL_SECONDS)
    server.stop()


def _parser() -> argparse.ArgumentParser:
    """The options; the names of those that `ServerConfig` takes as they are are its own."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        description="Serve SavedModels over TensorFlow Serving's gRPC and REST interfaces.",
        epilog=exit_status_help(
            {
                ExitStatus.OK: "SIGTERM or Ctrl-C ended it",
                ExitStatus.USER_ERROR: "a mistake in the options or in a file that they name",
                ExitStatus.TRY_AGAIN: "another process listens on a port",
            }
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--port", type=int, default=8500, help="gRPC; 0 for any (default: %(default)s)")
    add("--rest_api_port", type=int, default=0, help="REST; 0 for none (default: %(default)s)")
    add("--host", default="0.0.0.0", help="address to listen on (default: all)")
    add("--grpc_socket_path", default="", help="a Unix domain socket for gRPC", metavar="PATH")
    add("--model_name", default="default", help="(default: %(default)s)")
    add("--model_base_path", type=Path, help="folder with a folder a version", metavar="DIR")
    add("--model_config_file", type=Path, help="several models, in text form", metavar="FILE")
    add(
        "--model_config_file_poll_wait_seconds",
        type=float,
        default=0,
        metavar="S",
        help="look at that file again; 0 for never (default: 0)",
    )
    add(
        "--file_system_poll_wait_seconds",
        type=float,
        default=1,
        metavar="S",
        help="look for versions again; 0 for never (default: 1)",
    )
    add("--max_num_load_retries", type=int, default=5, metavar="N", help="(default: 5)")
    add(
        "--load_retry_interval_micros",
        type=int,
        default=60_000_000,
        metavar="US",
        help="between them (default: a minute)",
    )
    add("--enable_batching", type=_flag, nargs="?", const=True, default=False, metavar="BOOL")
    add("--batching_parameters_file", type=Path, metavar="FILE")
    add("--monitoring_config_file", type=Path, metavar="FILE")
    add("--ssl_config_file", type=Path, metavar="FILE", help="TLS on the gRPC port")
    add("--grpc_channel_arguments", default="", metavar="K=V,...")
    add("--rest_api_timeout_in_ms", type=int, default=30_000, metavar="MS")
    return parser


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, not {text}")
    return text.lower() in ("true", "1")


def _config(options: argparse.Namespace) -> ServerConfig:
    given = vars(options)
    batching, monitoring, ssl = (
        given.pop(name)
        for name in ("batching_parameters_file", "monitoring_config_file", "ssl_config_file")
    )
    if given.pop("enable_batching"):
        default = Batching(num_batch_threads=os.cpu_count() or 1)
        given["batching"] = read_batching(batching) if batching else default
    elif batching:
        raise UserError("--batching_parameters_file is set without setting --enable_batching")
    return ServerConfig(
        **given
        | {
            "rest_api_port": options.rest_api_port or None,
            "metrics_path": read_monitoring(monitoring) if monitoring else None,
            "ssl": read_ssl(ssl) if ssl else None,
            "grpc_channel_arguments": channel_arguments(options.grpc_channel_arguments),
        }
    )


def channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """`name=value` pairs joined by commas; whole numbers as such.

    Raises:
        UserError: a pair has no `=`.
    """
    pairs = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"--grpc_channel_arguments: expected NAME=VALUE, not {part}")
        pairs.append((name, int(value) if value.lstrip("-").isdigit() else value))
    return tuple(pairs)


if __name__ == "__main__":
    sys.exit(main())
