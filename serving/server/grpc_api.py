"""The gRPC services."""

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
from serving.server.config import THREADS, ServerConfig, model_configs
from serving.server.errors import from_exception, invalid
from serving.server.metrics import Metrics
from serving.server.models import Models

HEALTH_OF: Final = ("", "tensorflow.serving.PredictionService")
"""Services that the health service knows, the first being the server as a whole."""

NO_DEADLINE: Final = 3600.0
"""Seconds after which a request without a deadline is given up."""

Call = Callable[[Any, float], Any]
"""Answers a request before a deadline."""


def build(
    models: Models, metrics: Metrics, config: ServerConfig
) -> tuple[grpc.Server, health.HealthServicer]:
    """A server without ports, and its health service."""
    calls: dict[str, Call] = {
        "Predict": partial(inference.on_model, models, inference.predict),
        "Classify": partial(inference.on_model, models, inference.classify),
        "Regress": partial(inference.on_model, models, inference.regress),
        "MultiInference": partial(inference.multi_inference, models),
        "GetModelMetadata": lambda request, _: inference.metadata(models, request),
        "GetModelStatus": lambda request, _: models.status(request.model_spec),
        "HandleReloadConfigRequest": lambda request, _: _reload(models, request),
    }
    methods: Any = SimpleNamespace(
        **{api: partial(_answer, models, metrics, api, call) for api, call in calls.items()}
    )
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS, "grpc"),
        options=[
            ("grpc.max_receive_message_length", config.body_limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            *config.grpc_channel_arguments,
        ],
        # Each waiting request holds memory: above this they are refused, not queued.
        maximum_concurrent_rpcs=THREADS * 16,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(methods, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(methods, server)
    checks = health.HealthServicer()
    for service in HEALTH_OF:
        checks.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    return server, checks


def _answer(
    models: Models,
    metrics: Metrics,
    api: str,
    call: Call,
    request: Any,
    context: grpc.ServicerContext,
) -> Any:
    """A method of a service: calls, times, counts, and tells errors by their codes."""
    started = time.monotonic()
    given = context.time_remaining()
    left = NO_DEADLINE if given is None else min(given, NO_DEADLINE)
    # Of several tasks the first names the model.
    asked = next(iter(getattr(request, "tasks", ())), request)
    model = models.known(asked.model_spec.name) if hasattr(asked, "model_spec") else ""
    status, error = "OK", None
    try:
        return call(request, started + left)
    except Exception as failure:
        error = from_exception(failure)
        status = error.code.name
    finally:
        metrics.answered(model, api, "GRPC", status, time.monotonic() - started)
    return context.abort(error.code, error.message)


def _reload(models: Models, request: Any) -> Any:
    if not request.config.HasField("model_config_list"):
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
            "ModelConfigList is currently supported"
        )
    try:
        models.configure(model_configs(request.config))
    except UserError as error:
        raise invalid(str(error)) from error
    return model_management_pb2.ReloadConfigResponse()
