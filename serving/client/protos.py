"""TensorFlow Serving's protobuf messages and gRPC methods, without TensorFlow.

The package tensorflow-serving-api requires TensorFlow, which defines the message TensorProto. The
few messages that the client needs are defined in `protos.pbtxt` instead. They are in a separate
descriptor pool, so that they do not conflict with TensorFlow's if both are imported.
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

FILE_DESCRIPTOR: Final = text_format.Parse(
    Path(__file__).with_name("protos.pbtxt").read_text(encoding="utf-8"),
    descriptor_pb2.FileDescriptorProto(),
)
"""Descriptor of all messages and services, in the package `tensorflow.serving`."""

_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.Add(FILE_DESCRIPTOR)


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


ModelSpec: Final = _message_class("ModelSpec")
PredictRequest: Final = _message_class("PredictRequest")
GetModelStatusRequest: Final = _message_class("GetModelStatusRequest")
ModelVersionStatus: Final = _message_class("ModelVersionStatus")
DataType: Final = _POOL.FindEnumTypeByName(f"{PACKAGE}.DataType").values_by_name
"""Descriptors of the tensor types by name, such as `DT_FLOAT`."""


def grpc_method(channel: grpc.Channel, service: str, name: str) -> Any:
    """Return a callable that calls a gRPC method.

    Args:
        channel: Channel to the server.
        service: `PredictionService` or `ModelService`.
        name: Name of the method.
    """
    descriptor = _POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[name]
    response_class = message_factory.GetMessageClass(descriptor.output_type)
    return channel.unary_unary(
        f"/{PACKAGE}.{service}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response_class.FromString,
    )
