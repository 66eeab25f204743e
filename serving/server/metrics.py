"""Prometheus metrics under TensorFlow Serving's names."""

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

_LATENCY_BUCKETS_MICROS: Final = tuple(10 * 1.8**power for power in range(33))
"""Upper bounds of the latency buckets, in microseconds, as in TensorFlow Serving."""


class Metrics:
    """Metrics of one server.

    Each instance has its own registry, so several servers in one process do not share counters.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        # Gauges are used as counters because the library's Counter would add `_total` to the names.
        def counter(name: str, description: str, *labels: str) -> Gauge:
            return Gauge(f":tensorflow:{name}", description, labels, registry=self._registry)

        self._requests = counter(
            "serving:request_count", "The total number of requests.", "model_name", "status"
        )
        self._loads = counter(
            "cc:saved_model:load_attempt_count", "Attempts to load.", "model_path", "status"
        )
        self._load_time = counter(
            "cc:saved_model:load_latency", "Microseconds spent loading SavedModels.", "model_path"
        )
        self._latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time spent answering, in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCY_BUCKETS_MICROS,
            registry=self._registry,
        )

    def record_request(
        self, model: str, api: str, entrypoint: str, status: str, seconds: float
    ) -> None:
        """Record a finished request.

        Args:
            model: Name of a served model; empty for any other name, so that invented names do not
                create time series.
            api: Name of the API, such as `Predict`.
            entrypoint: `GRPC` or `REST`.
            status: Name of the gRPC status code.
            seconds: Time taken to answer.
        """
        self._requests.labels(model, status).inc()
        self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def record_load(self, path: str, *, success: bool, seconds: float) -> None:
        """Record an attempt to load a version.

        Args:
            path: Directory of the version.
            success: Whether the version was loaded.
            seconds: Time taken, including the warm-up.
        """
        self._loads.labels(path, "success" if success else "fail").inc()
        self._load_time.labels(path).inc(seconds * 1e6)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
