"""Between the JSON of the REST interface and what the inference calls take and give.

What does not fit is a `ServingError` in TensorFlow Serving's words.
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
from serving.server.errors import ServingError, invalid
from serving.server.saved_model import Signature

SHOWN: Final = 200
"""Characters of a value that an error repeats."""

_SEVERAL: Final = "as multiple input tensors required as per tensorinfo_map"
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""Escaped halves of characters; Python takes one alone, which is no Unicode."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        value = json.loads(body.decode())
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:
        reason, offset = "Invalid value", 0
        if isinstance(error, json.JSONDecodeError):
            reason, offset = error.msg, error.pos
        elif isinstance(error, UnicodeDecodeError):
            reason, offset = "Invalid encoding in string", error.start
        elif isinstance(error, UnicodeEncodeError):
            reason = "The surrogate pair in string is invalid"
        raise invalid(f"JSON Parse error: {reason}. at offset: {offset}") from error
    if not isinstance(value, dict):
        raise _wrong(value, "Is not object")
    return value


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a request names, or nothing."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        words = "not formatted correctly. 'signature_name' key must be a string value."
        raise _wrong(document, words)
    return name


def inputs_of(document: Mapping[str, Any], signature: Signature) -> Arrays:
    """The inputs of a predict request, in row form (`instances`) or column form (`inputs`)."""
    rows, columns = "instances" in document, "inputs" in document
    if rows and columns:
        words = "expecting only one of 'inputs' or 'instances' keys to exist "
        raise _wrong(document, f"Not formatted correctly {words}")
    if not rows and not columns:
        raise invalid("Missing 'inputs' or 'instances' key")
    try:
        return (_from_instances if rows else _from_inputs)(document, signature)
    except RecursionError:
        raise invalid("JSON Parse error: Invalid value. at offset: 0") from None


def _from_instances(document: Mapping[str, Any], signature: Signature) -> Arrays:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _wrong(document, "Excepting 'instances' to be an list/array")
    if not instances:
        raise _wrong(document, "No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(signature.inputs) > 1:
        raise invalid(f"instances is a plain list, but expecting list of objects {_SEVERAL}")
    objects = _is_object(instances[0])
    columns: dict[str, list[Any]] = {name: [] for name in signature.inputs}
    shapes: dict[str, list[int]] = {}
    for number, element in enumerate(instances):
        if _is_object(element) != objects:
            found, wanted = ("list", "object") if objects else ("object", "value/list")
            raise invalid(f"Expecting {wanted} but got {found} at item {number} of input list")
        items = element if objects else {next(iter(signature.inputs)): element}
        for name, value in items.items():
            try:
                if name not in signature.inputs:
                    raise invalid(f"JSON object: does not have named input: {name}")
                shape, values = _flat(value, signature.inputs[name])
                _check_shape(shape, shapes.setdefault(name, shape))
                columns[name].extend(values)
            except RecursionError:
                raise
            except Exception as error:
                where = f"{number} key: {name}" if objects else str(number)
                reason = f"{where} of 'instances' list. Error: INVALID_ARGUMENT: {error}"
                raise invalid(f"Failed to process element: {reason}") from error
        if items.keys() != signature.inputs.keys():
            reason = f"{_shown(element)} keys must be equal to: {','.join(signature.inputs)}"
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {reason}"
            )
    return {
        name: np.array(columns[name], dtype.as_numpy_dtype).reshape(len(instances), *shapes[name])
        for name, dtype in signature.inputs.items()
    }


def _check_shape(shape: list[int], expected: list[int]) -> None:
    sizes = math.prod(expected), math.prod(shape)
    if sizes[0] != sizes[1]:
        raise invalid(f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}")
    if shape != expected:
        raise invalid(f"Expecting shape {expected} but got: {shape}")


def _from_inputs(document: Mapping[str, Any], signature: Signature) -> Arrays:
    inputs = document["inputs"]
    if not _is_object(inputs):
        if len(signature.inputs) > 1:
            raise invalid(f"inputs is a plain value/list, but expecting an object {_SEVERAL}")
        inputs = {next(iter(signature.inputs)): inputs}
    arrays = {}
    for name, dtype in signature.inputs.items():
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        shape, values = _flat(inputs[name], dtype)
        arrays[name] = np.array(values, dtype.as_numpy_dtype).reshape(shape)
    return arrays


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_bytes(value)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _flat(value: Any, dtype: tf.DType) -> tuple[list[int], list[Any]]:
    """The shape of nested lists, by their first elements, and their values in order."""
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    return shape, list(_values(value, shape, 0, dtype))


def _values(value: Any, shape: list[int], level: int, dtype: tf.DType) -> Iterator[Any]:
    if not isinstance(value, list):
        if level != len(shape):
            levels = f"{level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            raise _wrong(value, f"found at incorrect level: {levels}")
        yield _typed(value, dtype)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        sizes = f"{len(value)} at level: {level} expected size: {shape[level]}"
        raise invalid(f"Encountered list at unexpected size: {sizes}")
    for one in value:
        yield from _values(one, shape, level + 1, dtype)


def _typed(value: Any, dtype: tf.DType) -> Any:
    """A JSON value as one of a type."""
    if dtype == tf.string:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict):
            return _bytes(value)
    elif isinstance(value, bool):
        if dtype == tf.bool:
            return value
    elif isinstance(value, int | float) and dtype in (tf.float32, tf.float64):
        if not math.isinf(value) and abs(value) > dtype.max:
            change = f"{_shown(value)} to {tensors.type_name(dtype)}"
            raise invalid(f"Cannot convert JSON value: {change} without loss of precision.")
        return float(value)
    elif isinstance(value, int) and dtype.is_integer and dtype.min <= value <= dtype.max:
        return value
    words = f"Type: {_kind(value)} is not of expected type: {tensors.type_name(dtype)}"
    raise _wrong(value, words)


def _bytes(value: Mapping[str, Any]) -> bytes:
    if not _is_bytes(value):
        raise _wrong(value, "not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except ValueError:
        raise invalid("Unable to base64 decode") from None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    kinds = {str: "String", dict: "Object", list: "Array", int: "Number", float: "Number"}
    return kinds.get(type(value), "Null")


def _wrong(value: Any, words: str) -> ServingError:
    return invalid(f"JSON Value: {_shown(value)} {words}")


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)[:SHOWN]
    except RecursionError:
        return "..."


def predictions(outputs: Arrays, *, rows: bool) -> dict[str, Any]:
    """The answer to a predict request, in the form that it was asked in."""
    lists = {name: _listed(name, array) for name, array in sorted(outputs.items())}
    first = next(iter(lists.values()))
    if not rows:
        return {"outputs": lists if len(lists) > 1 else first}
    for name, values in lists.items():
        if not isinstance(values, list):
            raise invalid(f"Tensor name: {name} has no shape information ")
        if len(values) != len(first):
            sizes = f"{len(values)} expecting: {len(first)}"
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {sizes}")
    if len(lists) == 1:
        return {"predictions": first}
    table = zip(*lists.values(), strict=True)
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in table]}


def _listed(name: str, array: np.ndarray) -> Any:
    def shown(value: bytes) -> Any:
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode(errors="replace")

    if array.dtype == object:
        return np.vectorize(shown, [object])(array).tolist()
    if array.dtype == np.float32:
        # The shortest decimal that stands for a float of 32 bits, not for its double.
        return array.astype(str).astype(float).tolist()
    return array.tolist()


def fill_examples(document: Mapping[str, Any], given: input_pb2.Input) -> None:
    """Fill in the examples of a classify or regress request."""
    if "examples" not in document:
        words = "When method is classify, key 'examples' is expected and was not found"
        raise _wrong(document, words)
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _wrong(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _wrong(document, "'examples' value is an empty array")
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
    kind = "float" if isinstance(value, float) else "int64"
    if isinstance(value, str | dict):
        kind, value = "bytes", value.encode() if isinstance(value, str) else _bytes(value)
    present = feature.WhichOneof("kind")
    if present not in (None, f"{kind}_list"):
        expected = f"{name} expecting type: {present.removesuffix('_list')}"
        raise invalid(f"Unexpected element type in feature: {expected}")
    try:
        getattr(feature, f"{kind}_list").value.append(value)
    except (ValueError, OverflowError):
        raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.") from None


def results(kind: str, response: Any) -> dict[str, Any]:
    """The answer to a classify or regress request."""
    if kind == "regress":
        return {"results": [one.value for one in response.result.regressions]}
    rows = response.result.classifications
    return {"results": [[[one.label, one.score] for one in row.classes] for row in rows]}
