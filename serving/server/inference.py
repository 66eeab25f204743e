"""What the inference calls do, whichever protocol they came by.

Each raises a `ServingError` if there is no such model, the request does not fit it, or TensorFlow
refuses.
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
from serving.server.errors import ServingError, invalid
from serving.server.models import Models
from serving.server.saved_model import DEFAULT_SIGNATURE, Signature, Version

CLASSIFY: Final = "tensorflow/serving/classify"
REGRESS: Final = "tensorflow/serving/regress"
WARMUP_SECONDS: Final = 600.0
LARGEST_WARMUP: Final = 1000
"""Records of a warm-up file, as TensorFlow Serving has it."""

Answer = Callable[[Version, Any, float], Any]
"""Answers a request from a version before a deadline of `time.monotonic`."""


def on_model(models: Models, answer: Answer, request: Any, deadline: float) -> Any:
    """Answer a request from the version that its `model_spec` names."""
    with models.acquire(request.model_spec) as version:
        return answer(version, request, deadline)


def predict(version: Version, request: Any, deadline: float) -> Any:
    """Answer a PredictRequest from a version."""
    signature = version.signature(request.model_spec.signature_name)
    _check_names(signature, set(request.inputs))
    arrays = {key: tensors.from_proto(key, proto) for key, proto in request.inputs.items()}
    for index, (key, proto) in enumerate(request.inputs.items()):
        if proto.dtype != signature.inputs[key].as_datatype_enum:
            raise invalid(
                f"Expects arg[{index}] to be {tensors.type_name(signature.inputs[key])} but "
                f"{tensors.type_name(tf.dtypes.as_dtype(proto.dtype))} is provided"
            )
    outputs = _filtered(signature, list(request.output_filter))
    answers = signature.run(arrays, deadline)
    return predict_pb2.PredictResponse(
        model_spec=_spec(request, version),
        outputs={key: tensors.to_proto(answers[key], signature.outputs[key]) for key in outputs},
    )


def _check_names(signature: Signature, given: set[str]) -> None:
    wanted = set(signature.inputs)
    required = wanted - set(signature.defaults)
    if required <= given <= wanted:
        return

    def listing(names: set[str]) -> str:
        return "{" + ",".join(sorted(names)) + "}"

    raise invalid(
        f"input size does not match signature: {len(given)}!={len(wanted)} "
        f"len({listing(given)}) != len({listing(wanted)}). Sent extra: {listing(given - wanted)}. "
        f"Missing but required: {listing(required - given)}."
    )


def _filtered(signature: Signature, wanted: list[str]) -> list[str]:
    known = sorted(signature.outputs)
    for index, name in enumerate(wanted):
        if name not in known:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(known)}}}."
            )
        if name in wanted[:index]:
            raise invalid(f"duplicate output tensor alias: {name}")
    return wanted or known


def _spec(request: Any, version: Version) -> model_pb2.ModelSpec:
    """What was asked for, and the version that answers."""
    asked = request.model_spec
    return model_pb2.ModelSpec(
        name=asked.name,
        version={"value": version.number},
        signature_name=asked.signature_name or DEFAULT_SIGNATURE,
    )


def classify(version: Version, request: Any, deadline: float) -> Any:
    """Answer a ClassificationRequest from a version."""
    answers, rows = _ask_examples(version, request, CLASSIFY, "classification", deadline)
    labels, scores = answers.get("classes"), answers.get("scores")
    given = [array for array in (labels, scores) if array is not None]
    for array in given:
        if array.ndim != 2 or len(array) != rows or array.shape != given[0].shape:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {array.shape}")
    response = classification_pb2.ClassificationResponse(model_spec=_spec(request, version))
    for row in range(rows):
        classes = response.result.classifications.add().classes
        for column in range(given[0].shape[1] if given else 0):
            classes.add(
                label="" if labels is None else labels[row, column].decode(errors="replace"),
                score=0 if scores is None else scores[row, column],
            )
    return response


def regress(version: Version, request: Any, deadline: float) -> Any:
    """Answer a RegressionRequest from a version."""
    answers, rows = _ask_examples(version, request, REGRESS, "regression", deadline)
    values = answers["outputs"]
    if values.shape not in ((rows,), (rows, 1)):
        raise invalid(f"Expected output Tensor shape to be either [{rows}] or [{rows}, 1]")
    return regression_pb2.RegressionResponse(
        model_spec=_spec(request, version),
        result={"regressions": [{"value": value} for value in values.ravel()]},
    )


def _ask_examples(
    version: Version, request: Any, method: str, kind: str, deadline: float
) -> tuple[Arrays, int]:
    signature = version.signature(request.model_spec.signature_name)
    found = signature.definition.method_name
    if found != method:
        raise invalid(f"Expected {kind} signature method_name to be {method}. Was: {found}")
    examples = _examples(request.input)
    if not examples:
        raise invalid("Input is empty")
    (name,) = signature.inputs
    return signature.run({name: np.array(examples, object)}, deadline), len(examples)


def _examples(given: Any) -> list[bytes]:
    if given.WhichOneof("kind") != "example_list_with_context":
        return [example.SerializeToString() for example in given.example_list.examples]
    serialized = []
    for example in given.example_list_with_context.examples:
        # A feature of the example takes the place of one of the context.
        joined = type(example)()
        joined.CopyFrom(given.example_list_with_context.context)
        joined.MergeFrom(example)
        serialized.append(joined.SerializeToString())
    return serialized


def multi_inference(models: Models, request: Any, deadline: float) -> Any:
    """Answer a MultiInferenceRequest: several signatures of one model on the same examples."""
    if not request.tasks:
        raise invalid("Inference request must have at least one task")
    if len({task.model_spec.name for task in request.tasks}) > 1:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    with models.acquire(request.tasks[0].model_spec) as version:
        return multi_version(version, request, deadline)


def multi_version(version: Version, request: Any, deadline: float) -> Any:
    """Answer a MultiInferenceRequest from a version."""
    response = inference_pb2.MultiInferenceResponse()
    kinds = {CLASSIFY: (classify, "classification"), REGRESS: (regress, "regression")}
    for task in request.tasks:
        if task.method_name not in kinds:
            unknown = f"Unsupported method_name: {task.method_name}"
            raise ServingError(grpc.StatusCode.UNIMPLEMENTED, unknown)
        call, kind = kinds[task.method_name]
        # Both kinds read the same fields of a request.
        one = classification_pb2.ClassificationRequest(
            model_spec=task.model_spec, input=request.input
        )
        answer = call(version, one, deadline)
        result = response.results.add(model_spec=answer.model_spec)
        getattr(result, f"{kind}_result").CopyFrom(answer.result)
    return response


def metadata(models: Models, request: Any) -> Any:
    """Answer a GetModelMetadataRequest."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != "signature_def":
            raise invalid(f"Metadata field {name} is not supported")
    with models.acquire(request.model_spec) as version:
        response = get_model_metadata_pb2.GetModelMetadataResponse(
            model_spec={"name": request.model_spec.name, "version": {"value": version.number}}
        )
        definitions = {name: one.definition for name, one in version.signatures.items()}
    signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
    response.metadata["signature_def"].Pack(signatures)
    return response


def warm(version: Version, path: Path) -> None:
    """Send the requests of a warm-up file to a version."""
    calls = {
        "predict_log": predict,
        "classify_log": classify,
        "regress_log": regress,
        "multi_inference_log": multi_version,
    }
    for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
        if number >= LARGEST_WARMUP:
            raise invalid(f"Number of warmup records exceeds the maximum ({LARGEST_WARMUP})")
        entry = prediction_log_pb2.PredictionLog.FromString(record)
        kind = entry.WhichOneof("log_type")
        if kind in calls:
            request = getattr(entry, kind).request
            calls[kind](version, request, time.monotonic() + WARMUP_SECONDS)
