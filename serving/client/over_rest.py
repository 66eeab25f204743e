"""The way over REST."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from schema.errors import UserError
from schema.names import SERVING_SIGNATURE
from serving.client.movies import Movie, columns
from serving.client.transport import (
    OUTPUTS,
    ModelName,
    ModelStatus,
    Prediction,
    ServerError,
    Trouble,
    VersionStatus,
    predictions,
    told,
)

_TROUBLES: Final = {
    400: Trouble.ROWS,
    413: Trouble.ROWS,
    404: Trouble.MODEL,
    408: Trouble.LATE,
    504: Trouble.LATE,
    429: Trouble.BUSY,
    503: Trouble.BUSY,
}


class OverRest:
    """A way to one model over REST.

    Raises:
        UserError: the URL names no server.
    """

    def __init__(self, url: str, model: ModelName) -> None:
        self._url = url.rstrip("/")
        try:
            usable = bool(httpx.URL(url).host)
        except httpx.InvalidURL:
            usable = False
        if not usable:
            raise UserError(f"{url}: expected http://HOST:PORT")
        self._model = model
        # The environment's proxies are for the world outside.
        self._http = httpx.Client(
            trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=64)
        )

    @property
    def address(self) -> str:
        """The URL of the server, for messages."""
        return self._url

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """One POST with all the movies, in column form."""
        body = {"signature_name": SERVING_SIGNATURE, "inputs": columns(movies)}
        answer = self._call("POST", ":predict", json.dumps(body).encode(), timeout)
        try:
            outputs = answer["outputs"]
            return predictions(*(outputs[name] for name in OUTPUTS))
        except (KeyError, TypeError, ValueError) as error:
            said = "the answer is not that of a genre model"
            raise told(Trouble.MODEL, self._url, self._model, said) from error

    def status(self, timeout: float) -> ModelStatus:
        """One GET of the model."""
        answer = self._call("GET", "", None, timeout)
        try:
            found = [
                VersionStatus(int(one["version"]), one["state"], one["status"]["error_message"])
                for one in answer["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            said = "the answer is not that of TensorFlow Serving"
            raise told(Trouble.OTHER, self._url, self._model, said) from error
        return ModelStatus(tuple(sorted(found, key=lambda one: -one.version)))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, action: str, body: bytes | None, timeout: float) -> Any:
        version = f"/versions/{self._model.version}" if self._model.version is not None else ""
        label = f"/labels/{quote(self._model.label, '')}" if self._model.label else ""
        url = f"{self._url}/v1/models/{quote(self._model.name, '')}{version}{label}{action}"
        try:
            answer = self._http.request(method, url, content=body, timeout=timeout)
        except httpx.TimeoutException as error:
            trouble = Trouble.AWAY if isinstance(error, httpx.ConnectTimeout) else Trouble.LATE
            raise self._told(trouble) from error
        except httpx.RequestError as error:
            raise self._told(Trouble.AWAY) from error
        if answer.status_code != httpx.codes.OK:
            trouble = _TROUBLES.get(answer.status_code, Trouble.OTHER)
            raise self._told(trouble, _said(answer))
        try:
            return answer.json()
        except ValueError as error:
            raise self._told(Trouble.OTHER, "the answer is not JSON") from error

    def _told(self, trouble: Trouble, said: str = "") -> ServerError:
        return told(trouble, self._url, self._model, said)


def _said(answer: httpx.Response) -> str:
    """The server's own words."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
