"""Figures for Prometheus, by TensorFlow Serving's names."""

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

_BUCKETS: Final = tuple(10 * 1.8**power for power in range(33))
"""Microseconds, with TensorFlow Serving's bounds."""


class Metrics:
    """What a server counts; a registry of its own, so that two servers count apart."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        # The library's Counter would add `_total` to the names.
        def counter(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(f":tensorflow:{name}", words, labels, registry=self._registry)

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
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count a request for an API such as `Predict` by an entrypoint, `GRPC` or `REST`.

        The model is empty where it is not served: names that people make up must not become series.
        """
        self._requests.labels(model, status).inc()
        self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def loaded(self, path: str, *, success: bool, seconds: float) -> None:
        """Count an attempt to load a version, which took so long, its warm-up included."""
        self._loads.labels(path, "success" if success else "fail").inc()
        self._load_time.labels(path).inc(seconds * 1e6)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)
