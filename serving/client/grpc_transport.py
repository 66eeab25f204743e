"""The gRPC transport."""

import math
from collections.abc import Sequence
from typing import Any, Final

import grpc

from schema import features as raw
from schema.names import SERVING_SIGNATURE
from serving.client import protos
from serving.client.movies import Inputs, Movie, model_inputs
from serving.client.predictions import Prediction
from serving.client.transport import ErrorKind, ModelSpec, Transport, VersionStatus

_FLOAT, _STRING, _BOOL = (
    protos.DataType[name].number for name in ("DT_FLOAT", "DT_STRING", "DT_BOOL")
)

_ERROR_KINDS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: ErrorKind.INVALID_INPUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorKind.BUSY,
    grpc.StatusCode.UNAVAILABLE: ErrorKind.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorKind.TIMEOUT,
    grpc.StatusCode.NOT_FOUND: ErrorKind.NOT_FOUND,
}

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Reconnect to a restarted server within a second.
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcTransport(Transport):
    """A connection over gRPC."""

    def __init__(self, address: str, model: ModelSpec) -> None:
        super().__init__(address, model)
        self._channel = grpc.insecure_channel(address, _CHANNEL_OPTIONS)
        self._predict = protos.grpc_method(self._channel, "PredictionService", "Predict")
        self._get_status = protos.grpc_method(self._channel, "ModelService", "GetModelStatus")

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """Predict all movies by one Predict call."""
        inputs = model_inputs(movies)
        response = self._call(self._predict, predict_request(inputs, self.model), timeout)
        # A copy, because the map of the message adds the names that are looked up in it.
        outputs = dict(response.outputs)
        return self.parse_predictions(inputs, lambda name: _tensor_values(outputs[name]))

    def status(self, timeout: float) -> list[VersionStatus]:
        """Return the versions of the model, newest first, by one GetModelStatus call."""
        request = protos.GetModelStatusRequest(model_spec=_model_spec(self.model))
        response = self._call(self._get_status, request, timeout)
        states = protos.ModelVersionStatus.State
        versions = [
            VersionStatus(entry.version, states.Name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        ]
        return sorted(versions, key=lambda status: -status.version)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _call(self, method: Any, request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            detail = error.details() or ""
            kind = _ERROR_KINDS.get(error.code(), ErrorKind.OTHER)
            # RESOURCE_EXHAUSTED means either that the server is busy or that a message is too long.
            if kind is ErrorKind.BUSY and "larger than max" in detail:
                kind = ErrorKind.INVALID_INPUT
            if kind in (ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT):
                detail = ""
            raise self.server_error(kind, detail) from error


def _model_spec(model: ModelSpec, signature: str = "") -> Any:
    # protobuf leaves fields unset whose value is None.
    return protos.ModelSpec(
        name=model.name,
        version=None if model.version is None else {"value": model.version},
        version_label=model.label or None,
        signature_name=signature,
    )


def predict_request(inputs: Inputs, model: ModelSpec) -> Any:
    """Return a PredictRequest message.

    Its inputs are string [movies] for texts and people, float32 [movies] for numbers.
    """
    request = protos.PredictRequest(model_spec=_model_spec(model, SERVING_SIGNATURE))
    for name, values in inputs.items():
        tensor = request.inputs[name]
        tensor.tensor_shape.dim.add(size=len(values))
        if name in raw.NUMBERS:
            tensor.dtype = _FLOAT
            tensor.float_val.extend(values)
        else:
            tensor.dtype = _STRING
            tensor.string_val.extend(str(value).encode() for value in values)
    return request


def _tensor_values(tensor: Any) -> list[Any]:
    """Return the values, or rows of values, of a TensorProto of strings, float32 or bool.

    Raises:
        TypeError, ValueError: The tensor has another type or shape, or its values do not fit.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    # Name of the field with the values, and format character of `tensor_content`.
    encodings: Any = {_STRING: ("string", ""), _FLOAT: ("float", "f"), _BOOL: ("bool", "?")}
    if len(shape) not in (1, 2) or tensor.dtype not in encodings:
        raise ValueError(f"a tensor of type {tensor.dtype} and shape {shape}")
    field, format_character = encodings[tensor.dtype]
    size = math.prod(shape)
    if tensor.tensor_content and format_character:
        values = list(memoryview(tensor.tensor_content).cast(format_character))
    else:
        encoded = getattr(tensor, f"{field}_val")
        values = list(encoded) if format_character else [value.decode() for value in encoded]
        # A TensorProto may omit repeated values at the end: the last value fills the rest.
        values += values[-1:] * (size - len(values))
    if len(values) != size:
        raise ValueError(f"{len(values)} values for shape {shape}")
    if len(shape) == 1:
        return values
    columns = shape[1]
    return [values[start : start + columns] for start in range(0, size, columns or 1)]
