"""Between TensorProtos and numpy arrays, without the slow ways of the general functions."""

import math
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.server.errors import invalid

_FIELDS: Final = {
    **dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.int32), "int_val"),
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}
_KINDS: Final = {
    dtype.as_datatype_enum: (name, np.dtype(dtype.as_numpy_dtype))
    for dtype, name in _FIELDS.items()
}
"""Field and numpy's type by number of the type: looking them up anew is most of the work."""

_SERVING_NAMES: Final = {tf.float32: "float", tf.float64: "double"}
LARGEST: Final = 1 << 28
"""Elements of one tensor: a shape is four bytes long, what it claims may be any size."""


def type_name(dtype: tf.DType) -> str:
    """What TensorFlow Serving calls a type in its errors."""
    return _SERVING_NAMES.get(dtype, dtype.name)


def from_proto(name: str, proto: Any) -> np.ndarray:
    """The array of a TensorProto, strings as objects; a ServingError if it contradicts itself."""
    shape = [dim.size for dim in proto.tensor_shape.dim]
    size = math.prod(shape)
    if proto.dtype not in _KINDS or min(shape, default=0) < 0 or not 0 <= size <= LARGEST:
        raise invalid(f"tensor parsing error: {name}")
    field, dtype = _KINDS[proto.dtype]
    if proto.tensor_content and not dtype.hasobject:
        if len(proto.tensor_content) != size * dtype.itemsize:
            raise invalid(f"tensor parsing error: {name}")
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    given = getattr(proto, field)
    if len(given) > size or (not given and size and dtype.hasobject):
        raise invalid(f"tensor parsing error: {name}")
    values = np.empty(size, dtype)
    try:
        # The last value stands for all that follow; none at all is zero.
        values[: len(given)] = list(given)
        values[len(given) :] = given[-1] if given else 0
    except OverflowError:
        raise invalid(f"tensor parsing error: {name}") from None
    return values.reshape(shape)


def to_proto(array: np.ndarray, dtype: tf.DType) -> Any:
    """A TensorProto with one value a field, as TensorFlow Serving answers."""
    if dtype not in _FIELDS:
        return tf.make_tensor_proto(array, dtype)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, _FIELDS[dtype]).extend(array.ravel().tolist())
    return proto
