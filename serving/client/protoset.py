"""Describes TensorFlow Serving's gRPC services to tools: `python -m serving.client.protoset FILE`.

grpcurl and its like can then call servers that do not describe themselves.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2, wrappers_pb2

from schema import command
from serving.client import protos


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.client.protoset",
        description="Write a file that describes TensorFlow Serving to grpcurl -protoset.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    path = parser.parse_args(arguments).file
    return command.run(lambda: _write(path))


def _write(path: Path) -> None:
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    # The one file that the messages refer to comes before them.
    described = descriptor_pb2.FileDescriptorSet(file=[wrappers, protos.FILE_DESCRIPTOR])
    path.write_bytes(described.SerializeToString())


if __name__ == "__main__":
    sys.exit(main())
