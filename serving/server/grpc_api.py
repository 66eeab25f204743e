"""The gRPC services."""

import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
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
from serving.server.errors import from_exception, invalid
from serving.server.metrics import Metrics
from serving.server.models import Models, model_configs

HEALTH_OF: Final = ("", "tensorflow.serving.PredictionService")
"""Services that the health service knows, the first being the server as a whole."""

NO_DEADLINE: Final = 3600.0
"""Seconds after which a request without a deadline is given up."""

Call = Callable[[Any, float], Any]


def handler(
    call: Call, api: str, name: Callable[[Any], str], models: Models, metrics: Metrics
) -> Callable[[Any, grpc.ServicerContext], Any]:
    """A method of a servicer: calls, times, counts, and tells errors by their codes."""

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        started = time.monotonic()
        given = context.time_remaining()
        left = NO_DEADLINE if given is None else min(given, NO_DEADLINE)
        status, error = "OK", None
        try:
            return call(request, started + left)
        except Exception as failure:
            error = from_exception(failure)
            status = error.code.name
        finally:
            model = models.known(name(request))
            metrics.answered(model, api, "GRPC", status, time.monotonic() - started)
        return context.abort(error.code, error.message)

    return answer


def _model(request: Any) -> str:
    return request.model_spec.name


def _first_model(request: Any) -> str:
    return request.tasks[0].model_spec.name if request.tasks else ""


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models, metrics: Metrics) -> None:
        def method(call: Call, api: str, name: Callable[[Any], str] = _model) -> Any:
            return handler(call, api, name, models, metrics)

        def metadata(request: Any, _: float) -> Any:
            return inference.metadata(models, request)

        self.Predict = method(partial(inference.on_model, models, inference.predict), "Predict")
        self.Classify = method(partial(inference.on_model, models, inference.classify), "Classify")
        self.Regress = method(partial(inference.on_model, models, inference.regress), "Regress")
        self.MultiInference = method(
            partial(inference.multi_inference, models), "MultiInference", _first_model
        )
        self.GetModelMetadata = method(metadata, "GetModelMetadata")


class _Management(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, models: Models, metrics: Metrics) -> None:
        def reload(request: Any, _: float) -> Any:
            if not request.config.HasField("model_config_list"):
                raise invalid(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                    "ModelConfigList is currently supported"
                )
            try:
                configs = model_configs(request.config)
            except UserError as error:
                raise invalid(str(error)) from error
            models.configure(configs)
            return model_management_pb2.ReloadConfigResponse()

        self.GetModelStatus = handler(
            lambda r, _: models.status(r.model_spec), "GetModelStatus", _model, models, metrics
        )
        self.HandleReloadConfigRequest = handler(
            reload, "HandleReloadConfigRequest", lambda _: "", models, metrics
        )


def build(
    models: Models, metrics: Metrics, threads: int, options: list[tuple[str, Any]], limit: int
) -> tuple[grpc.Server, health.HealthServicer]:
    """A server without ports, and its health service.

    Args:
        models: what it serves.
        metrics: what it counts in.
        threads: requests that are answered at a time.
        options: channel arguments.
        limit: largest message in bytes.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(threads, "grpc"),
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            *options,
        ],
        # Each waiting request holds memory: above this they are refused, not queued.
        maximum_concurrent_rpcs=threads * 16,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(models, metrics), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Management(models, metrics), server)
    checks = health.HealthServicer()
    for service in HEALTH_OF:
        checks.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    return server, checks
