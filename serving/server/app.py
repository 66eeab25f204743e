"""A server as a whole: models, both ports, start and end."""

import contextlib
import logging
import os
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import uvicorn
from grpc_health.v1 import health_pb2
from tensorflow_serving.config import model_server_config_pb2

from schema.errors import UserError
from serving.ports import listen
from serving.server import grpc_api, inference, text_config
from serving.server.errors import ServingError
from serving.server.http_protocol import patient
from serving.server.metrics import Metrics
from serving.server.models import Models, Polling, model_configs
from serving.server.rest_api import RestApi
from serving.server.text_config import Batching, Ssl

log = logging.getLogger(__name__)

FILES: Final = 65536


@dataclass(frozen=True)
class ServerConfig:
    """What a server is started with; the names of the command line.

    Attributes:
        model_name: of the one model at `model_base_path`, unless a file names several.
        model_base_path: the folder with the versions.
        model_config_file: a ModelServerConfig in text form, in place of these two.
        model_config_file_poll_wait_seconds: between two looks at that file; 0 for never again.
        host: address that both ports are bound to.
        port: gRPC; 0 for any that is free.
        rest_api_port: REST; 0 for any that is free, None for no REST.
        grpc_socket_path: a Unix domain socket beside the gRPC port, or empty.
        rest_api_timeout_in_ms: for a body to arrive, and for an answer.
        polling: how directories are watched.
        batching: how requests are joined; None for not at all.
        metrics_path: where Prometheus reads, or None.
        ssl: certificates of the gRPC port.
        channel_arguments: of the gRPC server.
        threads: requests that each protocol answers at a time.
        body_limit: largest request in bytes.
        drain_seconds: for requests to end after the server is told to stop.
    """

    model_name: str = "default"
    model_base_path: Path | None = None
    model_config_file: Path | None = None
    model_config_file_poll_wait_seconds: float = 0
    host: str = "127.0.0.1"
    port: int = 0
    rest_api_port: int | None = 0
    grpc_socket_path: str = ""
    rest_api_timeout_in_ms: int = 30_000
    polling: Polling = field(default_factory=Polling)
    batching: Batching | None = None
    metrics_path: str | None = None
    ssl: Ssl | None = None
    channel_arguments: tuple[tuple[str, Any], ...] = ()
    threads: int = 128
    body_limit: int = 64 << 20
    drain_seconds: float = 10.0


class Server:
    """A server, started by its construction.

    Raises:
        TryAgainError: another process listens on a port.
        UserError: a file cannot be read, or no model is named.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        _allow_many_files()
        metrics = Metrics()
        self.models = Models(config.polling, config.batching, inference.warm, metrics)
        configs, self._config_text = _configured(config)
        self._grpc, self._health = grpc_api.build(
            self.models,
            metrics,
            config.threads,
            list(config.channel_arguments),
            config.body_limit,
        )
        self.port = _bind(self._grpc, config)
        self._pool = ThreadPoolExecutor(config.threads, "rest")
        rest = RestApi(
            self.models,
            metrics,
            self._pool,
            config.threads * 8,
            config.body_limit,
            config.rest_api_timeout_in_ms / 1000,
            config.metrics_path,
        )
        self._http = uvicorn.Server(
            uvicorn.Config(
                rest,
                loop="uvloop",
                http=patient(config.rest_api_timeout_in_ms / 1000),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=int(config.drain_seconds),
                server_header=False,
            )
        )
        self.rest_port: int | None = None
        self._threads: list[threading.Thread] = []
        if config.rest_api_port is not None:
            listening = listen("REST", config.host, config.rest_api_port)
            self.rest_port = listening.getsockname()[1]
            self._spawn("http", lambda: self._http.run([listening]))
        self._grpc.start()
        # Both ports answer while the first versions are loaded: health and status say how far.
        self.models.configure(configs)
        self.models.start()
        self._spawn("watch", self._watch)

    @property
    def grpc_address(self) -> str:
        """HOST:PORT of gRPC."""
        return f"{self._config.host}:{self.port}"

    @property
    def socket_path(self) -> str:
        """The Unix domain socket of gRPC, or empty."""
        return self._config.grpc_socket_path

    @property
    def rest_url(self) -> str:
        """http://HOST:PORT of REST."""
        return f"http://{self._config.host}:{self.rest_port}"

    def stop(self) -> None:
        """Take no more requests, answer those at hand, and end."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        stopped = self._grpc.stop(self._config.drain_seconds)
        self._http.should_exit = True
        stopped.wait()
        for thread in self._threads:
            thread.join(self._config.drain_seconds + 5)
        self.models.stop()
        self.models.configure({})
        self._pool.shutdown(wait=False)

    def _spawn(self, name: str, target: Any) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _watch(self) -> None:
        """Keep the health service true, and read the model config again when it changes."""
        look_again = time.monotonic()
        every = self._config.model_config_file_poll_wait_seconds
        known = False
        while True:
            available = self.models.available()
            if available != known:
                # Each setting is sent to all who watch.
                known = available
                state = health_pb2.HealthCheckResponse
                for service in grpc_api.HEALTH_OF:
                    self._health.set(service, state.SERVING if known else state.NOT_SERVING)
            if every > 0 and time.monotonic() >= look_again + every:
                look_again = time.monotonic()
                self._read_again()
            if self._stopping.wait(0.2):
                return

    def _read_again(self) -> None:
        """A file that is wrong changes nothing."""
        try:
            configs, text = _configured(self._config)
            if text != self._config_text:
                self.models.configure(configs)
                self._config_text = text
        except (UserError, ServingError) as error:
            log.error("the model config is left as it was: %s", error)


@contextlib.contextmanager
def running(config: ServerConfig) -> Iterator[Server]:
    """A server for as long as the block runs."""
    server = Server(config)
    try:
        yield server
    finally:
        server.stop()


def _configured(config: ServerConfig) -> tuple[dict[str, Any], str]:
    if config.model_config_file:
        models = text_config.read_models(config.model_config_file)
        return model_configs(models), str(models)
    if config.model_base_path is None:
        raise UserError("say what to serve: --model_base_path DIR or --model_config_file FILE")
    one = model_server_config_pb2.ModelServerConfig()
    one.model_config_list.config.add(
        name=config.model_name,
        base_path=str(config.model_base_path),
        model_platform="tensorflow",
    )
    return model_configs(one), str(one)


def _bind(server: grpc.Server, config: ServerConfig) -> int:
    address = f"{config.host}:{config.port}"
    try:
        if config.ssl is None:
            port = server.add_insecure_port(address)
        else:
            ca = config.ssl.custom_ca.encode() or None
            credentials = grpc.ssl_server_credentials(
                [(config.ssl.server_key.encode(), config.ssl.server_cert.encode())],
                ca,
                config.ssl.client_verify,
            )
            port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError) as error:
        # gRPC does not say why it failed; this raises an error that does, if the port is taken.
        listen("gRPC", config.host, config.port).close()
        raise UserError(f"gRPC cannot listen on {address}: {error}") from error
    if config.grpc_socket_path:
        path = f"unix:{config.grpc_socket_path}"
        try:
            server.add_insecure_port(path)
        except RuntimeError as error:
            raise UserError(f"gRPC cannot listen on {path}: {error}") from error
    return port


def _allow_many_files() -> None:
    """A thousand clients are a thousand open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def default_batching() -> Batching:
    """What `--enable_batching` alone means."""
    return Batching(num_batch_threads=os.cpu_count() or 1)
