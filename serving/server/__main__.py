"""Command line `python -m serving.server`, with the flags of tensorflow_model_server."""

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
from schema.streams import ignore_output_errors
from serving.server import config
from serving.server.app import Server

SIGNAL_POLL_SECONDS: Final = 0.2

FLAGS: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("port", 8500, "PORT", "port of the gRPC interface; 0 for any free port"),
    ("rest_api_port", 0, "PORT", "port of the REST interface; 0 disables REST"),
    ("host", "0.0.0.0", "HOST", "address to listen on; 0.0.0.0 for all addresses of the machine"),
    ("grpc_socket_path", "", "PATH", "Unix domain socket on which to serve gRPC as well"),
    ("model_name", "default", "NAME", "name of the model"),
    ("model_base_path", None, "DIR", "directory with one subdirectory per version"),
    ("model_config_file", None, "FILE", "ModelServerConfig in text format, for several models"),
    (
        "model_config_file_poll_wait_seconds",
        0.0,
        "SECONDS",
        "time between two reads of the model config file; 0 reads it once",
    ),
    (
        "file_system_poll_wait_seconds",
        1.0,
        "SECONDS",
        "time between two searches for new versions; 0 searches once",
    ),
    ("max_num_load_retries", 5, "N", "number of further attempts to load a version that fails"),
    (
        "load_retry_interval_micros",
        60_000_000,
        "MICROSECONDS",
        "time between two attempts to load a version",
    ),
    ("batching_parameters_file", None, "FILE", "BatchingParameters in text format"),
    ("monitoring_config_file", None, "FILE", "MonitoringConfig in text format, for Prometheus"),
    ("ssl_config_file", None, "FILE", "SSLConfig in text format, for TLS on the gRPC port"),
    ("grpc_channel_arguments", "", "NAME=VALUE,...", "arguments of the gRPC server"),
    (
        "rest_api_timeout_in_ms",
        30_000,
        "MILLISECONDS",
        "timeout of a REST request: for its headers, its body and the response each",
    ),
)
"""Name, default (None for a path), placeholder and help text of each flag."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C, and return the exit status."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _serve(options))


def _serve(options: argparse.Namespace) -> None:
    ignore_output_errors()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("serving").setLevel(logging.INFO)
    # SimpleQueue is reentrant, so a signal handler may use it whatever it interrupts.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    server = Server(_server_config(options))
    rest = f", REST on {server.rest_url}" if server.rest_port else ""
    print(f"gRPC on {server.grpc_address}{rest}", flush=True)
    # Poll, because a signal that another thread receives does not wake the main thread.
    while signals.empty():
        time.sleep(SIGNAL_POLL_SECONDS)
    server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        description="Serve SavedModels over TensorFlow Serving's gRPC and REST interfaces.",
        epilog=exit_status_help(
            {
                ExitStatus.OK: "the server was stopped by SIGTERM or Ctrl-C",
                ExitStatus.USER_ERROR: "an option, or a file that an option names, is wrong",
                ExitStatus.TRY_AGAIN: "another process listens on a port",
            }
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, default, placeholder, text in FLAGS:
        parser.add_argument(
            f"--{name}",
            type=Path if default is None else type(default),
            default=default,
            metavar=placeholder,
            help=text if default in (None, "") else f"{text} (default: %(default)s)",
        )
    parser.add_argument(
        "--enable_batching",
        type=_boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="answer concurrent requests by one call of the model (default: false)",
    )
    return parser


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text}")
    return text.lower() in ("true", "1")


def _server_config(options: argparse.Namespace) -> config.ServerConfig:
    values = vars(options)
    files = ("batching_parameters_file", "monitoring_config_file", "ssl_config_file")
    batching, monitoring, ssl = (values.pop(name) for name in files)
    if values.pop("enable_batching"):
        default = config.BatchingConfig(num_batch_threads=os.cpu_count() or 1)
        values["batching"] = config.read_batching_config(batching) if batching else default
    elif batching:
        raise UserError("--batching_parameters_file needs --enable_batching")
    values["rest_api_port"] = options.rest_api_port or None
    values["metrics_path"] = config.read_metrics_path(monitoring) if monitoring else None
    values["ssl"] = config.read_ssl_config(ssl) if ssl else None
    values["grpc_channel_arguments"] = parse_channel_arguments(options.grpc_channel_arguments)
    # All other flags have the names of the fields.
    return config.ServerConfig(**values)


def parse_channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """Parse `NAME=VALUE` pairs that are separated by commas. Whole numbers become integers.

    Raises:
        UserError: A pair has no `=`.
    """
    pairs = []
    for pair in filter(None, text.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--grpc_channel_arguments: expected NAME=VALUE, got {pair}")
        pairs.append((name, int(value) if value.lstrip("-").isdigit() else value))
    return tuple(pairs)


if __name__ == "__main__":
    sys.exit(main())
