"""The way over gRPC."""

from collections.abc import Sequence
from typing import Any, Final

import grpc

from schema import features as raw
from schema.names import SERVING_SIGNATURE
from serving.client import protos
from serving.client.movies import Movie, columns
from serving.client.transport import ErrorKind, ModelSpec, Prediction, Transport, VersionStatus

_FLOAT, _STRING, _BOOL = (
    protos.DataType[name].number for name in ("DT_FLOAT", "DT_STRING", "DT_BOOL")
)

_TROUBLES: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: ErrorKind.ROWS,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorKind.BUSY,
    grpc.StatusCode.UNAVAILABLE: ErrorKind.AWAY,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorKind.LATE,
    grpc.StatusCode.NOT_FOUND: ErrorKind.MODEL,
}

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that comes back is found again within a second.
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class OverGrpc(Transport):
    """The way over gRPC."""

    def __init__(self, address: str, model: ModelSpec) -> None:
        super().__init__(address, model)
        self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._predict = protos.method(self._channel, "PredictionService", "Predict")
        self._status = protos.method(self._channel, "ModelService", "GetModelStatus")

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """One Predict call with all the movies."""
        answer = self._call(self._predict, request(movies, self.model), timeout)
        return self.predictions(lambda name: _rows(answer.outputs[name]))

    def status(self, timeout: float) -> list[VersionStatus]:
        """One GetModelStatus call."""
        wanted = protos.GetModelStatusRequest(model_spec=_spec(self.model))
        answer = self._call(self._status, wanted, timeout)
        states = protos.ModelVersionStatus.State
        found = [
            VersionStatus(one.version, states.Name(one.state), one.status.error_message)
            for one in answer.model_version_status
        ]
        return sorted(found, key=lambda one: -one.version)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _call(self, method: Any, message: Any, timeout: float) -> Any:
        try:
            return method(message, timeout=timeout)
        except grpc.RpcError as error:
            said = error.details() or ""
            trouble = _TROUBLES.get(error.code(), ErrorKind.OTHER)
            # gRPC has one status for a server with too much to do and for a message too long.
            if trouble is ErrorKind.BUSY and "larger than max" in said:
                trouble = ErrorKind.ROWS
            if trouble in (ErrorKind.AWAY, ErrorKind.LATE):
                said = ""
            raise self.error(trouble, said) from error


def _spec(model: ModelSpec, signature: str = "") -> Any:
    # What is None is left out.
    return protos.ModelSpec(
        name=model.name,
        version=None if model.version is None else {"value": model.version},
        version_label=model.label or None,
        signature_name=signature,
    )


def request(movies: Sequence[Movie], model: ModelSpec) -> Any:
    """A PredictRequest: string [N] for texts and names, float32 [N] for numbers."""
    made = protos.PredictRequest(model_spec=_spec(model, SERVING_SIGNATURE))
    for name, values in columns(movies).items():
        tensor = made.inputs[name]
        tensor.tensor_shape.dim.add(size=len(values))
        if name in raw.NUMBERS:
            tensor.dtype = _FLOAT
            tensor.float_val.extend(values)
        else:
            tensor.dtype = _STRING
            tensor.string_val.extend(str(value).encode() for value in values)
    return made


def _rows(tensor: Any) -> list[list[Any]]:
    """The rows of a TensorProto [N, M] of strings, float32 or bool, however it is encoded.

    Raises:
        TypeError, ValueError: it is none of these, or contradicts itself.
    """
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    kinds: Any = {_STRING: ("string", ""), _FLOAT: ("float", "f"), _BOOL: ("bool", "?")}
    if len(sizes) != 2 or tensor.dtype not in kinds:
        raise ValueError(f"a tensor of type {tensor.dtype} and shape {sizes}")
    field, code = kinds[tensor.dtype]
    count = sizes[0] * sizes[1]
    if tensor.tensor_content and code:
        values = list(memoryview(tensor.tensor_content).cast(code))
    else:
        given = getattr(tensor, f"{field}_val")
        values = list(given) if code else [value.decode() for value in given]
        # In this encoding the last value stands for all that follow.
        values += values[-1:] * (count - len(values))
    if len(values) != count:
        raise ValueError(f"{len(values)} values for shape {sizes}")
    return [values[start : start + sizes[1]] for start in range(0, count, sizes[1] or 1)]
