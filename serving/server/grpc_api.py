"""The gRPC interface."""

import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from schema.errors import UserError
from serving.server import inference
from serving.server.config import THREADS_PER_PROTOCOL, ServerConfig, model_configs_by_name
from serving.server.errors import as_serving_error, invalid_argument
from serving.server.metrics import Metrics
from serving.server.model_manager import ModelManager

HEALTH_SERVICES: Final = ("", "tensorflow.serving.PredictionService")
"""Service names of the health service. The empty name stands for the server as a whole."""

MAX_TIMEOUT_SECONDS: Final = 3600.0
"""Timeout of requests without a deadline."""

Handler = Callable[[Any, float], Any]
"""Answers a request before a deadline of `time.monotonic`."""


def build_server(
    manager: ModelManager, metrics: Metrics, config: ServerConfig
) -> tuple[grpc.Server, health.HealthServicer]:
    """Return a gRPC server that has no ports yet, and its health service."""
    handlers: dict[str, Handler] = {
        "Predict": partial(inference.run_on_model, manager, inference.predict),
        "Classify": partial(inference.run_on_model, manager, inference.classify),
        "Regress": partial(inference.run_on_model, manager, inference.regress),
        "MultiInference": partial(inference.multi_inference, manager),
        "GetModelMetadata": lambda request, _: inference.model_metadata(manager, request),
        "GetModelStatus": lambda request, _: manager.status(request.model_spec),
        "HandleReloadConfigRequest": lambda request, _: _reload_config(manager, request),
    }
    servicer: Any = SimpleNamespace(
        **{api: partial(_handle, manager, metrics, api, call) for api, call in handlers.items()}
    )
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS_PER_PROTOCOL, "grpc"),
        options=[
            ("grpc.max_receive_message_length", config.max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            *config.grpc_channel_arguments,
        ],
        # Further requests are rejected rather than queued, because each one occupies memory.
        maximum_concurrent_rpcs=THREADS_PER_PROTOCOL * 16,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    health_servicer = health.HealthServicer()
    for service in HEALTH_SERVICES:
        health_servicer.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    return server, health_servicer


def _handle(
    manager: ModelManager,
    metrics: Metrics,
    api: str,
    handler: Handler,
    request: Any,
    context: grpc.ServicerContext,
) -> Any:
    """Answer a call, record its metrics, and return errors as gRPC status codes."""
    started = time.monotonic()
    remaining = context.time_remaining()
    timeout = MAX_TIMEOUT_SECONDS if remaining is None else min(remaining, MAX_TIMEOUT_SECONDS)
    # A MultiInferenceRequest names its model in its tasks.
    message = next(iter(getattr(request, "tasks", ())), request)
    spec = getattr(message, "model_spec", None)
    model = spec.name if spec and manager.has_model(spec.name) else ""
    status, error = "OK", None
    try:
        return handler(request, started + timeout)
    except Exception as failure:
        error = as_serving_error(failure)
        status = error.code.name
    finally:
        metrics.record_request(model, api, "GRPC", status, time.monotonic() - started)
    return context.abort(error.code, error.message)


def _reload_config(manager: ModelManager, request: Any) -> Any:
    if not request.config.HasField("model_config_list"):
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
            "ModelConfigList is currently supported"
        )
    try:
        manager.configure(model_configs_by_name(request.config))
    except UserError as error:
        raise invalid_argument(str(error)) from error
    return model_management_pb2.ReloadConfigResponse()
