"""The embedded server with a tiny model, and the web page, for tests of both."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schema.genres import GENRES
from schema.names import MODEL_NAME
from serving.server import BatchingConfig, Server, ServerConfig
from tests.data.model_server import run_server
from tests.data.tiny_model import save_tiny_model


@dataclass(frozen=True)
class TinyServer:
    """Running server and the directory with the versions of its model."""

    server: Server
    model_directory: Path

    @property
    def grpc_address(self) -> str:
        return self.server.grpc_address

    @property
    def rest_url(self) -> str:
        return self.server.rest_url

    @property
    def addresses(self) -> tuple[str, str]:
        return self.grpc_address, self.rest_url


@contextmanager
def serve_tiny_model(
    directory: Path,
    max_request_bytes: int = 16 << 20,
    rest_port: int = 0,
    genres: Sequence[str] = GENRES,
) -> Iterator[TinyServer]:
    """Serve version 3 of a tiny model, and save the model first if it does not exist."""
    model_directory = directory / MODEL_NAME
    if not model_directory.exists():
        save_tiny_model(model_directory / "3", genres=genres)
    config = ServerConfig(
        model_name=MODEL_NAME,
        model_base_path=model_directory,
        rest_api_port=rest_port,
        batching=BatchingConfig(max_batch_size=64),
        max_request_bytes=max_request_bytes,
    )
    with run_server(config) as server:
        yield TinyServer(server, model_directory)


@contextmanager
def run_web_page(options: list[str]) -> Iterator[str]:
    """Run the web page as a subprocess on a free port, and yield its URL."""
    command = [sys.executable, "-m", "cli", "web", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("web page on ").strip()
        finally:
            process.terminate()
