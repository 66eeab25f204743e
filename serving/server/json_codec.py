"""Conversion between the JSON of the REST interface and the inputs and outputs of the model.

All functions raise a `ServingError` in TensorFlow Serving's words if the JSON does not fit.
"""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from serving.server import tensors
from serving.server.batching import Arrays
from serving.server.errors import ServingError, invalid_argument
from serving.server.saved_model import Signature

MAX_QUOTED_CHARACTERS: Final = 200
"""Largest number of characters of a JSON value that an error message quotes."""

_MULTIPLE_INPUTS: Final = "as multiple input tensors required as per tensorinfo_map"

_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escaped half of a surrogate pair. Python accepts a single half, which is invalid Unicode."""


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse the body of a request, which must be a JSON object."""
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        value = json.loads(body.decode())
        if _ESCAPED_SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:
        reason, offset = "Invalid value", 0
        if isinstance(error, json.JSONDecodeError):
            reason, offset = error.msg, error.pos
        elif isinstance(error, UnicodeDecodeError):
            reason, offset = "Invalid encoding in string", error.start
        elif isinstance(error, UnicodeEncodeError):
            reason = "The surrogate pair in string is invalid"
        raise invalid_argument(f"JSON Parse error: {reason}. at offset: {offset}") from error
    if not isinstance(value, dict):
        raise _value_error(value, "Is not object")
    return value


def read_signature_name(document: Mapping[str, Any]) -> str:
    """Return the name of the requested signature; empty if there is none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _value_error(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def decode_inputs(document: Mapping[str, Any], signature: Signature) -> Arrays:
    """Decode the inputs of a predict request, in row form (`instances`) or column form (`inputs`).

    Returns:
        Input arrays by name.
    """
    has_rows, has_columns = "instances" in document, "inputs" in document
    if has_rows and has_columns:
        raise _value_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if not has_rows and not has_columns:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    try:
        return (_decode_rows if has_rows else _decode_columns)(document, signature)
    except RecursionError:
        raise invalid_argument("JSON Parse error: Invalid value. at offset: 0") from None


def _decode_rows(document: Mapping[str, Any], signature: Signature) -> Arrays:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _value_error(document, "Excepting 'instances' to be an list/array")
    if not instances:
        raise _value_error(document, "No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(signature.inputs) > 1:
        raise invalid_argument(
            f"instances is a plain list, but expecting list of objects {_MULTIPLE_INPUTS}"
        )
    named = _is_object(instances[0])
    columns: dict[str, list[Any]] = {name: [] for name in signature.inputs}
    shapes: dict[str, list[int]] = {}
    for index, instance in enumerate(instances):
        if _is_object(instance) != named:
            actual, expected = ("list", "object") if named else ("object", "value/list")
            raise invalid_argument(
                f"Expecting {expected} but got {actual} at item {index} of input list"
            )
        values = instance if named else {next(iter(signature.inputs)): instance}
        for name, value in values.items():
            try:
                if name not in signature.inputs:
                    raise invalid_argument(f"JSON object: does not have named input: {name}")
                shape, elements = _flatten(value, signature.inputs[name])
                _check_shape(shape, shapes.setdefault(name, shape))
                columns[name].extend(elements)
            except RecursionError:
                raise
            except Exception as error:
                element = f"{index} key: {name}" if named else str(index)
                raise invalid_argument(
                    f"Failed to process element: {element} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: {error}"
                ) from error
        if values.keys() != signature.inputs.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{_quote(instance)} keys must be equal to: {','.join(signature.inputs)}"
            )
    return {
        name: np.array(columns[name], dtype.as_numpy_dtype).reshape(len(instances), *shapes[name])
        for name, dtype in signature.inputs.items()
    }


def _check_shape(shape: list[int], expected: list[int]) -> None:
    size, expected_size = math.prod(shape), math.prod(expected)
    if size != expected_size:
        raise invalid_argument(f"Expecting tensor size: {expected_size} but got: {size}")
    if shape != expected:
        raise invalid_argument(f"Expecting shape {expected} but got: {shape}")


def _decode_columns(document: Mapping[str, Any], signature: Signature) -> Arrays:
    inputs = document["inputs"]
    if not _is_object(inputs):
        if len(signature.inputs) > 1:
            raise invalid_argument(
                f"inputs is a plain value/list, but expecting an object {_MULTIPLE_INPUTS}"
            )
        inputs = {next(iter(signature.inputs)): inputs}
    arrays = {}
    for name, dtype in signature.inputs.items():
        if name not in inputs:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        shape, elements = _flatten(inputs[name], dtype)
        arrays[name] = np.array(elements, dtype.as_numpy_dtype).reshape(shape)
    return arrays


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _flatten(value: Any, dtype: tf.DType) -> tuple[list[int], list[Any]]:
    """Return the shape of nested lists, and their elements in order, converted to a type."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    return shape, list(_elements(value, shape, 0, dtype))


