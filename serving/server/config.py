"""Configuration of the server, and readers for its files in protobuf text format.

All functions raise a `UserError` if a file cannot be read or a value is not allowed.
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

THREADS_PER_PROTOCOL: Final = 128
"""Number of requests that gRPC and REST each process at the same time."""

DEFAULT_METRICS_PATH: Final = "/monitoring/prometheus/metrics"

_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.Add(
    text_format.Parse(
        Path(__file__).with_name("parameters.pbtxt").read_text(encoding="utf-8"),
        descriptor_pb2.FileDescriptorProto(),
    )
)


@dataclass(frozen=True)
class BatchingConfig:
    """Batching parameters, with TensorFlow Serving's names and defaults.

    Attributes:
        max_batch_size: Largest number of rows in one batch.
        batch_timeout_micros: Longest time a request waits for others, in microseconds.
        max_enqueued_batches: Capacity of the queue, in batches of `max_batch_size` rows.
        num_batch_threads: Number of batches that are processed at the same time.
        allowed_batch_sizes: Batch sizes in ascending order, ending in `max_batch_size`. Batches are
            padded to the next of them. Empty allows all sizes.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 2
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Validate the values."""
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise UserError(f"batching parameters: {name} must be at least 1")
        if self.batch_timeout_micros < 0:
            raise UserError("batching parameters: batch_timeout_micros must not be negative")
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise UserError(
                "batching parameters: allowed_batch_sizes must be in ascending order and end in "
                f"max_batch_size, which is {self.max_batch_size}"
            )


@dataclass(frozen=True)
class ServerConfig:
    """Configuration of a server. Most fields are described in `python -m serving.server --help`.

    Attributes:
        rest_api_port: Port of the REST interface; 0 for any free port, None to disable REST.
        batching: Batching parameters; None disables batching.
        metrics_path: URL path of the Prometheus metrics; None disables them.
        ssl: SSLConfig message for the gRPC port; None disables TLS.
        max_request_bytes: Largest size of a request.
        drain_seconds: Time allowed for running requests when the server stops, in seconds.
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
    batching: BatchingConfig | None = None
    metrics_path: str | None = None
    ssl: Any = None
    grpc_channel_arguments: tuple[tuple[str, int | str], ...] = ()
    max_request_bytes: int = 64 << 20
    drain_seconds: float = 10.0

    def load_model_configs(self) -> dict[str, ModelConfig]:
        """Return the models to serve by name. Each call reads `model_config_file` again."""
        if self.model_config_file:
            return model_configs_by_name(read_model_server_config(self.model_config_file))
        if self.model_base_path is None:
            raise UserError(
                "no model to serve: give --model_base_path DIR or --model_config_file FILE"
            )
        model = ModelConfig(name=self.model_name, base_path=str(self.model_base_path))
        return model_configs_by_name(ModelServerConfig(model_config_list={"config": [model]}))


def model_configs_by_name(config: ModelServerConfig) -> dict[str, ModelConfig]:
    """Validate a ModelServerConfig and return its models by name."""
    models: dict[str, ModelConfig] = {}
    for model in config.model_config_list.config:
        if not model.name or not model.base_path:
            raise UserError("model config: each model needs a name and a base_path")
        if model.name in models:
            raise UserError(
                f"model config: {model.name}: expected one model of this name, got several"
            )
        if model.model_platform not in ("", "tensorflow"):
            raise UserError(
                f"model config: {model.name}: expected the model_platform tensorflow, got "
                f"{model.model_platform}"
            )
        models[model.name] = model
    return models


def read_batching_config(path: Path) -> BatchingConfig:
    """Read batching parameters from a file."""
    message = _parse_file(path, _new_message("BatchingParameters"))
    values = {
        name: getattr(message, name).value
        for name in BatchingConfig.__dataclass_fields__
        if name != "allowed_batch_sizes" and message.HasField(name)
    }
    return BatchingConfig(**values, allowed_batch_sizes=tuple(message.allowed_batch_sizes))


def read_metrics_path(path: Path) -> str | None:
    """Read the URL path of the Prometheus metrics from a file; None if they are disabled."""
    prometheus = _parse_file(path, _new_message("MonitoringConfig")).prometheus_config
    return (prometheus.path or DEFAULT_METRICS_PATH) if prometheus.enable else None


def read_ssl_config(path: Path) -> Any:
    """Read an SSLConfig message, whose key and certificates are PEM text, from a file."""
    message = _parse_file(path, _new_message("SSLConfig"))
    if not message.server_key or not message.server_cert:
        raise UserError(f"{path}: expected both server_key and server_cert, as PEM text")
    return message


def read_model_server_config(path: Path) -> ModelServerConfig:
    """Read a ModelServerConfig message from a file."""
    return _parse_file(path, ModelServerConfig())


def _new_message(name: str) -> Message:
    descriptor = _POOL.FindMessageTypeByName(f"ordained.serving.{name}")
    return message_factory.GetMessageClass(descriptor)()


def _parse_file(path: Path, message: Message) -> Any:
    """Fill a message from a file and return it."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read: {reason}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path}: line {error}") from error
