"""How a request fails: the status codes of gRPC, and what they are over HTTP."""

import re
from typing import Final

import grpc
import tensorflow as tf

HTTP_STATUS: Final = {
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
"""Whatever is not here is 500."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_PYTHON_ONLY: Final = re.compile(
    r"^Graph execution error:\s*(?:(?:Detected at n|N)ode.*\n(?: .*\n|<stack traces .*\n|\n)*)*"
    r"|\s*Original stack trace for '[^']*':[\s\S]*$"
    r"|\s*\[Op:\w+\][^\[]*$"
)
"""What TensorFlow's messages have around them in Python and not in a server written in C++."""


class ServingError(Exception):
    """A request that cannot be answered.

    The message is TensorFlow Serving's own for the same mistake.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """The status of the REST answer."""
        return HTTP_STATUS.get(self.code, 500)


def invalid(message: str) -> ServingError:
    """The request itself is wrong."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """No such model or version."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def from_exception(error: Exception) -> ServingError:
    """What a failure inside TensorFlow, or of the server itself, is to the one who asked."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES[error.error_code], _PYTHON_ONLY.sub("", error.message))
    return ServingError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
