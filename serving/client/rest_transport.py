"""The REST transport."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from schema.errors import UserError
from schema.names import SERVING_SIGNATURE
from serving.client.movies import Movie, model_inputs
from serving.client.predictions import Prediction
from serving.client.transport import ErrorKind, ModelSpec, Transport, VersionStatus

_ERROR_KINDS: Final = {
    400: ErrorKind.INVALID_INPUT,
    413: ErrorKind.INVALID_INPUT,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    504: ErrorKind.TIMEOUT,
    429: ErrorKind.BUSY,
    503: ErrorKind.BUSY,
}


class RestTransport(Transport):
    """A connection over REST.

    Args:
        url: Address of the server, `http://HOST:PORT`.
        model: Model that answers the requests.

    Raises:
        UserError: The URL has no host.
    """

    def __init__(self, url: str, model: ModelSpec) -> None:
        super().__init__(url.rstrip("/"), model)
        try:
            has_host = bool(httpx.URL(url).host)
        except httpx.InvalidURL:
            has_host = False
        if not has_host:
            raise UserError(f"{url}: expected http://HOST:PORT")
        # Proxies of the environment usually do not reach servers of the local network.
        self._http = httpx.Client(
            trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=64)
        )

    def predict(self, movies: Sequence[Movie], timeout: float) -> list[Prediction]:
        """Predict all movies by one POST request, in column form."""
        inputs = model_inputs(movies)
        body = {"signature_name": SERVING_SIGNATURE, "inputs": inputs}
        document = self._call("POST", ":predict", timeout, body)
        return self.parse_predictions(inputs, lambda name: document["outputs"][name])

    def status(self, timeout: float) -> list[VersionStatus]:
        """Return the versions of the model, newest first, by one GET request."""
        document = self._call("GET", "", timeout)
        try:
            versions = [
                VersionStatus(
                    int(entry["version"]), entry["state"], entry["status"]["error_message"]
                )
                for entry in document["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            detail = "the response is not that of TensorFlow Serving"
            raise self.server_error(ErrorKind.OTHER, detail) from error
        return sorted(versions, key=lambda status: -status.version)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _call(self, method: str, action: str, timeout: float, body: Any = None) -> Any:
        version = f"/versions/{self.model.version}" if self.model.version is not None else ""
        label = f"/labels/{quote(self.model.label, '')}" if self.model.label else ""
        url = f"{self.address}/v1/models/{quote(self.model.name, '')}{version}{label}{action}"
        try:
            response = self._http.request(method, url, json=body, timeout=timeout)
        except httpx.ConnectTimeout as error:
            raise self.server_error(ErrorKind.UNAVAILABLE) from error
        except httpx.TimeoutException as error:
            raise self.server_error(ErrorKind.TIMEOUT) from error
        except httpx.RequestError as error:
            raise self.server_error(ErrorKind.UNAVAILABLE) from error
        if response.status_code != httpx.codes.OK:
            kind = _ERROR_KINDS.get(response.status_code, ErrorKind.OTHER)
            raise self.server_error(kind, _error_detail(response))
        try:
            return response.json()
        except ValueError as error:
            raise self.server_error(ErrorKind.OTHER, "the response is not JSON") from error


def _error_detail(response: httpx.Response) -> str:
    """Return the server's error message; the status code if there is none."""
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
