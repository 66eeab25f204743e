"""Requests that are joined, kept waiting, dropped or refused."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest

from serving.server import Batching
from serving.server.batching import RECENT, Arrays, Batcher, rows_of
from serving.server.errors import ServingError, invalid


class Doubler:
    """Doubles what it gets, once it is let go; remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        self.go = threading.Event()
        self.running = threading.Semaphore(0)

    def __call__(self, arrays: Arrays) -> Arrays:
        self.calls.append(arrays["x"].ravel().tolist())
        self.running.release()
        assert self.go.wait(10)
        if (arrays["x"] < 0).any():
            raise invalid("negative")
        return {"y": arrays["x"] * 2}


Make = Callable[..., Batcher]


@pytest.fixture
def double() -> Doubler:
    return Doubler()


@pytest.fixture
def make(double: Doubler) -> Iterator[Make]:
    made: list[Batcher] = []

    def one(**settings: object) -> Batcher:
        given = {"num_batch_threads": 1, "max_batch_size": 4} | settings
        made.append(Batcher(double, Batching(**given)))  # type: ignore[arg-type]
        return made[-1]

    yield one
    double.go.set()
    for batcher in made:
        batcher.close()


def later() -> float:
    return time.monotonic() + 30


def x(*values: float) -> Arrays:
    return {"x": np.array(values)}


def test_rows() -> None:
    assert rows_of({"a": np.zeros([3, 2]), "b": np.zeros([1])}) == 3
    assert rows_of({"a": np.zeros([3]), "b": np.zeros([2])}) is None
    assert rows_of({"a": np.zeros([])}) is None
    assert rows_of({"a": np.zeros([0])}) is None


def test_what_waits_is_joined_up_to_the_limit(make: Make, double: Doubler) -> None:
    batcher = make()
    first = batcher.submit(x(0), 1, later())
    double.running.acquire()
    waiting = [batcher.submit(x(*range(n, 0, -1)), n, later()) for n in (2, 1, 3)]
    double.go.set()
    assert first.result(10)["y"].tolist() == [0]
    assert [one.result(10)["y"].tolist() for one in waiting] == [[4, 2], [2], [6, 4, 2]]
    assert double.calls == [[0], [2, 1, 1], [3, 2, 1]]


def test_rows_of_another_shape_are_not_joined(make: Make, double: Doubler) -> None:
    batcher = make()
    batcher.submit(x(0), 1, later())
    double.running.acquire()
    flat = batcher.submit(x(1), 1, later())
    deep = batcher.submit({"x": np.array([[2.0, 3.0]])}, 1, later())
    double.go.set()
    assert flat.result(10)["y"].tolist() == [2]
    assert deep.result(10)["y"].tolist() == [[4, 6]]


def test_a_bad_request_fails_alone(make: Make, double: Doubler) -> None:
    batcher = make()
    batcher.submit(x(0), 1, later())
    double.running.acquire()
    good, bad, other = (batcher.submit(x(value), 1, later()) for value in (1, -1, 2))
    double.go.set()
    assert good.result(10)["y"].tolist() == [2]
    assert other.result(10)["y"].tolist() == [4]
    with pytest.raises(ServingError, match="negative"):
        bad.result(10)


def test_a_full_queue_refuses(make: Make, double: Doubler) -> None:
    batcher = make(max_enqueued_batches=1)
    batcher.submit(x(0), 1, later())
    double.running.acquire()
    waiting = [batcher.submit(x(1), 1, later()) for _ in range(4)]
    with pytest.raises(ServingError) as refused:
        batcher.submit(x(1), 1, later())
    assert refused.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.http_status == 429
    double.go.set()
    assert [one.result(10)["y"].tolist() for one in waiting] == [[2]] * 4


def test_nobody_works_for_those_who_no_longer_wait(make: Make, double: Doubler) -> None:
    batcher = make()
    batcher.submit(x(0), 1, later())
    double.running.acquire()
    late = batcher.submit(x(1), 1, time.monotonic())
    double.go.set()
    with pytest.raises(ServingError) as dropped:
        late.result(10)
    assert dropped.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert double.calls == [[0]]


def test_batches_are_padded_to_an_allowed_size(make: Make, double: Doubler) -> None:
    double.go.set()
    batcher = make(allowed_batch_sizes=(2, 4))
    assert batcher.submit(x(1, 2, 3), 3, later()).result(10)["y"].tolist() == [2, 4, 6]
    assert double.calls == [[1, 2, 3, 1]]


def test_a_batch_waits_for_as_many_rows_as_the_last_ones_had(make: Make, double: Doubler) -> None:
    double.go.set()
    batcher = make(batch_timeout_micros=300_000)

    def seconds(*values: float) -> float:
        started = time.monotonic()
        for answer in [batcher.submit(x(value), 1, later()) for value in values]:
            answer.result(10)
        return time.monotonic() - started

    assert seconds(1) < 0.2
    assert batcher.submit(x(2, 3), 2, later()).result(10)["y"].tolist() == [4, 6]
    for _ in range(RECENT - 1):
        assert seconds(4, 5) < 0.2
    for _ in range(RECENT):
        assert seconds(6) >= 0.29
    assert seconds(7) < 0.2
    assert double.calls == [[1], [2, 3], *[[4, 5]] * (RECENT - 1), *[[6]] * RECENT, [7]]


def test_what_waits_is_answered_before_the_end(make: Make, double: Doubler) -> None:
    batcher = make()
    batcher.submit(x(0), 1, later())
    double.running.acquire()
    waiting = batcher.submit(x(1), 1, later())
    batcher.close()
    double.go.set()
    assert waiting.result(10)["y"].tolist() == [2]
    with pytest.raises(ServingError) as refused:
        batcher.submit(x(1), 1, later())
    assert refused.value.code == grpc.StatusCode.UNAVAILABLE
