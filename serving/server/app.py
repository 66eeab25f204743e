"""The complete server: the models, the gRPC and REST ports, start and shutdown."""

import logging
import resource
import threading
import time
from collections.abc import Callable
from typing import Final

import grpc
import uvicorn
from grpc_health.v1.health_pb2 import HealthCheckResponse

from schema.errors import UserError
from serving.ports import listen
from serving.server import grpc_api, inference
from serving.server.config import ServerConfig
from serving.server.errors import ServingError
from serving.server.http_protocol import with_header_timeout
from serving.server.metrics import Metrics
from serving.server.model_manager import ModelManager
from serving.server.rest_api import RestApi

log = logging.getLogger(__name__)

MAX_OPEN_FILES: Final = 65536

HEALTH_POLL_SECONDS: Final = 0.2


class Server:
    """A model server. Creating an instance starts it.

    Args:
        config: Configuration of the server.

    Attributes:
        model_manager: Loads and unloads the models.
        port: Port of the gRPC interface.
        rest_port: Port of the REST interface; None if REST is disabled.
        grpc_address: `HOST:PORT` of the gRPC interface.
        rest_url: `http://HOST:PORT` of the REST interface.

    Raises:
        TryAgainError: Another process listens on a port.
        UserError: A file cannot be read, or the configuration names no model.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        _raise_open_file_limit()
        metrics = Metrics()
        self.model_manager = ModelManager(config, inference.warm_up, metrics)
        self._model_configs = config.load_model_configs()
        self._grpc, self._health = grpc_api.build_server(self.model_manager, metrics, config)
        self.port = _bind_grpc(self._grpc, config)
        self.grpc_address = f"{config.host}:{self.port}"
        self._rest = RestApi(self.model_manager, metrics, config)
        self._http = uvicorn.Server(
            uvicorn.Config(
                self._rest,
                loop="uvloop",
                http=with_header_timeout(config.rest_api_timeout_in_ms / 1000),
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
            rest_socket = listen("REST", config.host, config.rest_api_port)
            self.rest_port = rest_socket.getsockname()[1]
            self._start_thread("http", lambda: self._http.run([rest_socket]))
        self.rest_url = f"http://{config.host}:{self.rest_port}"
        self._grpc.start()
        # Both ports are open while the first versions load, so that clients can query health and
        # status.
        self.model_manager.configure(self._model_configs)
        self.model_manager.start()
        self._start_thread("monitor", self._monitor)

    def stop(self) -> None:
        """Reject new requests, finish the running ones and shut down."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        grpc_stopped = self._grpc.stop(self._config.drain_seconds)
        self._http.should_exit = True
        grpc_stopped.wait()
        for thread in self._threads:
            thread.join(self._config.drain_seconds + 5)
        self.model_manager.stop()
        self._rest.thread_pool.shutdown(wait=False)

    def _start_thread(self, name: str, target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _monitor(self) -> None:
        """Update the health service, and reload the model config when it changes."""
        last_poll = time.monotonic()
        poll_seconds = self._config.model_config_file_poll_wait_seconds
        was_available = False
        while True:
            available = self.model_manager.all_available()
            if available != was_available:
                # Set the status only when it changes: each call notifies all watching clients.
                was_available = available
                status = (
                    HealthCheckResponse.SERVING if available else HealthCheckResponse.NOT_SERVING
                )
                for service in grpc_api.HEALTH_SERVICES:
                    self._health.set(service, status)
            if poll_seconds > 0 and time.monotonic() >= last_poll + poll_seconds:
                last_poll = time.monotonic()
                try:
                    model_configs = self._config.load_model_configs()
                    if model_configs != self._model_configs:
                        self.model_manager.configure(model_configs)
                        self._model_configs = model_configs
                except (UserError, ServingError) as error:
                    log.error("model config not reloaded, the previous one stays: %s", error)
            if self._stopping.wait(HEALTH_POLL_SECONDS):
                return


def _bind_grpc(server: grpc.Server, config: ServerConfig) -> int:
    """Open the TCP port and the Unix socket; returns the number of the port."""
    address = f"{config.host}:{config.port}"
    try:
        if config.ssl is None:
            port = server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials(
                [(config.ssl.server_key.encode(), config.ssl.server_cert.encode())],
                config.ssl.custom_ca.encode() or None,
                config.ssl.client_verify,
            )
            port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError) as error:
        # gRPC does not give the reason. If the port is taken, `listen` raises an error that does.
        listen("gRPC", config.host, config.port).close()
        raise UserError(f"gRPC cannot listen on {address}: {error}") from error
    if config.grpc_socket_path:
        address = f"unix:{config.grpc_socket_path}"
        try:
            server.add_insecure_port(address)
        except RuntimeError as error:
            raise UserError(f"gRPC cannot listen on {address}: {error}") from error
    return port


def _raise_open_file_limit() -> None:
    """Raise the limit of open files, because each connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
