"""Command line `python -m serving.client.protoset FILE`: describe TensorFlow Serving to grpcurl.

grpcurl needs a description of the services to call servers without gRPC reflection.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2, wrappers_pb2

from schema import command
from serving.client import protos


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.client.protoset",
        description="Write a description of TensorFlow Serving's services for grpcurl -protoset.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    path = parser.parse_args(arguments).file
    return command.run(lambda: _write(path))


def _write(path: Path) -> None:
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    # A file comes after the files that it imports.
    descriptor_set = descriptor_pb2.FileDescriptorSet(file=[wrappers, protos.FILE_DESCRIPTOR])
    path.write_bytes(descriptor_set.SerializeToString())


if __name__ == "__main__":
    sys.exit(main())
