"""Settings of the server, and the files in protobuf's text form that hold some of them.

A file or a value that is wrong raises a `UserError`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from schema.errors import UserError

THREADS: Final = 128
"""Requests that each protocol answers at a time."""

_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.Add(
    text_format.Parse(
        Path(__file__).with_name("parameters.pbtxt").read_text(encoding="utf-8"),
        descriptor_pb2.FileDescriptorProto(),
    )
)


@dataclass(frozen=True)
class Batching:
    """How requests are joined; the fields and defaults of TensorFlow Serving's file."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 2
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise UserError(f"batching parameters: {name} must be at least 1")
        if self.batch_timeout_micros < 0:
            raise UserError("batching parameters: batch_timeout_micros must not be negative")
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            rule = f"must rise and end in max_batch_size, {self.max_batch_size}"
            raise UserError(f"batching parameters: allowed_batch_sizes {rule}")


@dataclass(frozen=True)
class ServerConfig:
    """What a server is started with; see `--help` of the command line for most of it.

    Attributes:
        rest_api_port: 0 for any that is free, None for no REST.
        batching: how requests are joined; None for not at all.
        metrics_path: where Prometheus reads, or None.
        ssl: an SSLConfig for the gRPC port, or None.
        body_limit: largest request in bytes.
        drain_seconds: for requests to end after the server is told to stop.
    """

    model_name: str = "default"
    model_base_path: Path | None = None
    model_config_file: Path | None = None
    model_config_file_poll_wait_seconds: float = 0
    file_system_poll_wait_seconds: float = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    host: str = "127.0.0.1"
    port: int = 0
    rest_api_port: int | None = 0
    grpc_socket_path: str = ""
    rest_api_timeout_in_ms: int = 30_000
    batching: Batching | None = None
    metrics_path: str | None = None
    ssl: Any = None
    grpc_channel_arguments: tuple[tuple[str, int | str], ...] = ()
    body_limit: int = 64 << 20
    drain_seconds: float = 10.0

    def models(self) -> dict[str, ModelConfig]:
        """The models to serve by name; their file is read anew."""
        if self.model_config_file:
            return model_configs(read_models(self.model_config_file))
        if self.model_base_path is None:
            raise UserError("say what to serve: --model_base_path DIR or --model_config_file FILE")
        one = ModelConfig(name=self.model_name, base_path=str(self.model_base_path))
        return model_configs(ModelServerConfig(model_config_list={"config": [one]}))


def model_configs(config: ModelServerConfig) -> dict[str, ModelConfig]:
    """The models of a model server config by name."""
    configs: dict[str, ModelConfig] = {}
    for one in config.model_config_list.config:
        if not one.name or not one.base_path:
            raise UserError("model config: each model needs a name and a base_path")
        if one.name in configs:
            raise UserError(f"model config: the name {one.name} is given twice")
        if one.model_platform not in ("", "tensorflow"):
            raise UserError(f"model config: {one.name} is not of model_platform tensorflow")
        configs[one.name] = one
    return configs


def read_batching(path: Path) -> Batching:
    """Batching parameters from a file."""
    message = _read(path, _message("BatchingParameters"))
    given = {
        name: getattr(message, name).value
        for name in Batching.__dataclass_fields__
        if name != "allowed_batch_sizes" and message.HasField(name)
    }
    return Batching(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))


def read_monitoring(path: Path) -> str | None:
    """The path of the Prometheus page, or None where it is not enabled."""
    prometheus = _read(path, _message("MonitoringConfig")).prometheus_config
    return (prometheus.path or "/monitoring/prometheus/metrics") if prometheus.enable else None


def read_ssl(path: Path) -> Any:
    """An SSLConfig from a file: PEM texts `server_key`, `server_cert`, `custom_ca`."""
    message = _read(path, _message("SSLConfig"))
    if not message.server_key or not message.server_cert:
        raise UserError(f"{path}: server_key and server_cert must both be given, as PEM text")
    return message


def read_models(path: Path) -> ModelServerConfig:
    """The model config of a file."""
    return _read(path, ModelServerConfig())


def _message(name: str) -> Message:
    found = _POOL.FindMessageTypeByName(f"ordained.serving.{name}")
    return message_factory.GetMessageClass(found)()


def _read(path: Path, message: Message) -> Any:
    """The message, filled in from a file."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path} is not as expected: line {error}") from error
