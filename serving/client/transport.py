"""What is asked of a server and what comes back, whichever protocol is spoken."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final

from schema.errors import ExitStatus, TryAgainError, UserError
from schema.names import GENRES_OUTPUT, MODEL_NAME, PREDICTED_OUTPUT, PROBABILITIES_OUTPUT
from serving.client.movies import Movie

OUTPUTS: Final = (GENRES_OUTPUT, PROBABILITIES_OUTPUT, PREDICTED_OUTPUT)
"""What is read of an answer."""


class ErrorKind(Enum):
    """What a server's refusal means for the one who asked; the values say it."""

    ROWS = "the server refuses the request"
    """Another request may do."""
    BUSY = "the server at {address} is too busy; ask again later, or with less at once"
    AWAY = "no server answers at {address}; is it running there?"
    LATE = "the server at {address} did not answer in time"
    MODEL = "the server at {address} cannot serve the model {model} as asked"
    """There is no such model, version or signature."""
    OTHER = "the server at {address} failed"


class ServerError(UserError):
    """The server refused, failed, or cannot be reached; `trouble` says which."""

    def __init__(self, trouble: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


class UnavailableError(ServerError, TryAgainError):
    """No server answers, or it is too busy or too slow; the same request can succeed later."""


class FailedServerError(ServerError):
    """The server failed for a reason of its own."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.FAILED


@dataclass(frozen=True)
class Genre:
    """One genre of one movie: its probability, from 0 to 1, and whether the model decides for
    it.
    """

    name: str
    probability: float
    predicted: bool


@dataclass(frozen=True)
class Prediction:
    """The genres of one movie, in the order of the model."""

    genres: tuple[Genre, ...]

    @property
    def predicted_genres(self) -> tuple[str, ...]:
        """Names of the genres that the model decides for."""
        return tuple(genre.name for genre in self.genres if genre.predicted)

    @property
    def ranked(self) -> tuple[Genre, ...]:
        """All genres, the most probable first."""
        return tuple(sorted(self.genres, key=lambda genre: -genre.probability))

    def as_json(self) -> dict[str, Any]:
        """`predicted`, a list of names, and `probabilities`, an object from name to number."""
        return {
            "predicted": list(self.predicted_genres),
            "probabilities": {genre.name: round(genre.probability, 6) for genre in self.genres},
        }


@dataclass(frozen=True)
class VersionStatus:
    """A version of the model on the server.

    Attributes:
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        message: why it is not well; empty where it is.
    """

    version: int
    state: str
    message: str


@dataclass(frozen=True)
class ModelSpec:
    """Which model to ask.

    Attributes:
        version: a number, or None for the one served.
        label: of a version, or empty.

    Raises:
        UserError: both a version and a label are given.
    """

    name: str = MODEL_NAME
    version: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.version is not None and self.label:
            raise UserError("give a version or a label of the model, not both")


class Transport(ABC):
    """A way to one model on one server; may be used from several threads."""

    def __init__(self, address: str, model: ModelSpec) -> None:
        self.address, self.model = address, model

    @abstractmethod
    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """One request with all the movies.

        Raises:
            ServerError: there is no answer within `timeout` seconds, or none that is a prediction.
        """

    @abstractmethod
    def status(self, timeout: float) -> list[VersionStatus]:
        """The versions of the model, the newest first; raises as `predict`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections."""

    def error(self, trouble: ErrorKind, said: str = "") -> ServerError:
        """The error of a failed call, in plain words followed by the server's own."""
        kind = ServerError
        if trouble in (ErrorKind.BUSY, ErrorKind.AWAY, ErrorKind.LATE):
            kind = UnavailableError
        elif trouble is ErrorKind.OTHER:
            kind = FailedServerError
        plain = trouble.value.format(address=self.address, model=self.model.name)
        first = said.strip().partition("\n")[0]
        return kind(trouble, f"{plain}: {first}" if first else plain)

    def predictions(self, read: Callable[[str], Sequence[Sequence[Any]]]) -> list[Prediction]:
        """Predictions from the outputs that `read` gives by their names, each [N, G]."""
        try:
            rows = zip(*map(read, OUTPUTS), strict=True)
            return [
                Prediction(tuple(Genre(*one) for one in zip(*row, strict=True))) for row in rows
            ]
        except (KeyError, TypeError, ValueError) as error:
            said = f"the answer is not that of a genre model ({error})"
            raise self.error(ErrorKind.MODEL, said) from error
