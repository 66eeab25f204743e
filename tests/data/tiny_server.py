"""A tiny model behind the embedded server, and the web page before it, for tests of both."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schema.names import MODEL_NAME
from serving.server import BatchingConfig, Server, ServerConfig
from tests.data.model_server import run_server
from tests.data.tiny_model import save_tiny_model


@dataclass(frozen=True)
class Served:
    """A running server; `base` holds the versions of its model."""

    server: Server
    base: Path

    @property
    def grpc(self) -> str:
        return self.server.grpc_address

    @property
    def rest(self) -> str:
        return self.server.rest_url

    @property
    def both(self) -> tuple[str, str]:
        return self.grpc, self.rest


@contextmanager
def serving_tiny_model(
    folder: Path, max_request_bytes: int = 16 << 20, rest_port: int = 0
) -> Iterator[Served]:
    """Serve version 3 of a tiny model, which is saved unless it is there."""
    base = folder / MODEL_NAME
    if not base.exists():
        save_tiny_model(base / "3")
    config = ServerConfig(
        model_name=MODEL_NAME,
        model_base_path=base,
        rest_api_port=rest_port,
        batching=BatchingConfig(max_batch_size=64),
        max_request_bytes=max_request_bytes,
    )
    with run_server(config) as server:
        yield Served(server, base)


@contextmanager
def running_page(options: list[str]) -> Iterator[str]:
    """The web page in a process of its own, with a port that is free; yields its address."""
    command = [sys.executable, "-m", "cli", "web", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("web page on ").strip()
        finally:
            process.terminate()
