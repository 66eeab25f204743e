"""Figures for Prometheus, by TensorFlow Serving's names."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

REQUEST_COUNT: Final = ":tensorflow:serving:request_count"
REQUEST_LATENCY: Final = ":tensorflow:serving:request_latency"
LOAD_COUNT: Final = ":tensorflow:cc:saved_model:load_attempt_count"
LOAD_LATENCY: Final = ":tensorflow:cc:saved_model:load_latency"
_BUCKETS: Final = tuple(10 * 1.8**power for power in range(33))
"""Microseconds, with TensorFlow Serving's bounds."""


class _Counted:
    """A counter with the labels and without the suffix that prometheus-client gives its own."""

    def __init__(self, name: str, words: str, labels: tuple[str, ...]) -> None:
        self._name, self._words, self._labels = name, words, labels
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._guard = threading.Lock()

    def add(self, *values: str, amount: float = 1) -> None:
        with self._guard:
            self._counts[values] += amount  # type: ignore[assignment]

    def collect(self) -> Iterator[Metric]:
        metric = Metric(self._name, self._words, "unknown")
        with self._guard:
            counts = dict(self._counts)
        for values, count in counts.items():
            metric.add_sample(self._name, dict(zip(self._labels, values, strict=True)), count)
        yield metric


class Metrics:
    """What a server counts; a registry of its own, so that two servers count apart."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = _Counted(
            REQUEST_COUNT, "The total number of requests.", ("model_name", "status")
        )
        self._loads = _Counted(
            LOAD_COUNT, "The number of times a SavedModel was loaded.", ("model_path", "status")
        )
        self._load_time = _Counted(
            LOAD_LATENCY, "Microseconds spent loading SavedModels.", ("model_path",)
        )
        for one in (self._requests, self._loads, self._load_time):
            self._registry.register(one)  # type: ignore[arg-type]
        self._latency = Histogram(
            REQUEST_LATENCY,
            "Distribution of wall time spent answering, in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count a request.

        Args:
            model: its name, empty where no such model is served: names that people make up must
                not become series.
            api: such as Predict.
            entrypoint: GRPC or REST.
            status: name of the status code.
            seconds: from the request to the answer.
        """
        self._requests.add(model, status)
        self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def loaded(self, path: str, *, success: bool, seconds: float) -> None:
        """Count an attempt to load a version.

        Args:
            path: of the version.
            success: whether it can be served.
            seconds: that the attempt took, its warm-up included.
        """
        self._loads.add(path, "success" if success else "fail")
        self._load_time.add(path, amount=seconds * 1e6)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)
