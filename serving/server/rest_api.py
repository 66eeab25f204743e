"""The REST interface, as an ASGI application."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, model_pb2

from serving.server import inference, json_form
from serving.server.config import THREADS, ServerConfig
from serving.server.errors import from_exception, invalid
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.saved_model import DEFAULT_SIGNATURE

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_CHOICE: Final = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_INFER: Final = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_CHOICE}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_STATUS: Final = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_CHOICE}(?P<metadata>/metadata)?", re.IGNORECASE
)
_OURS: Final = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)

REQUESTS_A_THREAD: Final = 8
"""Requests that may wait or run, for each thread; above it they are answered 429."""

BODIES_AT_A_TIME: Final = 8
"""Bodies of the largest size allowed that are held; above as many bytes the answer is 429."""


class _RefusedError(Exception):
    """A request that is not read to its end, or not run."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RestApi:
    """Answers HTTP requests; bodies are read on the event loop, models run in threads."""

    def __init__(self, models: Models, metrics: Metrics, config: ServerConfig) -> None:
        self._models, self._metrics, self._config = models, metrics, config
        self._seconds = config.rest_api_timeout_in_ms / 1000
        self.pool = ThreadPoolExecutor(THREADS, "rest")
        self._busy = self._held = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path == self._config.metrics_path and method == "GET":
            await _send(send, 200, self._metrics.page(), "text/plain; version=0.0.4")
            return
        if not _OURS.fullmatch(path):
            await _send(send, 404, b"Not Found", "text/plain")
            return
        body = bytearray()
        try:
            whole = await asyncio.wait_for(self._read(body, scope, receive), self._seconds)
            if whole:
                status, answer = await self._run(method, path, bytes(body))
                await _send(send, status, answer)
        except TimeoutError:
            await _send(send, 408, _error("The body did not arrive in time"), close=True)
        except _RefusedError as refused:
            await _send(send, refused.status, _error(str(refused)), close=True)
        finally:
            self._held -= len(body)

    async def _read(self, body: bytearray, scope: dict[str, Any], receive: Receive) -> bool:
        """Read the body; False when the client went away meanwhile.

        Raises:
            _RefusedError: it is too large, or all bodies together are.
        """
        limit = self._config.body_limit
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        size = int(declared) if declared.isdigit() else 0
        more = True
        while True:
            if max(size, len(body)) > limit:
                raise _RefusedError(413, f"The body is larger than {limit} bytes")
            if not more:
                return True
            if self._held > limit * BODIES_AT_A_TIME:
                raise _RefusedError(429, "Too many large requests are waiting")
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            part = message.get("body", b"")
            body += part
            self._held += len(part)
            more = message.get("more_body", False)

    async def _run(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._busy >= THREADS * REQUESTS_A_THREAD:
            raise _RefusedError(429, "Too many requests are waiting")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.pool, self._answer, method, path, body, time.monotonic()
            )
        finally:
            self._busy -= 1

    def _answer(self, method: str, path: str, body: bytes, started: float) -> tuple[int, bytes]:
        api, name, status = "", "", "OK"
        try:
            if method == "POST" and (found := _INFER.fullmatch(path)):
                api, name = found["method"].capitalize(), found["name"]
                answer = self._infer(found, body, started + self._seconds)
            elif method == "GET" and (found := _STATUS.fullmatch(path)):
                name = found["name"] or ""
                api = "GetModelMetadata" if found["metadata"] else "GetModelStatus"
                answer = self._describe(found)
            else:
                raise invalid(f"Malformed request: {method} {path}")
            return 200, answer
        except Exception as failure:
            error = from_exception(failure)
            status = error.code.name
            return error.http_status, _error(error.message)
        finally:
            seconds = time.monotonic() - started
            self._metrics.answered(self._models.known(name), api, "REST", status, seconds)

    def _infer(self, found: re.Match[str], body: bytes, deadline: float) -> bytes:
        document = json_form.parse(body)
        kind = found["method"].lower()
        spec = _spec(found)
        spec.signature_name = json_form.signature_name(document)
        if kind == "predict":
            with self._models.acquire(spec) as version:
                key = spec.signature_name or DEFAULT_SIGNATURE
                if key not in version.signatures:
                    raise invalid(f'Serving signature name: "{key}" not found in signature def')
                signature = version.signatures[key]
                inputs = json_form.inputs_of(document, signature)
                outputs = signature.run(inputs, deadline)
            answer = json_form.predictions(outputs, rows="instances" in document)
        else:
            examples = classification_pb2.ClassificationRequest(model_spec=spec)
            json_form.fill_examples(document, examples.input)
            call = inference.classify if kind == "classify" else inference.regress
            response = inference.on_model(self._models, call, examples, deadline)
            answer = json_form.results(kind, response)
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    def _describe(self, found: re.Match[str]) -> bytes:
        if not found["name"]:
            raise invalid("Missing model name in request.")
        spec = _spec(found)
        if found["metadata"]:
            answer = inference.metadata(
                self._models,
                get_model_metadata_pb2.GetModelMetadataRequest(
                    model_spec=spec, metadata_field=["signature_def"]
                ),
            )
        else:
            answer = self._models.status(spec)
        return json_format.MessageToJson(
            answer, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        ).encode()


def _spec(found: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=found["name"])
    if digits := found["version"]:
        if len(digits) > 19 or int(digits) >= 2**63:
            raise invalid(f"Failed to convert version: {digits} to numeric.")
        spec.version.value = int(digits)
    elif found["label"]:
        spec.version_label = found["label"]
    return spec


def _error(message: str) -> bytes:
    return json.dumps({"error": message}, ensure_ascii=False).encode("utf-8", "replace")


async def _send(
    send: Send, status: int, body: bytes, kind: str = "application/json", *, close: bool = False
) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
