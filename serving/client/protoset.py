"""Describes TensorFlow Serving's gRPC services to tools: `python -m serving.client.protoset FILE`.

grpcurl and its like can then call servers that do not describe themselves. The package of stubs
holds the messages in a form that can be written out, the services not; so they are named here.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2

from schema.errors import ExitStatus, from_os_error
from serving.client import protos

_PACKAGE: Final = "tensorflow.serving"

_SERVICES: Final = (
    ("PredictionService", "Predict", protos.predict_pb2, "PredictRequest", "PredictResponse"),
    (
        *("ModelService", "GetModelStatus", protos.get_model_status_pb2),
        *("GetModelStatusRequest", "GetModelStatusResponse"),
    ),
)
"""Service, method, module of its messages, request, response."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file.

    Returns:
        The exit status: 0, or 2 or 75 if the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="python -m serving.client.protoset",
        description="Write a file that describes TensorFlow Serving to grpcurl -protoset.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    path = parser.parse_args(arguments).file
    try:
        path.write_bytes(protoset().SerializeToString())
    except OSError as error:
        refusal = from_os_error(error, f"{path}: {error.strerror}")
        print(f"error: {refusal}", file=sys.stderr)
        return refusal.exit_status
    return ExitStatus.OK


def protoset() -> descriptor_pb2.FileDescriptorSet:
    """The messages and services, and all that they refer to, each file after those it imports."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for *_, module, _, _ in _SERVICES:
        _add(files, module.DESCRIPTOR)
    for service, method, module, request, response in _SERVICES:
        described = descriptor_pb2.FileDescriptorProto(
            name=f"ordained/{service}.proto",
            package=_PACKAGE,
            dependency=[module.DESCRIPTOR.name],
            syntax="proto3",
        )
        described.service.add(name=service).method.add(
            name=method,
            input_type=f".{_PACKAGE}.{request}",
            output_type=f".{_PACKAGE}.{response}",
        )
        files[described.name] = described
    return descriptor_pb2.FileDescriptorSet(file=files.values())


def _add(files: dict[str, descriptor_pb2.FileDescriptorProto], descriptor: Any) -> None:
    if descriptor.name in files:
        return
    for needed in descriptor.dependencies:
        _add(files, needed)
    described = descriptor_pb2.FileDescriptorProto()
    descriptor.CopyToProto(described)
    files[descriptor.name] = described


if __name__ == "__main__":
    sys.exit(main())
