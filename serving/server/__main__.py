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
from typing import Any, Final

from schema import command
from schema.errors import ExitStatus, UserError, exit_status_help
from serving.server import config
from serving.server.app import Server

SIGNAL_SECONDS: Final = 0.2
"""Between two looks for a signal."""

OPTIONS: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("port", 8500, "PORT", "gRPC; 0 for any (default: %(default)s)"),
    ("rest_api_port", 0, "PORT", "REST; 0 for none (default: %(default)s)"),
    ("host", "0.0.0.0", "HOST", "address to listen on (default: all)"),
    ("grpc_socket_path", "", "PATH", "a Unix domain socket for gRPC"),
    ("model_name", "default", "NAME", "(default: %(default)s)"),
    ("model_base_path", None, "DIR", "folder with a folder a version"),
    ("model_config_file", None, "FILE", "several models, in text form"),
    ("model_config_file_poll_wait_seconds", 0.0, "S", "look at it again; 0 for never (default: 0)"),
    ("file_system_poll_wait_seconds", 1.0, "S", "look for versions; 0 for never (default: 1)"),
    ("max_num_load_retries", 5, "N", "(default: %(default)s)"),
    ("load_retry_interval_micros", 60_000_000, "US", "between them (default: a minute)"),
    ("batching_parameters_file", None, "FILE", "sizes of batches and of the queue"),
    ("monitoring_config_file", None, "FILE", "where Prometheus reads"),
    ("ssl_config_file", None, "FILE", "TLS on the gRPC port"),
    ("grpc_channel_arguments", "", "K=V,...", "options of gRPC itself"),
    ("rest_api_timeout_in_ms", 30_000, "MS", "for a body and for an answer (default: %(default)s)"),
)
"""Names, defaults (None where there is no file), and what `--help` says of the value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status."""
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
    for name, default, metavar, words in OPTIONS:
        kind = Path if default is None else type(default)
        add(f"--{name}", type=kind, default=default, metavar=metavar, help=words)
    add("--enable_batching", type=_flag, nargs="?", const=True, default=False, metavar="BOOL")
    return parser


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, not {text}")
    return text.lower() in ("true", "1")


def _config(options: argparse.Namespace) -> config.ServerConfig:
    given = vars(options)
    files = ("batching_parameters_file", "monitoring_config_file", "ssl_config_file")
    batching, monitoring, ssl = (given.pop(name) for name in files)
    if given.pop("enable_batching"):
        default = config.Batching(num_batch_threads=os.cpu_count() or 1)
        given["batching"] = config.read_batching(batching) if batching else default
    elif batching:
        raise UserError("--batching_parameters_file is set without setting --enable_batching")
    given["rest_api_port"] = options.rest_api_port or None
    given["metrics_path"] = config.read_monitoring(monitoring) if monitoring else None
    given["ssl"] = config.read_ssl(ssl) if ssl else None
    given["grpc_channel_arguments"] = channel_arguments(options.grpc_channel_arguments)
    # All other options have the names of the fields.
    return config.ServerConfig(**given)


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
