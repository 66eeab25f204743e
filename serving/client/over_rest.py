"""The way over REST."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from schema.errors import UserError
from schema.names import SERVING_SIGNATURE
from serving.client.movies import Movie, columns
from serving.client.transport import ErrorKind, ModelSpec, Prediction, Transport, VersionStatus

_TROUBLES: Final = {
    400: ErrorKind.ROWS,
    413: ErrorKind.ROWS,
    404: ErrorKind.MODEL,
    408: ErrorKind.LATE,
    504: ErrorKind.LATE,
    429: ErrorKind.BUSY,
    503: ErrorKind.BUSY,
}


class OverRest(Transport):
    """The way over REST; a `UserError` if the URL names no server."""

    def __init__(self, url: str, model: ModelSpec) -> None:
        super().__init__(url.rstrip("/"), model)
        try:
            usable = bool(httpx.URL(url).host)
        except httpx.InvalidURL:
            usable = False
        if not usable:
            raise UserError(f"{url}: expected http://HOST:PORT")
        # The environment's proxies are for the world outside.
        self._http = httpx.Client(
            trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=64)
        )

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """One POST with all the movies, in column form."""
        body = {"signature_name": SERVING_SIGNATURE, "inputs": columns(movies)}
        answer = self._call("POST", ":predict", timeout, body)
        return self.predictions(lambda name: answer["outputs"][name])

    def status(self, timeout: float) -> list[VersionStatus]:
        """One GET of the model."""
        answer = self._call("GET", "", timeout)
        try:
            found = [
                VersionStatus(int(one["version"]), one["state"], one["status"]["error_message"])
                for one in answer["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            said = "the answer is not that of TensorFlow Serving"
            raise self.error(ErrorKind.OTHER, said) from error
        return sorted(found, key=lambda one: -one.version)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, action: str, timeout: float, body: Any = None) -> Any:
        version = f"/versions/{self.model.version}" if self.model.version is not None else ""
        label = f"/labels/{quote(self.model.label, '')}" if self.model.label else ""
        url = f"{self.address}/v1/models/{quote(self.model.name, '')}{version}{label}{action}"
        try:
            answer = self._http.request(method, url, json=body, timeout=timeout)
        except httpx.TimeoutException as error:
            trouble = ErrorKind.AWAY if isinstance(error, httpx.ConnectTimeout) else ErrorKind.LATE
            raise self.error(trouble) from error
        except httpx.RequestError as error:
            raise self.error(ErrorKind.AWAY) from error
        if answer.status_code != httpx.codes.OK:
            trouble = _TROUBLES.get(answer.status_code, ErrorKind.OTHER)
            raise self.error(trouble, _said(answer))
        try:
            return answer.json()
        except ValueError as error:
            raise self.error(ErrorKind.OTHER, "the answer is not JSON") from error


def _said(answer: httpx.Response) -> str:
    """The server's own words."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
