"""The client: one model, over gRPC or REST, with retries."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar

from schema.errors import UserError
from serving.client.movies import Movie
from serving.client.transport import (
    ModelName,
    ModelStatus,
    Prediction,
    ServerError,
    Transport,
    Trouble,
)

ROWS_PER_REQUEST: Final = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how to ask again.

    Attributes:
        seconds: from the first try to giving up.
        first_pause: seconds before the second try; doubled for each further one.
        longest_pause: seconds.
    """

    seconds: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: no time is allowed.
        """
        if not self.seconds > 0:
            raise UserError("the time to wait for an answer must be above 0 seconds")


class Client:
    """Asks one model for the genres of movies. May be used from several threads.

    Args:
        server: `HOST:PORT` (or `unix:PATH`) for gRPC, `http://HOST:PORT` for REST.
        model: which model; default the served version of `movie_genres`.
        patience: how long to wait for a server that is busy, or gone since it last answered.
    """

    def __init__(
        self, server: str, model: ModelName | None = None, patience: Patience | None = None
    ) -> None:
        self._transport = _way(server, model or ModelName())
        self._patience = patience or Patience()
        self._met = False

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._transport.address

    def predict(self, movies: Sequence[Movie]) -> list[Prediction]:
        """The genres of each movie, in the same order; one request with all of them.

        Raises:
            FieldError: a movie has a field that there is not, or a value that does not fit.
            ServerError: the server refuses, or does not answer in time.
        """
        if not movies:
            return []
        return self._patiently(lambda timeout: self._transport.predict(movies, timeout))

    def status(self) -> ModelStatus:
        """The versions of the model on the server, asked once.

        Raises:
            ServerError: the server refuses, or does not answer in time.
        """
        return self._transport.status(self._patience.seconds)

    def close(self) -> None:
        """Let go of all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of all connections."""
        self.close()

    def _patiently(self, call: Callable[[float], T]) -> T:
        """Call with the seconds that are left, again and again while it may help."""
        end = time.monotonic() + self._patience.seconds
        pause = self._patience.first_pause
        while True:
            try:
                answer = call(max(end - time.monotonic(), 0.001))
            except ServerError as error:
                # A server that has answered before is being restarted; another is not there.
                retried = error.trouble is Trouble.BUSY or (
                    error.trouble is Trouble.AWAY and self._met
                )
                # Half to all of the pause: clients that were refused together come back apart.
                wait = pause * random.uniform(0.5, 1)
                if not retried or time.monotonic() + wait >= end:
                    raise
            else:
                self._met = True
                return answer
            time.sleep(wait)
            pause = min(2 * pause, self._patience.longest_pause)


def predict(
    movies: Sequence[Movie], server: str, model: ModelName | None = None
) -> list[Prediction]:
    """The genres of movies, with probabilities.

    Args:
        movies: any number of them, each a mapping from names of `schema.features.MODEL_INPUTS` to
            values (`serving.client.movies`).
        server: `HOST:PORT` for gRPC, `http://HOST:PORT` for REST.
        model: which model; default the served version of `movie_genres`.

    Returns:
        A prediction for each movie, in the same order.

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


def _way(server: str, model: ModelName) -> Transport:
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
