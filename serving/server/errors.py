"""Errors of requests, with their gRPC codes and HTTP statuses."""

import re
from typing import Final

import grpc
import tensorflow as tf

HTTP_STATUSES: Final = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""HTTP status of each gRPC code. All other codes become 500."""

_CODES_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}

_PYTHON_TRACE: Final = re.compile(
    r"^Graph execution error:\s*(?:(?:Detected at n|N)ode.*\n(?: .*\n|<stack traces .*\n|\n)*)*"
    r"|\s*Original stack trace for '[^']*':[\s\S]*$"
    r"|\s*\[Op:\w+\][^\[]*$"
)
"""Parts of TensorFlow's messages that only its Python API adds, such as stack traces."""


class ServingError(Exception):
    """An error that is returned to the client.

    Args:
        code: gRPC status code.
        message: Message for the client, in TensorFlow Serving's words for the same error.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """HTTP status of the REST response."""
        return HTTP_STATUSES.get(self.code, 500)


def invalid_argument(message: str) -> ServingError:
    """Return an error for a malformed request."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """Return an error for a model or version that does not exist."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def deadline_exceeded() -> ServingError:
    """Return the error for a request whose deadline has passed."""
    return ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def as_serving_error(error: Exception) -> ServingError:
    """Convert any exception to a `ServingError`.

    Errors of TensorFlow keep their code. Unexpected exceptions become `INTERNAL`.
    """
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        code = _CODES_BY_NUMBER[error.error_code]
        return ServingError(code, _PYTHON_TRACE.sub("", error.message))
    return ServingError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