def _elements(value: Any, shape: list[int], level: int, dtype: tf.DType) -> Iterator[Any]:
    if not isinstance(value, list):
        if level != len(shape):
            raise _value_error(
                value,
                f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: "
                f"{len(shape)}",
            )
        yield _convert(value, dtype)
        return
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for item in value:
        yield from _elements(item, shape, level + 1, dtype)


def _convert(value: Any, dtype: tf.DType) -> Any:
    """Convert a JSON value to a type."""
    if dtype == tf.string:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict):
            return _decode_base64(value)
    elif isinstance(value, bool):
        if dtype == tf.bool:
            return value
    elif isinstance(value, int | float) and dtype in (tf.float32, tf.float64):
        if not math.isinf(value) and abs(value) > dtype.max:
            raise invalid_argument(
                f"Cannot convert JSON value: {_quote(value)} to {tensors.type_name(dtype)} without "
                "loss of precision."
            )
        return float(value)
    elif isinstance(value, int) and dtype.is_integer and dtype.min <= value <= dtype.max:
        return value
    raise _value_error(
        value, f"Type: {_json_type(value)} is not of expected type: {tensors.type_name(dtype)}"
    )


def _decode_base64(value: Mapping[str, Any]) -> bytes:
    if not _is_base64(value):
        raise _value_error(value, "not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except ValueError:
        raise invalid_argument("Unable to base64 decode") from None


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    names = {str: "String", dict: "Object", list: "Array", int: "Number", float: "Number"}
    return names.get(type(value), "Null")


def _value_error(value: Any, problem: str) -> ServingError:
    return invalid_argument(f"JSON Value: {_quote(value)} {problem}")


def _quote(value: Any) -> str:
    try:
        return json.dumps(value)[:MAX_QUOTED_CHARACTERS]
    except RecursionError:
        return "..."


def encode_outputs(outputs: Arrays, *, as_rows: bool) -> dict[str, Any]:
    """Encode the outputs of a predict request.

    Args:
        outputs: Output arrays by name.
        as_rows: Whether to use the row form (`predictions`) or the column form (`outputs`).
    """
    lists = {name: _to_list(name, array) for name, array in sorted(outputs.items())}
    first = next(iter(lists.values()))
    if not as_rows:
        return {"outputs": lists if len(lists) > 1 else first}
    for name, values in lists.items():
        if not isinstance(values, list):
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if len(values) != len(first):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(values)} expecting: "
                f"{len(first)}"
            )
    if len(lists) == 1:
        return {"predictions": first}
    rows = zip(*lists.values(), strict=True)
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in rows]}


def _to_list(name: str, array: np.ndarray) -> Any:
    def to_json(value: bytes) -> Any:
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode(errors="replace")

    if array.dtype == object:
        return np.vectorize(to_json, [object])(array).tolist()
    if array.dtype == np.float32:
        # Print the shortest decimal of the 32-bit float instead of that of its 64-bit value.
        return array.astype(str).astype(float).tolist()
    return array.tolist()


def decode_examples(document: Mapping[str, Any], input_: input_pb2.Input) -> None:
    """Decode the examples of a classify or regress request into an Input message."""
    if "examples" not in document:
        raise _value_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _value_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _value_error(document, "'examples' value is an empty array")
    if "context" in document:
        _decode_example(document["context"], input_.example_list_with_context.context)
        messages = input_.example_list_with_context.examples
    else:
        messages = input_.example_list.examples
    for example in examples:
        _decode_example(example, messages.add())


def _decode_example(value: Any, message: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {_json_type(value)}")
    for name, content in value.items():
        feature = message.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add_to_feature(name, item, feature)


def _add_to_feature(name: str, value: Any, feature: Any) -> None:
    if value is None or isinstance(value, list) or _is_object(value):
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {_json_type(value)}"
        )
    kind = "float" if isinstance(value, float) else "int64"
    if isinstance(value, str | dict):
        kind = "bytes"
        value = value.encode() if isinstance(value, str) else _decode_base64(value)
    present = feature.WhichOneof("kind")
    if present not in (None, f"{kind}_list"):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{present.removesuffix('_list')}"
        )
    try:
        getattr(feature, f"{kind}_list").value.append(value)
    except (ValueError, OverflowError):
        raise invalid_argument(
            f"Feature: {name} has uint64 element. Only int64 is supported."
        ) from None


def encode_results(method: str, response: Any) -> dict[str, Any]:
    """Encode the response to a classify or regress request.

    Args:
        method: `classify` or `regress`.
        response: ClassificationResponse or RegressionResponse.
    """
    if method == "regress":
        return {"results": [regression.value for regression in response.result.regressions]}
    rows = response.result.classifications
    return {"results": [[[c.label, c.score] for c in row.classes] for row in rows]}
