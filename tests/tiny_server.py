"""A tiny model behind the embedded server, for tests of what asks a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.server import Batching, Server, ServerConfig, running
from tests.tiny_model import save_tiny_model

MODEL = "movie_genres"


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
def serving_tiny_model(folder: Path, body_limit: int = 16 << 20) -> Iterator[Served]:
    """Serve version 3 of a tiny model, which is saved unless it is there."""
    base = folder / MODEL
    if not base.exists():
        save_tiny_model(base / "3")
    config = ServerConfig(
        model_name=MODEL,
        model_base_path=base,
        batching=Batching(max_batch_size=64),
        body_limit=body_limit,
    )
    with running(config) as server:
        yield Served(server, base)
