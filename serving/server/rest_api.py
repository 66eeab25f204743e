"""The REST interface as an ASGI application."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from google.protobuf import json_format
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, model_pb2

from serving.server import inference, json_codec
from serving.server.config import THREADS_PER_PROTOCOL, ServerConfig
from serving.server.errors import as_serving_error, invalid_argument
from serving.server.metrics import Metrics
from serving.server.model_manager import ModelManager
from serving.server.saved_model import DEFAULT_SIGNATURE

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_VERSION: Final = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_INFERENCE_PATH: Final = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_MODEL_PATH: Final = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE
)
_API_PATH: Final = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)

MAX_REQUESTS_PER_THREAD: Final = 8
"""Largest number of running and waiting requests for each thread. Further requests get a 429."""

MAX_BUFFERED_BODIES: Final = 8
"""Largest total size of the buffered bodies, in bodies of the largest size allowed. Further
requests get a 429.
"""


class _RejectedError(Exception):
    """A request that is rejected before its body is read or the model is called."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RestApi:
    """The ASGI application.

    Request bodies are read on the event loop, and models are called in threads.

    Args:
        manager: Provides the models.
        metrics: Metrics that record the requests.
        config: Configuration of the server.

    Attributes:
        thread_pool: Threads that call the models.
    """

    def __init__(self, manager: ModelManager, metrics: Metrics, config: ServerConfig) -> None:
        self._manager, self._metrics, self._config = manager, metrics, config
        self._timeout_seconds = config.rest_api_timeout_in_ms / 1000
        self.thread_pool = ThreadPoolExecutor(THREADS_PER_PROTOCOL, "rest")
        self._active_requests = self._buffered_bytes = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path == self._config.metrics_path and method == "GET":
            await _send_response(send, 200, self._metrics.render(), "text/plain; version=0.0.4")
            return
        if not _API_PATH.fullmatch(path):
            await _send_response(send, 404, b"Not Found", "text/plain")
            return
        body = bytearray()
        try:
            complete = await asyncio.wait_for(
                self._read_body(body, scope, receive), self._timeout_seconds
            )
            if complete:
                status, content = await self._run_in_thread(method, path, bytes(body))
                await _send_response(send, status, content)
        except TimeoutError:
            content = _error_body("The body did not arrive in time")
            await _send_response(send, 408, content, close=True)
        except _RejectedError as rejected:
            content = _error_body(str(rejected))
            await _send_response(send, rejected.status, content, close=True)
        finally:
            self._buffered_bytes -= len(body)

    async def _read_body(self, body: bytearray, scope: dict[str, Any], receive: Receive) -> bool:
        """Read the body of a request into `body`.

        Returns:
            True if the body is complete; False if the client has disconnected.

        Raises:
            _RejectedError: The body is too large, or all buffered bodies together are.
        """
        max_bytes = self._config.max_request_bytes
        content_length = dict(scope["headers"]).get(b"content-length", b"0")
        declared_bytes = int(content_length) if content_length.isdigit() else 0
        more = True
        while True:
            if max(declared_bytes, len(body)) > max_bytes:
                raise _RejectedError(413, f"The body is larger than {max_bytes} bytes")
            if not more:
                return True
            if self._buffered_bytes > max_bytes * MAX_BUFFERED_BODIES:
                raise _RejectedError(429, "Too many large requests are waiting")
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            part = message.get("body", b"")
            body += part
            self._buffered_bytes += len(part)
            more = message.get("more_body", False)

    async def _run_in_thread(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._active_requests >= THREADS_PER_PROTOCOL * MAX_REQUESTS_PER_THREAD:
            raise _RejectedError(429, "Too many requests are waiting")
        self._active_requests += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.thread_pool, self._handle, method, path, body, time.monotonic()
            )
        finally:
            self._active_requests -= 1

    def _handle(self, method: str, path: str, body: bytes, started: float) -> tuple[int, bytes]:
        """Return the HTTP status and the body of the response, and record the metrics."""
        api, name, status = "", "", "OK"
        try:
            if method == "POST" and (match := _INFERENCE_PATH.fullmatch(path)):
                api, name = match["method"].capitalize(), match["name"]
                content = self._run_inference(match, body, started + self._timeout_seconds)
            elif method == "GET" and (match := _MODEL_PATH.fullmatch(path)):
                name = match["name"] or ""
                api = "GetModelMetadata" if match["metadata"] else "GetModelStatus"
                content = self._describe_model(match)
            else:
                raise invalid_argument(f"Malformed request: {method} {path}")
            return 200, content
        except Exception as failure:
            error = as_serving_error(failure)
            status = error.code.name
            return error.http_status, _error_body(error.message)
        finally:
            model = name if self._manager.has_model(name) else ""
            seconds = time.monotonic() - started
            self._metrics.record_request(model, api, "REST", status, seconds)

    def _run_inference(self, match: re.Match[str], body: bytes, deadline: float) -> bytes:
        document = json_codec.parse_object(body)
        method = match["method"].lower()
        spec = _model_spec(match)
        spec.signature_name = json_codec.read_signature_name(document)
        if method == "predict":
            with self._manager.acquire(spec) as version:
                key = spec.signature_name or DEFAULT_SIGNATURE
                if key not in version.signatures:
                    raise invalid_argument(
                        f'Serving signature name: "{key}" not found in signature def'
                    )
                signature = version.signatures[key]
                inputs = json_codec.decode_inputs(document, signature)
                outputs = signature.run(inputs, deadline)
            content = json_codec.encode_outputs(outputs, as_rows="instances" in document)
        else:
            request = classification_pb2.ClassificationRequest(model_spec=spec)
            json_codec.decode_examples(document, request.input)
            call = inference.classify if method == "classify" else inference.regress
            response = inference.run_on_model(self._manager, call, request, deadline)
            content = json_codec.encode_results(method, response)
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")

    def _describe_model(self, match: re.Match[str]) -> bytes:
        """Return the metadata or the status of a model as JSON."""
        if not match["name"]:
            raise invalid_argument("Missing model name in request.")
        spec = _model_spec(match)
        if match["metadata"]:
            response = inference.model_metadata(
                self._manager,
                get_model_metadata_pb2.GetModelMetadataRequest(
                    model_spec=spec, metadata_field=["signature_def"]
                ),
            )
        else:
            response = self._manager.status(spec)
        return json_format.MessageToJson(
            response, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        ).encode()


def _model_spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    """Return the ModelSpec of a URL path."""
    spec = model_pb2.ModelSpec(name=match["name"])
    if digits := match["version"]:
        if len(digits) > 19 or int(digits) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {digits} to numeric.")
        spec.version.value = int(digits)
    elif match["label"]:
        spec.version_label = match["label"]
    return spec


def _error_body(message: str) -> bytes:
    return json.dumps({"error": message}, ensure_ascii=False).encode("utf-8", "replace")


async def _send_response(
    send: Send,
    status: int,
    body: bytes,
    content_type: str = "application/json",
    *,
    close: bool = False,
) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
