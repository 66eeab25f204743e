"""What the client needs of TensorFlow Serving's protos, without TensorFlow.

TensorFlow Serving's package of stubs needs all of TensorFlow, which holds the proto of a tensor.
The few messages that the client uses are described in `protos.pbtxt` instead, and are kept in a
pool of their own, so that a process may import TensorFlow's as well.
"""

from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

PACKAGE: Final = "tensorflow.serving"

FILE: Final = text_format.Parse(
    Path(__file__).with_name("protos.pbtxt").read_text(encoding="utf-8"),
    descriptor_pb2.FileDescriptorProto(),
)
"""Describes messages and services, all in the package `tensorflow.serving`."""

_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.Add(FILE)


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


ModelSpec: Final = _message("ModelSpec")
PredictRequest: Final = _message("PredictRequest")
GetModelStatusRequest: Final = _message("GetModelStatusRequest")
ModelVersionStatus: Final = _message("ModelVersionStatus")
DataType: Final = _POOL.FindEnumTypeByName(f"{PACKAGE}.DataType").values_by_name
"""Name of a type of tensors, such as `DT_FLOAT`, to its descriptor with `number`."""


def method(channel: grpc.Channel, service: str, name: str) -> Any:
    """The `grpc.UnaryUnaryMultiCallable` of a method of `PredictionService` or `ModelService`."""
    described = _POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[name]
    answer = message_factory.GetMessageClass(described.output_type)
    return channel.unary_unary(
        f"/{PACKAGE}.{service}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
