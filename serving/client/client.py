"""The client: one model, over gRPC or REST, with retries."""

import random
import time
from collections.abc import Sequence
from typing import Final, Self

from schema.errors import UserError
from serving.client.movies import Movie
from serving.client.transport import (
    ErrorKind,
    ModelSpec,
    Prediction,
    ServerError,
    Transport,
    VersionStatus,
)

ROWS_PER_REQUEST: Final = 64

SECONDS: Final = 30.0
"""How long to wait for an answer, further tries included."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before the second try, doubled for each further one, and at most."""


class Client:
    """Asks one model for the genres of movies. May be used from several threads.

    Args:
        server: `HOST:PORT` (or `unix:PATH`) for gRPC, `http://HOST:PORT` for REST.
        model: which model; default the served version of `movie_genres`.
        seconds: how long to wait for an answer of a server that is busy, or gone since it last
            answered.

    Raises:
        UserError: the address is none, or no time is allowed.
    """

    def __init__(
        self, server: str, model: ModelSpec | None = None, seconds: float = SECONDS
    ) -> None:
        if not seconds > 0:
            raise UserError("the time to wait for an answer must be above 0 seconds")
        self._transport = _way(server, model or ModelSpec())
        self.address = self._transport.address
        self._seconds = seconds
        self._met = False

    def predict(self, movies: Sequence[Movie]) -> list[Prediction]:
        """The genres of each movie, in the same order; one request with all of them.

        Raises:
            FieldError: a movie has a field that there is not, or a value that does not fit.
            ServerError: the server refuses, or does not answer in time.
        """
        if not movies:
            return []
        end = time.monotonic() + self._seconds
        pause = FIRST_PAUSE
        while True:
            try:
                answer = self._transport.predict(movies, max(end - time.monotonic(), 0.001))
                self._met = True
                return answer
            except ServerError as error:
                # A server that has answered before is being restarted; another is not there.
                retried = {ErrorKind.BUSY, ErrorKind.AWAY} if self._met else {ErrorKind.BUSY}
                # Half to all of the pause: clients that were refused together come back apart.
                wait = pause * random.uniform(0.5, 1)
                if error.trouble not in retried or time.monotonic() + wait >= end:
                    raise
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def status(self) -> list[VersionStatus]:
        """The versions of the model on the server, the newest first; asked once.

        Raises:
            ServerError: the server refuses, or does not answer in time.
        """
        return self._transport.status(self._seconds)

    def close(self) -> None:
        """Let go of all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        self.close()


def predict(
    movies: Sequence[Movie], server: str, model: ModelSpec | None = None
) -> list[Prediction]:
    """The genres of movies, with probabilities, in the same order.

    Args:
        movies: any number of them, each a mapping from names of `schema.features.MODEL_INPUTS` to
            values (`serving.client.movies`).
        server: `HOST:PORT` for gRPC, `http://HOST:PORT` for REST.
        model: which model; default the served version of `movie_genres`.

    Raises:
        FieldError: a movie has a field that there is not, or a value that does not fit.
        ServerError: the server refuses, or does not answer in time.
    """
    with Client(server, model) as client:
        return [
            prediction
            for start in range(0, len(movies), ROWS_PER_REQUEST)
            for prediction in client.predict(movies[start : start + ROWS_PER_REQUEST])
        ]


def _way(server: str, model: ModelSpec) -> Transport:
    """The transport of an address; each brings its own library, so only the one used is loaded."""
    if server.startswith(("http://", "https://")):
        from serving.client.over_rest import OverRest

        return OverRest(server, model)
    if not server.startswith("unix:") and not server.rpartition(":")[2].isdigit():
        raise UserError(
            f"{server}: expected HOST:PORT for gRPC or http://HOST:PORT for REST as the server"
        )
    from serving.client.over_grpc import OverGrpc

    return OverGrpc(server, model)
