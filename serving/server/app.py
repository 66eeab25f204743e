"""A server as a whole: models, both ports, start and end."""

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
from serving.server.http_protocol import patient
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.rest_api import RestApi

log = logging.getLogger(__name__)

FILES: Final = 65536


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
        self.models = Models(config, inference.warm, metrics)
        self._wanted = config.models()
        self._grpc, self._health = grpc_api.build(self.models, metrics, config)
        self.port = _bind(self._grpc, config)
        self.grpc_address = f"{config.host}:{self.port}"
        self._rest = RestApi(self.models, metrics, config)
        self._http = uvicorn.Server(
            uvicorn.Config(
                self._rest,
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
        self.rest_port: int | None = None  # None where there is no REST.
        self._threads: list[threading.Thread] = []
        if config.rest_api_port is not None:
            listening = listen("REST", config.host, config.rest_api_port)
            self.rest_port = listening.getsockname()[1]
            self._spawn("http", lambda: self._http.run([listening]))
        self.rest_url = f"http://{config.host}:{self.rest_port}"
        self._grpc.start()
        # Both ports answer while the first versions are loaded: health and status say how far.
        self.models.configure(self._wanted)
        self.models.start()
        self._spawn("watch", self._watch)

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
        self._rest.pool.shutdown(wait=False)

    def _spawn(self, name: str, target: Callable[[], object]) -> None:
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
                state = HealthCheckResponse.SERVING if known else HealthCheckResponse.NOT_SERVING
                for service in grpc_api.HEALTH_OF:
                    self._health.set(service, state)
            if every > 0 and time.monotonic() >= look_again + every:
                look_again = time.monotonic()
                try:
                    wanted = self._config.models()
                    if wanted != self._wanted:
                        self.models.configure(wanted)
                        self._wanted = wanted
                except (UserError, ServingError) as error:
                    log.error("the model config is left as it was: %s", error)
            if self._stopping.wait(0.2):
                return


def _bind(server: grpc.Server, config: ServerConfig) -> int:
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
