"""What a way to the server gives, whichever protocol it speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Protocol

from schema.errors import ExitStatus, TryAgainError, UserError
from schema.names import GENRES_OUTPUT, MODEL_NAME, PREDICTED_OUTPUT, PROBABILITIES_OUTPUT
from serving.client.movies import Movie

OUTPUTS: Final = (GENRES_OUTPUT, PROBABILITIES_OUTPUT, PREDICTED_OUTPUT)
"""What is read of an answer, in the order in which `predictions` takes it."""


class Trouble(Enum):
    """What a server's refusal means for the one who asked."""

    ROWS = "rows"
    """Something in the request; another request may do."""
    BUSY = "busy"
    """The same request may do in a moment."""
    AWAY = "away"
    """Nobody answers; someone may in a moment."""
    LATE = "late"
    """The time allowed is over."""
    MODEL = "model"
    """There is no such model, version or signature."""
    OTHER = "other"


class ServerError(UserError):
    """The server refused, failed, or cannot be reached.

    Attributes:
        trouble: what kind of failure it is.
        said: the server's own words.
    """

    def __init__(self, trouble: Trouble, message: str, said: str = "") -> None:
        super().__init__(message)
        self.trouble = trouble
        self.said = said


class UnavailableError(ServerError, TryAgainError):
    """No server answers, or it is too busy or too slow; the same request can succeed later."""


class FailedServerError(ServerError):
    """The server failed for a reason of its own."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.FAILED


@dataclass(frozen=True)
class Genre:
    """One genre of one film.

    Attributes:
        name: the genre.
        probability: from 0 to 1.
        predicted: whether the model decides for it, at a threshold of its own.
    """

    name: str
    probability: float
    predicted: bool


@dataclass(frozen=True)
class Prediction:
    """The genres of one film, in the order of the model."""

    genres: tuple[Genre, ...]

    @property
    def decided(self) -> tuple[str, ...]:
        """Names of the genres that the model decides for."""
        return tuple(genre.name for genre in self.genres if genre.predicted)

    @property
    def likeliest(self) -> tuple[Genre, ...]:
        """All genres, the most probable first."""
        return tuple(sorted(self.genres, key=lambda genre: -genre.probability))

    def as_json(self) -> dict[str, Any]:
        """`predicted`, a list of names, and `probabilities`, an object from name to number."""
        return {
            "predicted": list(self.decided),
            "probabilities": {genre.name: round(genre.probability, 6) for genre in self.genres},
        }


@dataclass(frozen=True)
class VersionStatus:
    """A version of the model on the server.

    Attributes:
        version: its number.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        message: why it is not well; empty where it is.
    """

    version: int
    state: str
    message: str


@dataclass(frozen=True)
class ModelStatus:
    """All versions of the model, the newest first."""

    versions: tuple[VersionStatus, ...]

    @property
    def served(self) -> int | None:
        """The version that answers when none is asked for; None where no version does."""
        return next((v.version for v in self.versions if v.state == "AVAILABLE"), None)


@dataclass(frozen=True)
class ModelName:
    """Which model to ask.

    Attributes:
        name: of the model.
        version: a number, or None for the one served.
        label: of a version, or empty.
    """

    name: str = MODEL_NAME
    version: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: both a version and a label are given.
        """
        if self.version is not None and self.label:
            raise UserError("give a version or a label of the model, not both")


class Transport(Protocol):
    """A way to one model on one server; may be used from several threads."""

    @property
    def address(self) -> str:
        """Where the server is, for messages."""

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """One request with all the movies.

        Raises:
            ServerError: there is no answer within `timeout` seconds, or none that is a prediction.
        """

    def status(self, timeout: float) -> ModelStatus:
        """The versions of the model.

        Raises:
            ServerError: as above.
        """

    def close(self) -> None:
        """Let go of all connections."""


def predictions(
    genres: Sequence[Sequence[str]],
    probabilities: Sequence[Sequence[float]],
    predicted: Sequence[Sequence[bool]],
) -> list[Prediction]:
    """Predictions from the three outputs, each [N, G].

    Raises:
        ValueError: the shapes do not fit one another.
    """
    return [
        Prediction(tuple(Genre(*one) for one in zip(*row, strict=True)))
        for row in zip(genres, probabilities, predicted, strict=True)
    ]


def told(trouble: Trouble, address: str, model: ModelName, said: str) -> ServerError:
    """The error of a failed call, in plain words followed by the server's own."""
    plain = {
        Trouble.ROWS: "the server refuses the request",
        Trouble.BUSY: f"the server at {address} is too busy; ask again later, or with less at once",
        Trouble.AWAY: f"no server answers at {address}; is it running there?",
        Trouble.LATE: f"the server at {address} did not answer in time",
        Trouble.MODEL: f"the server at {address} cannot serve the model {model.name} as asked",
        Trouble.OTHER: f"the server at {address} failed",
    }[trouble]
    kind = {
        Trouble.BUSY: UnavailableError,
        Trouble.AWAY: UnavailableError,
        Trouble.LATE: UnavailableError,
        Trouble.OTHER: FailedServerError,
    }.get(trouble, ServerError)
    first = said.strip().partition("\n")[0]
    return kind(trouble, f"{plain}: {first}" if first else plain, first)
