"""The client for one model, over gRPC or REST, with retries."""

import random
import time
from collections.abc import Sequence
from typing import Final, Self

from schema.errors import UserError
from serving.client.movies import Movie
from serving.client.predictions import Prediction
from serving.client.transport import (
    ErrorKind,
    ModelSpec,
    ServerError,
    Transport,
    VersionStatus,
)

ROWS_PER_REQUEST: Final = 64

DEFAULT_TIMEOUT_SECONDS: Final = 30.0

FIRST_RETRY_DELAY_SECONDS: Final = 0.05
"""Delay before the first retry. It doubles with each further retry."""

MAX_RETRY_DELAY_SECONDS: Final = 2.0


class Client:
    """A client that asks one model for the genres of movies. It may be used from several threads.

    Args:
        server: Address of the server: `HOST:PORT` or `unix:PATH` for gRPC, `http://HOST:PORT` for
            REST.
        model: Model that answers; by default the newest version of `movie_genres`.
        timeout: Time allowed for one call, including retries, in seconds.

    Attributes:
        address: Address of the server.

    Raises:
        UserError: The address has another form, or the timeout is not positive.
    """

    def __init__(
        self,
        server: str,
        model: ModelSpec | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        if not timeout > 0:
            raise UserError(f"timeout: expected more than 0 seconds, got {timeout:g}")
        self._transport = _create_transport(server, model or ModelSpec())
        self.address = self._transport.address
        self._timeout = timeout
        self._has_answered = False

    def predict(self, movies: Sequence[Movie]) -> list[Prediction]:
        """Predict the genres of movies in one request.

        The request is repeated while the server is busy, or is unavailable but has answered an
        earlier request.

        Args:
            movies: Movies to predict, each a mapping from names in
                `schema.features.MODEL_INPUTS` to values.

        Returns:
            One prediction per movie, in the same order.

        Raises:
            FieldError: A movie has an unknown field, or a value that is not allowed.
            ServerError: The server rejects the request, fails, or does not answer in time.
        """
        if not movies:
            return []
        end = time.monotonic() + self._timeout
        max_delay = FIRST_RETRY_DELAY_SECONDS
        while True:
            try:
                remaining = max(end - time.monotonic(), 0.001)
                predictions = self._transport.predict(movies, remaining)
                self._has_answered = True
                return predictions
            except ServerError as error:
                retryable = {ErrorKind.BUSY}
                if self._has_answered:
                    # The server is probably being restarted.
                    retryable.add(ErrorKind.UNAVAILABLE)
                # A random delay spreads the retries of clients that were rejected together.
                delay = max_delay * random.uniform(0.5, 1)
                if error.kind not in retryable or time.monotonic() + delay >= end:
                    raise
            time.sleep(delay)
            max_delay = min(2 * max_delay, MAX_RETRY_DELAY_SECONDS)

    def status(self) -> list[VersionStatus]:
        """Return the versions of the model on the server, newest first, without retries.

        Raises:
            ServerError: The server rejects the request, fails, or does not answer in time.
        """
        return self._transport.status(self._timeout)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()


def predict(
    movies: Sequence[Movie], server: str, model: ModelSpec | None = None
) -> list[Prediction]:
    """Predict the genres of any number of movies.

    Args:
        movies: Movies to predict, each a mapping from names in `schema.features.MODEL_INPUTS` to
            values. Fields with unknown values may be omitted.
        server: Address of the server: `HOST:PORT` for gRPC, `http://HOST:PORT` for REST.
        model: Model that answers; by default the newest version of `movie_genres`.

    Returns:
        One prediction per movie, in the same order.

    Raises:
        FieldError: A movie has an unknown field, or a value that is not allowed.
        ServerError: The server rejects the request, fails, or does not answer in time.
    """
    with Client(server, model) as client:
        return [
            prediction
            for start in range(0, len(movies), ROWS_PER_REQUEST)
            for prediction in client.predict(movies[start : start + ROWS_PER_REQUEST])
        ]


def _create_transport(server: str, model: ModelSpec) -> Transport:
    """Return the transport for an address, and import only the library that it needs."""
    if server.startswith(("http://", "https://")):
        from serving.client.rest_transport import RestTransport

        return RestTransport(server, model)
    if not server.startswith("unix:") and not server.rpartition(":")[2].isdigit():
        raise UserError(f"{server}: expected HOST:PORT for gRPC or http://HOST:PORT for REST")
    from serving.client.grpc_transport import GrpcTransport

    return GrpcTransport(server, model)
