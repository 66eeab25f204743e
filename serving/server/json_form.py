"""Between the JSON of the REST interface and what the inference calls take and give."""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import input_pb2, predict_pb2

from serving.server import tensors
from serving.server.errors import invalid
from serving.server.models import Signature, as_array

SHOWN: Final = 200
"""Characters of a value that an error repeats."""

_RANGES: Final = {
    tf.int8: (-(2**7), 2**7),
    tf.uint8: (0, 2**8),
    tf.int16: (-(2**15), 2**15),
    tf.int32: (-(2**31), 2**31),
    tf.int64: (-(2**63), 2**63),
    tf.uint32: (0, 2**32),
    tf.uint64: (0, 2**64),
}
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""Escaped halves of characters; Python takes one alone, which is no Unicode."""

_FLOATS: Final = (tf.float32, tf.float64)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ServingError: it is not JSON, is nested too deeply, or is no object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        value = json.loads(body.decode())
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise invalid(
            f"JSON Parse error: Invalid encoding in string. at offset: {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg}. at offset: {error.pos}") from error
    except UnicodeEncodeError as error:
        raise invalid(
            "JSON Parse error: The surrogate pair in string is invalid. at offset: 0"
        ) from error
    except (RecursionError, ValueError) as error:
        raise invalid("JSON Parse error: Invalid value. at offset: 0") from error
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {_shown(value)} Is not object")
    return value


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a request names, or nothing.

    Raises:
        ServingError: it is no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def fill_predict(
    document: Mapping[str, Any], signature: Signature, request: predict_pb2.PredictRequest
) -> bool:
    """Fill in the tensors of a request.

    Returns:
        Whether it had the row form.

    Raises:
        ServingError: it does not fit the signature.
    """
    rows, columns = "instances" in document, "inputs" in document
    if rows and columns:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if not rows and not columns:
        raise invalid("Missing 'inputs' or 'instances' key")
    try:
        if rows:
            arrays = _from_instances(document, signature)
        else:
            arrays = _from_inputs(document["inputs"], signature)
    except RecursionError:
        raise invalid("JSON Parse error: Invalid value. at offset: 0") from None
    for name, array in arrays.items():
        request.inputs[name].CopyFrom(tensors.to_proto(array, signature.inputs[name]))
    return rows


def _from_instances(document: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_shown(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_shown(document)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(signature.inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    objects = _is_object(instances[0])
    columns: dict[str, list[Any]] = {name: [] for name in signature.inputs}
    shapes: dict[str, list[int]] = {}
    for number, element in enumerate(instances):
        if _is_object(element) != objects:
            found, wanted = ("list", "object") if objects else ("object", "value/list")
            raise invalid(f"Expecting {wanted} but got {found} at item {number} of input list")
        items = element if objects else {next(iter(signature.inputs)): element}
        for name, value in items.items():
            where = f"{number} key: {name}" if objects else str(number)
            try:
                _add_instance(name, value, signature, columns, shapes)
            except Exception as error:
                if isinstance(error, RecursionError):
                    raise
                raise invalid(
                    f"Failed to process element: {where} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: {error}"
                ) from error
        if set(items) != set(signature.inputs):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{_shown(element)} keys must be equal to: {','.join(sorted(signature.inputs))}"
            )
    return {
        name: _array(values, [len(instances), *shapes[name]], signature.inputs[name])
        for name, values in columns.items()
    }


def _add_instance(
    name: str,
    value: Any,
    signature: Signature,
    columns: dict[str, list[Any]],
    shapes: dict[str, list[int]],
) -> None:
    if name not in signature.inputs:
        raise invalid(f"JSON object: does not have named input: {name}")
    shape = _shape(value)
    values = list(_leaves(value, shape, 0, _reader(signature.inputs[name])))
    if math.prod(shape) != math.prod(shapes.setdefault(name, shape)):
        raise invalid(
            f"Expecting tensor size: {math.prod(shapes[name])} but got: {math.prod(shape)}"
        )
    if shape != shapes[name]:
        raise invalid(f"Expecting shape {shapes[name]} but got: {shape}")
    columns[name].extend(values)


def _from_inputs(inputs: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not _is_object(inputs):
        if len(signature.inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        inputs = {next(iter(signature.inputs)): inputs}
    arrays = {}
    for name, dtype in signature.inputs.items():
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        shape = _shape(inputs[name])
        arrays[name] = _array(list(_leaves(inputs[name], shape, 0, _reader(dtype))), shape, dtype)
    return arrays


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_bytes(value)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _leaves(value: Any, shape: list[int], level: int, read: Callable[[Any], Any]) -> Iterator[Any]:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        yield read(value)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for one in value:
        yield from _leaves(one, shape, level + 1, read)


def _reader(dtype: tf.DType) -> Callable[[Any], Any]:
    """Takes a JSON value to a value of a type, or refuses it."""

    def refuse(value: Any) -> Exception:
        return invalid(
            f"JSON Value: {_shown(value)} Type: {_kind(value)} is not of expected type: "
            f"{tensors.type_name(dtype)}"
        )

    def read(value: Any) -> Any:
        if dtype == tf.string:
            if isinstance(value, str):
                return value.encode()
            if isinstance(value, dict):
                return _bytes(value)
        elif dtype == tf.bool:
            if isinstance(value, bool):
                return value
        elif isinstance(value, bool) or not isinstance(value, int | float):
            pass
        elif dtype in _FLOATS:
            if not math.isinf(value) and abs(value) > dtype.max:
                raise invalid(
                    f"Cannot convert JSON value: {_shown(value)} to {tensors.type_name(dtype)} "
                    "without loss of precision."
                )
            return float(value)
        elif isinstance(value, int) and dtype in _RANGES:
            low, high = _RANGES[dtype]
            if low <= value < high:
                return value
        raise refuse(value)

    return read


def _bytes(value: Mapping[str, Any]) -> bytes:
    if not _is_bytes(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _array(values: list[Any], shape: list[int], dtype: tf.DType) -> np.ndarray:
    array = as_array(values) if dtype == tf.string else np.array(values, dtype.as_numpy_dtype)
    return array.reshape(shape)


def _kind(value: Any) -> str:
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return "String"
    return "Object" if isinstance(value, dict) else "Array" if isinstance(value, list) else "Number"


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)[:SHOWN]
    except RecursionError:
        return "..."


def predictions(response: predict_pb2.PredictResponse, *, rows: bool) -> dict[str, Any]:
    """The answer to a predict request, in the form that it was asked in.

    Raises:
        ServingError: the row form, and the outputs do not agree in the number of rows.
    """
    lists = {
        name: _listed(name, tensors.from_proto(name, proto))
        for name, proto in sorted(response.outputs.items())
    }
    if not rows:
        return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    sizes = {}
    for name, values in lists.items():
        if not isinstance(values, list):
            raise invalid(f"Tensor name: {name} has no shape information ")
        sizes[name] = len(values)
        if len(values) != next(iter(sizes.values())):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(values)} expecting: "
                f"{next(iter(sizes.values()))}"
            )
    if len(lists) == 1:
        return {"predictions": next(iter(lists.values()))}
    return {
        "predictions": [
            dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)
        ]
    }


def _listed(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        encode = _as_b64 if name.endswith("_bytes") else _as_text
        flat = np.empty(array.size, object)
        flat[:] = [encode(value) for value in array.ravel()]
        return flat.reshape(array.shape).tolist()
    if array.dtype == np.float32:
        # The shortest decimal that stands for a float of 32 bits, not for its double.
        return array.astype(str).astype(float).tolist()
    return array.tolist()


def _as_b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _as_text(value: bytes) -> str:
    return value.decode(errors="replace")


def fill_examples(document: Mapping[str, Any], given: input_pb2.Input) -> None:
    """Fill in the examples of a classify or regress request.

    Raises:
        ServingError: there are none, or one has values that a `tf.Example` cannot hold.
    """
    examples = document.get("examples")
    if "examples" not in document:
        raise invalid(
            f"JSON Value: {_shown(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    if not isinstance(examples, list):
        raise invalid(
            f"JSON Value: {_shown(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {_shown(document)} 'examples' value is an empty array")
    if "context" in document:
        _fill_example(document["context"], given.example_list_with_context.context)
        added = given.example_list_with_context.examples
    else:
        added = given.example_list.examples
    for example in examples:
        _fill_example(example, added.add())


def _fill_example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_kind(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for one in content if isinstance(content, list) else [content]:
            _add_feature(name, one, feature)


def _add_feature(name: str, value: Any, feature: Any) -> None:
    if value is None or isinstance(value, list) or _is_object(value):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {_kind(value)}")
    if isinstance(value, str | dict):
        kind = "bytes"
        value = value.encode() if isinstance(value, str) else _bytes(value)
    else:
        kind = "float" if isinstance(value, float) else "int64"
    present = feature.WhichOneof("kind")
    if present not in (None, f"{kind}_list"):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{present.removesuffix('_list')}"
        )
    try:
        getattr(feature, f"{kind}_list").value.append(value)
    except (ValueError, OverflowError):
        raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.") from None


def results(kind: str, response: Any) -> dict[str, Any]:
    """The answer to a classify or regress request."""
    if kind == "regress":
        return {"results": [one.value for one in response.result.regressions]}
    return {
        "results": [
            [[one.label, one.score] for one in row.classes]
            for row in response.result.classifications
        ]
    }
