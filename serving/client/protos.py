"""TensorFlow Serving's protos and stubs, without the seconds that importing TensorFlow takes.

The stubs import `tensorflow.core...`, files that need nothing but protobuf; Python would run
TensorFlow's own `__init__` first. So the package stands in `sys.modules` unexecuted while they are
imported, unless TensorFlow is there already. Whoever imports TensorFlow afterwards gets all of it.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _tensorflow_unexecuted() -> Iterator[None]:
    spec = None if "tensorflow" in sys.modules else importlib.util.find_spec("tensorflow")
    if spec is None:
        yield
        return
    sys.modules["tensorflow"] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


with _tensorflow_unexecuted():
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

__all__ = [
    "get_model_status_pb2",
    "model_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
    "tensor_pb2",
    "types_pb2",
]
