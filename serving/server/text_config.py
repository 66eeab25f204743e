"""Configuration files in protobuf's text form.

tensorflow-serving-api brings the proto of the model config alone. Those of batching, monitoring and
SSL are small: their descriptors are made here, with the names and numbers of TensorFlow Serving.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from schema.errors import UserError

_Field = descriptor_pb2.FieldDescriptorProto
_INT, _BOOL, _TEXT = _Field.TYPE_INT64, _Field.TYPE_BOOL, _Field.TYPE_STRING
_PACKAGE: Final = "ordained.serving"

_NUMBER, _FLAG = f".{_PACKAGE}.Number", f".{_PACKAGE}.Flag"
_MESSAGES: Final[dict[str, list[tuple[str, int, Any, bool]]]] = {
    # name, number, type, repeated
    "Number": [("value", 1, _INT, False)],
    "Flag": [("value", 1, _BOOL, False)],
    "Text": [("value", 1, _TEXT, False)],
    "BatchingParameters": [
        ("max_batch_size", 1, _NUMBER, False),
        ("batch_timeout_micros", 2, _NUMBER, False),
        ("max_enqueued_batches", 3, _NUMBER, False),
        ("num_batch_threads", 4, _NUMBER, False),
        ("allowed_batch_sizes", 5, _INT, True),
        ("thread_pool_name", 6, f".{_PACKAGE}.Text", False),
        ("pad_variable_length_inputs", 7, _BOOL, False),
        ("enable_large_batch_splitting", 8, _FLAG, False),
        ("max_execution_batch_size", 9, _NUMBER, False),
    ],
    "PrometheusConfig": [("enable", 1, _BOOL, False), ("path", 2, _TEXT, False)],
    "MonitoringConfig": [("prometheus_config", 1, f".{_PACKAGE}.PrometheusConfig", False)],
    "SSLConfig": [
        ("server_key", 1, _TEXT, False),
        ("server_cert", 2, _TEXT, False),
        ("custom_ca", 3, _TEXT, False),
        ("client_verify", 4, _BOOL, False),
    ],
}


def _build() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="ordained/serving/parameters.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = _Field.TYPE_MESSAGE, kind
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_CLASSES: Final = _build()
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True)
class Batching:
    """How requests are put together; the fields and defaults of TensorFlow Serving's file."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 2
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: a number is out of range, or the allowed sizes do not end in the largest.
        """
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise UserError(f"batching parameters: {name} must be at least 1")
        if self.batch_timeout_micros < 0:
            raise UserError("batching parameters: batch_timeout_micros must not be negative")
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise UserError(
                "batching parameters: allowed_batch_sizes must rise and end in max_batch_size, "
                f"{self.max_batch_size}"
            )


@dataclass(frozen=True)
class Ssl:
    """PEM texts of the gRPC port."""

    server_key: str
    server_cert: str
    custom_ca: str
    client_verify: bool


def read_batching(path: Path) -> Batching:
    """Batching parameters from a file.

    Raises:
        UserError: it cannot be read or has a value that cannot be.
    """
    message: Any = _read(path, _CLASSES["BatchingParameters"]())
    given: dict[str, Any] = {
        name: getattr(message, name).value
        for name in Batching.__dataclass_fields__
        if name != "allowed_batch_sizes" and message.HasField(name)
    }
    return Batching(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))


def read_monitoring(path: Path) -> str | None:
    """The path of the Prometheus page, or None where it is not enabled.

    Raises:
        UserError: the file cannot be read.
    """
    message: Any = _read(path, _CLASSES["MonitoringConfig"]())
    prometheus = message.prometheus_config
    return (prometheus.path or "/monitoring/prometheus/metrics") if prometheus.enable else None


def read_ssl(path: Path) -> Ssl:
    """Certificates from a file.

    Raises:
        UserError: the file cannot be read or lacks key or certificate.
    """
    message: Any = _read(path, _CLASSES["SSLConfig"]())
    if not message.server_key or not message.server_cert:
        raise UserError(f"{path}: server_key and server_cert must both be given, as PEM text")
    return Ssl(
        message.server_key, message.server_cert, message.custom_ca, bool(message.client_verify)
    )


def read_models(path: Path) -> model_server_config_pb2.ModelServerConfig:
    """The model config of a file.

    Raises:
        UserError: it cannot be read.
    """
    return _read(path, model_server_config_pb2.ModelServerConfig())


def _read(path: Path, message: _M) -> _M:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except text_format.ParseError as error:
        raise UserError(f"{path} is not as expected: line {error}") from error
