"""The inference APIs, independent of the protocol of the request.

All functions raise a `ServingError` if the model is not served, the request does not fit the model,
or TensorFlow fails.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving.server import tensors
from serving.server.batching import Arrays
from serving.server.errors import ServingError, invalid_argument
from serving.server.model_manager import ModelManager
from serving.server.saved_model import DEFAULT_SIGNATURE, LoadedVersion, Signature

CLASSIFY_METHOD: Final = "tensorflow/serving/classify"
REGRESS_METHOD: Final = "tensorflow/serving/regress"

WARMUP_TIMEOUT_SECONDS: Final = 600.0
"""Timeout of each warm-up request."""

MAX_WARMUP_RECORDS: Final = 1000
"""Largest number of records in a warm-up file, as in TensorFlow Serving."""

InferenceCall = Callable[[LoadedVersion, Any, float], Any]
"""Answers a request with a version before a deadline of `time.monotonic`."""


def run_on_model(manager: ModelManager, call: InferenceCall, request: Any, deadline: float) -> Any:
    """Answer a request with the version that its `model_spec` names."""
    with manager.acquire(request.model_spec) as version:
        return call(version, request, deadline)


def predict(version: LoadedVersion, request: Any, deadline: float) -> Any:
    """Answer a PredictRequest."""
    signature = version.signature(request.model_spec.signature_name)
    _check_input_names(signature, set(request.inputs))
    arrays = {key: tensors.from_proto(key, proto) for key, proto in request.inputs.items()}
    for index, (key, proto) in enumerate(request.inputs.items()):
        if proto.dtype != signature.inputs[key].as_datatype_enum:
            raise invalid_argument(
                f"Expects arg[{index}] to be {tensors.type_name(signature.inputs[key])} but "
                f"{tensors.type_name(tf.dtypes.as_dtype(proto.dtype))} is provided"
            )
    names = _select_outputs(signature, list(request.output_filter))
    outputs = signature.run(arrays, deadline)
    return predict_pb2.PredictResponse(
        model_spec=_response_spec(request, version),
        outputs={name: tensors.to_proto(outputs[name], signature.outputs[name]) for name in names},
    )


def _check_input_names(signature: Signature, names: set[str]) -> None:
    allowed = set(signature.inputs)
    required = allowed - set(signature.defaults)
    if required <= names <= allowed:
        return

    def as_text(names: set[str]) -> str:
        return "{" + ",".join(sorted(names)) + "}"

    raise invalid_argument(
        f"input size does not match signature: {len(names)}!={len(allowed)} "
        f"len({as_text(names)}) != len({as_text(allowed)}). Sent extra: {as_text(names - allowed)}."
        f" Missing but required: {as_text(required - names)}."
    )


def _select_outputs(signature: Signature, output_filter: list[str]) -> list[str]:
    """Return the names of the requested outputs; an empty filter selects all."""
    names = sorted(signature.outputs)
    for index, name in enumerate(output_filter):
        if name not in names:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(names)}}}."
            )
        if name in output_filter[:index]:
            raise invalid_argument(f"duplicate output tensor alias: {name}")
    return output_filter or names


def _response_spec(request: Any, version: LoadedVersion) -> model_pb2.ModelSpec:
    """Return the ModelSpec of the request, with the version and signature that answer it."""
    spec = request.model_spec
    return model_pb2.ModelSpec(
        name=spec.name,
        version={"value": version.number},
        signature_name=spec.signature_name or DEFAULT_SIGNATURE,
    )


def classify(version: LoadedVersion, request: Any, deadline: float) -> Any:
    """Answer a ClassificationRequest."""
    outputs, rows = _run_on_examples(version, request, CLASSIFY_METHOD, "classification", deadline)
    labels, scores = outputs.get("classes"), outputs.get("scores")
    present = [array for array in (labels, scores) if array is not None]
    for array in present:
        if array.ndim != 2 or len(array) != rows or array.shape != present[0].shape:
            raise invalid_argument(
                f"Expected Tensor shape: [batch_size num_classes] but got {array.shape}"
            )
    response = classification_pb2.ClassificationResponse(
        model_spec=_response_spec(request, version)
    )
    for row in range(rows):
        classes = response.result.classifications.add().classes
        for column in range(present[0].shape[1] if present else 0):
            classes.add(
                label="" if labels is None else labels[row, column].decode(errors="replace"),
                score=0 if scores is None else scores[row, column],
            )
    return response


def regress(version: LoadedVersion, request: Any, deadline: float) -> Any:
    """Answer a RegressionRequest."""
    outputs, rows = _run_on_examples(version, request, REGRESS_METHOD, "regression", deadline)
    values = outputs["outputs"]
    if values.shape not in ((rows,), (rows, 1)):
        raise invalid_argument(f"Expected output Tensor shape to be either [{rows}] or [{rows}, 1]")
    return regression_pb2.RegressionResponse(
        model_spec=_response_spec(request, version),
        result={"regressions": [{"value": value} for value in values.ravel()]},
    )


def _run_on_examples(
    version: LoadedVersion, request: Any, method: str, kind: str, deadline: float
) -> tuple[Arrays, int]:
    """Run a signature on the examples of a request.

    Returns:
        The outputs by name, and the number of examples.
    """
    signature = version.signature(request.model_spec.signature_name)
    signature_method = signature.definition.method_name
    if signature_method != method:
        raise invalid_argument(
            f"Expected {kind} signature method_name to be {method}. Was: {signature_method}"
        )
    examples = _serialize_examples(request.input)
    if not examples:
        raise invalid_argument("Input is empty")
    (name,) = signature.inputs
    return signature.run({name: np.array(examples, object)}, deadline), len(examples)


def _serialize_examples(input_: Any) -> list[bytes]:
    """Return the examples of an Input message, merged with their context, as bytes."""
    if input_.WhichOneof("kind") != "example_list_with_context":
        return [example.SerializeToString() for example in input_.example_list.examples]
    serialized = []
    for example in input_.example_list_with_context.examples:
        # A feature of the example replaces the feature of the same name in the context.
        merged = type(example)()
        merged.CopyFrom(input_.example_list_with_context.context)
        merged.MergeFrom(example)
        serialized.append(merged.SerializeToString())
    return serialized


def multi_inference(manager: ModelManager, request: Any, deadline: float) -> Any:
    """Answer a MultiInferenceRequest: several signatures of one model on the same examples."""
    if not request.tasks:
        raise invalid_argument("Inference request must have at least one task")
    if len({task.model_spec.name for task in request.tasks}) > 1:
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )
    with manager.acquire(request.tasks[0].model_spec) as version:
        return multi_inference_on_version(version, request, deadline)


def multi_inference_on_version(version: LoadedVersion, request: Any, deadline: float) -> Any:
    """Answer a MultiInferenceRequest with a given version."""
    response = inference_pb2.MultiInferenceResponse()
    calls = {
        CLASSIFY_METHOD: (classify, "classification"),
        REGRESS_METHOD: (regress, "regression"),
    }
    for task in request.tasks:
        if task.method_name not in calls:
            unsupported = f"Unsupported method_name: {task.method_name}"
            raise ServingError(grpc.StatusCode.UNIMPLEMENTED, unsupported)
        call, kind = calls[task.method_name]
        # `regress` reads only fields that a ClassificationRequest has as well.
        task_request = classification_pb2.ClassificationRequest(
            model_spec=task.model_spec, input=request.input
        )
        task_response = call(version, task_request, deadline)
        result = response.results.add(model_spec=task_response.model_spec)
        getattr(result, f"{kind}_result").CopyFrom(task_response.result)
    return response


def model_metadata(manager: ModelManager, request: Any) -> Any:
    """Answer a GetModelMetadataRequest."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != "signature_def":
            raise invalid_argument(f"Metadata field {name} is not supported")
    with manager.acquire(request.model_spec) as version:
        response = get_model_metadata_pb2.GetModelMetadataResponse(
            model_spec={"name": request.model_spec.name, "version": {"value": version.number}}
        )
        definitions = {name: signature.definition for name, signature in version.signatures.items()}
    signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
    response.metadata["signature_def"].Pack(signatures)
    return response


def warm_up(version: LoadedVersion, path: Path) -> None:
    """Send the requests of a warm-up file to a version."""
    calls = {
        "predict_log": predict,
        "classify_log": classify,
        "regress_log": regress,
        "multi_inference_log": multi_inference_on_version,
    }
    for index, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
        if index >= MAX_WARMUP_RECORDS:
            raise invalid_argument(
                f"Number of warmup records exceeds the maximum ({MAX_WARMUP_RECORDS})"
            )
        log = prediction_log_pb2.PredictionLog.FromString(record)
        kind = log.WhichOneof("log_type")
        if kind in calls:
            request = getattr(log, kind).request
            calls[kind](version, request, time.monotonic() + WARMUP_TIMEOUT_SECONDS)
