"""Requests and responses of the client, independent of the protocol."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final

from schema.errors import ExitStatus, TryAgainError, UserError
from schema.names import (
    GENRES_OUTPUT,
    KNOWN_WORDS_OUTPUT,
    MODEL_NAME,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    THRESHOLDS_OUTPUT,
    UNFAMILIAR_OUTPUT,
)
from serving.client.movies import Inputs, Movie, has_title_alone
from serving.client.predictions import Genre, Prediction

OUTPUT_NAMES: Final = (GENRES_OUTPUT, PROBABILITIES_OUTPUT, PREDICTED_OUTPUT)
"""Outputs of the model that the client reads, in the order of the fields of `Genre`."""


class ErrorKind(Enum):
    """Kinds of errors that a server causes. The values are templates of the messages.

    Attributes:
        INVALID_INPUT: The server rejected the rows of the request; other rows may succeed.
        BUSY: The server has too many requests.
        UNAVAILABLE: Nothing answers at the address.
        TIMEOUT: The server did not answer in time.
        NOT_FOUND: The server has no such model, version or signature.
        OTHER: The server failed in another way.
    """

    INVALID_INPUT = "the server at {address} rejected the request"
    BUSY = "the server at {address} is too busy; try again later, or with fewer rows at once"
    UNAVAILABLE = "no server answers at {address}. `ordained serve` starts one."
    TIMEOUT = "the server at {address} did not answer in time"
    NOT_FOUND = (
        "the server at {address} cannot serve the requested model {model} "
        "(`ordained predict --status` lists its versions)"
    )
    OTHER = "the server at {address} failed"


class ServerError(UserError):
    """A server that rejected a request, failed, or could not be reached.

    Attributes:
        kind: Kind of the error.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TemporaryServerError(ServerError, TryAgainError):
    """A server that is unavailable, too busy or too slow; the same request can succeed later."""


class FailedServerError(ServerError):
    """A server that failed, although nothing is wrong with the request."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.FAILED


@dataclass(frozen=True)
class VersionStatus:
    """State of one version of the model on the server.

    Attributes:
        version: Number of the version.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        message: Error of the version; empty if there is none.
    """

    version: int
    state: str
    message: str


@dataclass(frozen=True)
class ModelSpec:
    """The model, and optionally the version, that answers the requests.

    Attributes:
        name: Name of the model.
        version: Number of the version; None for the newest one.
        label: Label of the version; empty if there is none.

    Raises:
        UserError: Both a version and a label are given.
    """

    name: str = MODEL_NAME
    version: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        """Validate the values."""
        if self.version is not None and self.label:
            raise UserError("give a version or a label of the model, not both")


class Transport(ABC):
    """A connection to one model on one server. It may be used from several threads.

    Args:
        address: Address of the server.
        model: Model that answers the requests.
    """

    def __init__(self, address: str, model: ModelSpec) -> None:
        self.address, self.model = address, model

    @abstractmethod
    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """Predict all movies in one request.

        Args:
            movies: Movies to predict.
            timeout: Time allowed for the response, in seconds.

        Returns:
            One prediction per movie.

        Raises:
            ServerError: The server did not answer in time, or not with predictions.
        """

    @abstractmethod
    def status(self, timeout: float) -> list[VersionStatus]:
        """Return the versions of the model, newest first.

        Args:
            timeout: Time allowed for the response, in seconds.

        Raises:
            ServerError: The server did not answer in time, or not with a status.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    def server_error(self, kind: ErrorKind, detail: str = "") -> ServerError:
        """Return the exception for a failed request.

        Args:
            kind: Kind of the error.
            detail: Message of the server, whose first line is appended to the client's message.
        """
        error_class = ServerError
        if kind in (ErrorKind.BUSY, ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT):
            error_class = TemporaryServerError
        elif kind is ErrorKind.OTHER:
            error_class = FailedServerError
        message = kind.value.format(address=self.address, model=self.model.name)
        first_line = detail.strip().partition("\n")[0]
        return error_class(kind, f"{message}: {first_line}" if first_line else message)

    def parse_predictions(
        self, inputs: Inputs, read_output: Callable[[str], Sequence[Any]]
    ) -> list[Prediction]:
        """Convert the outputs of the model to predictions.

        Args:
            inputs: Inputs of the request.
            read_output: Function that returns an output by name, as [movies, genres] or [movies].
                It raises a KeyError if there is no such output.

        Raises:
            ServerError: The outputs are not those of a genre model.
        """

        def read_optional(name: str, default: Any) -> Sequence[Any]:
            try:
                return read_output(name)
            except KeyError:
                return [default] * len(columns[0])

        try:
            columns = [read_output(name) for name in OUTPUT_NAMES]
            unknown = [None] * len(columns[0][0]) if columns[0] else []
            rows = zip(
                *columns,
                read_optional(THRESHOLDS_OUTPUT, unknown),
                read_optional(UNFAMILIAR_OUTPUT, False),
                read_optional(KNOWN_WORDS_OUTPUT, 1.0),
                has_title_alone(inputs),
                strict=True,
            )
            return [
                Prediction(
                    tuple(Genre(*values) for values in zip(*genres, strict=True)),
                    unfamiliar_language,
                    known_words,
                    title_alone,
                )
                for *genres, unfamiliar_language, known_words, title_alone in rows
            ]
        except (KeyError, TypeError, ValueError) as error:
            detail = f"the response is not that of a genre model ({error})"
            raise self.server_error(ErrorKind.NOT_FOUND, detail) from error
