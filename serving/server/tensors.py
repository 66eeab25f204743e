"""Conversion between TensorProtos and numpy arrays, faster than TensorFlow's general functions."""

import math
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.server.errors import invalid_argument

_VALUE_FIELDS: Final = {
    **dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.int32), "int_val"),
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}
"""Field of a TensorProto that holds the values of each type."""

_FIELDS_AND_DTYPES: Final = {
    dtype.as_datatype_enum: (field, np.dtype(dtype.as_numpy_dtype))
    for dtype, field in _VALUE_FIELDS.items()
}
"""Field and numpy type by type number, computed once because the lookup is slow."""

_SERVING_TYPE_NAMES: Final = {tf.float32: "float", tf.float64: "double"}

MAX_TENSOR_ELEMENTS: Final = 1 << 28
"""Largest number of elements of one tensor. A few bytes of shape can claim any size."""


def type_name(dtype: tf.DType) -> str:
    """Return the name of a type in TensorFlow Serving's error messages."""
    return _SERVING_TYPE_NAMES.get(dtype, dtype.name)


def from_proto(name: str, proto: Any) -> np.ndarray:
    """Convert a TensorProto to an array; strings become an array of objects.

    Args:
        name: Name of the input, for error messages.
        proto: TensorProto to convert.

    Raises:
        ServingError: Type, shape and values do not fit together.
    """
    shape = [dim.size for dim in proto.tensor_shape.dim]
    size = math.prod(shape)
    if (
        proto.dtype not in _FIELDS_AND_DTYPES
        or min(shape, default=0) < 0
        or not 0 <= size <= MAX_TENSOR_ELEMENTS
    ):
        raise invalid_argument(f"tensor parsing error: {name}")
    field, dtype = _FIELDS_AND_DTYPES[proto.dtype]
    if proto.tensor_content and not dtype.hasobject:
        if len(proto.tensor_content) != size * dtype.itemsize:
            raise invalid_argument(f"tensor parsing error: {name}")
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    values = getattr(proto, field)
    if len(values) > size or (not values and size and dtype.hasobject):
        raise invalid_argument(f"tensor parsing error: {name}")
    array = np.empty(size, dtype)
    try:
        # A TensorProto may omit repeated values at the end: the last value fills the rest, and no
        # values at all mean zeros.
        array[: len(values)] = list(values)
        array[len(values) :] = values[-1] if values else 0
    except OverflowError:
        raise invalid_argument(f"tensor parsing error: {name}") from None
    return array.reshape(shape)


def to_proto(array: np.ndarray, dtype: tf.DType) -> Any:
    """Convert an array to a TensorProto with repeated value fields, as TensorFlow Serving does."""
    if dtype not in _VALUE_FIELDS:
        return tf.make_tensor_proto(array, dtype)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, _VALUE_FIELDS[dtype]).extend(array.ravel().tolist())
    return proto
