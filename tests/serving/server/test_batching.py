"""Tests of batching: requests that are joined, delayed, dropped or rejected."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest

from serving.server import BatchingConfig
from serving.server.batching import RECENT_BATCHES, Arrays, Batcher, count_rows
from serving.server.errors import ServingError, invalid_argument


class Doubler:
    """A model that doubles its inputs when `go` is set, and records its calls."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        self.go = threading.Event()
        self.running = threading.Semaphore(0)

    def __call__(self, arrays: Arrays) -> Arrays:
        self.calls.append(arrays["x"].ravel().tolist())
        self.running.release()
        assert self.go.wait(10)
        if (arrays["x"] < 0).any():
            raise invalid_argument("negative")
        return {"y": arrays["x"] * 2}


MakeBatcher = Callable[..., Batcher]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


@pytest.fixture
def make_batcher(doubler: Doubler) -> Iterator[MakeBatcher]:
    batchers: list[Batcher] = []

    def new_batcher(**changes: object) -> Batcher:
        values = {"num_batch_threads": 1, "max_batch_size": 4} | changes
        batchers.append(Batcher(doubler, BatchingConfig(**values)))  # type: ignore[arg-type]
        return batchers[-1]

    yield new_batcher
    doubler.go.set()
    for batcher in batchers:
        batcher.close()


def far_deadline() -> float:
    return time.monotonic() + 30


def inputs(*values: float) -> Arrays:
    return {"x": np.array(values)}


def test_rows_are_counted() -> None:
    assert count_rows({"a": np.zeros([3, 2]), "b": np.zeros([1])}) == 3
    assert count_rows({"a": np.zeros([3]), "b": np.zeros([2])}) is None
    assert count_rows({"a": np.zeros([])}) is None
    assert count_rows({"a": np.zeros([0])}) is None


def test_waiting_requests_are_joined_up_to_the_limit(
    make_batcher: MakeBatcher, doubler: Doubler
) -> None:
    batcher = make_batcher()
    first = batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    waiting = [batcher.submit(inputs(*range(n, 0, -1)), n, far_deadline()) for n in (2, 1, 3)]
    doubler.go.set()
    assert first.result(10)["y"].tolist() == [0]
    assert [future.result(10)["y"].tolist() for future in waiting] == [[4, 2], [2], [6, 4, 2]]
    assert doubler.calls == [[0], [2, 1, 1], [3, 2, 1]]


def test_rows_of_different_shapes_are_not_joined(
    make_batcher: MakeBatcher, doubler: Doubler
) -> None:
    batcher = make_batcher()
    batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    flat = batcher.submit(inputs(1), 1, far_deadline())
    deep = batcher.submit({"x": np.array([[2.0, 3.0]])}, 1, far_deadline())
    doubler.go.set()
    assert flat.result(10)["y"].tolist() == [2]
    assert deep.result(10)["y"].tolist() == [[4, 6]]


def test_an_invalid_request_fails_alone(make_batcher: MakeBatcher, doubler: Doubler) -> None:
    batcher = make_batcher()
    batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    valid, invalid, other = (
        batcher.submit(inputs(value), 1, far_deadline()) for value in (1, -1, 2)
    )
    doubler.go.set()
    assert valid.result(10)["y"].tolist() == [2]
    assert other.result(10)["y"].tolist() == [4]
    with pytest.raises(ServingError, match="negative"):
        invalid.result(10)


def test_a_full_queue_rejects_requests(make_batcher: MakeBatcher, doubler: Doubler) -> None:
    batcher = make_batcher(max_enqueued_batches=1)
    batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    waiting = [batcher.submit(inputs(1), 1, far_deadline()) for _ in range(4)]
    with pytest.raises(ServingError) as rejected:
        batcher.submit(inputs(1), 1, far_deadline())
    assert rejected.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert rejected.value.http_status == 429
    doubler.go.set()
    assert [future.result(10)["y"].tolist() for future in waiting] == [[2]] * 4


def test_requests_after_their_deadline_are_dropped(
    make_batcher: MakeBatcher, doubler: Doubler
) -> None:
    batcher = make_batcher()
    batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    late = batcher.submit(inputs(1), 1, time.monotonic())
    doubler.go.set()
    with pytest.raises(ServingError) as dropped:
        late.result(10)
    assert dropped.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert doubler.calls == [[0]]


def test_batches_are_padded_to_an_allowed_size(make_batcher: MakeBatcher, doubler: Doubler) -> None:
    doubler.go.set()
    batcher = make_batcher(allowed_batch_sizes=(2, 4))
    assert batcher.submit(inputs(1, 2, 3), 3, far_deadline()).result(10)["y"].tolist() == [2, 4, 6]
    assert doubler.calls == [[1, 2, 3, 1]]


def test_a_batch_waits_for_as_many_rows_as_recent_batches_had(
    make_batcher: MakeBatcher, doubler: Doubler
) -> None:
    doubler.go.set()
    batcher = make_batcher(batch_timeout_micros=300_000)

    def seconds_for(*values: float) -> float:
        started = time.monotonic()
        for future in [batcher.submit(inputs(value), 1, far_deadline()) for value in values]:
            future.result(10)
        return time.monotonic() - started

    assert seconds_for(1) < 0.2
    assert batcher.submit(inputs(2, 3), 2, far_deadline()).result(10)["y"].tolist() == [4, 6]
    for _ in range(RECENT_BATCHES - 1):
        assert seconds_for(4, 5) < 0.2
    for _ in range(RECENT_BATCHES):
        assert seconds_for(6) >= 0.29
    assert seconds_for(7) < 0.2
    assert doubler.calls == [
        [1],
        [2, 3],
        *[[4, 5]] * (RECENT_BATCHES - 1),
        *[[6]] * RECENT_BATCHES,
        [7],
    ]


def test_waiting_requests_are_answered_after_close(
    make_batcher: MakeBatcher, doubler: Doubler
) -> None:
    batcher = make_batcher()
    batcher.submit(inputs(0), 1, far_deadline())
    doubler.running.acquire()
    waiting = batcher.submit(inputs(1), 1, far_deadline())
    batcher.close()
    doubler.go.set()
    assert waiting.result(10)["y"].tolist() == [2]
    with pytest.raises(ServingError) as rejected:
        batcher.submit(inputs(1), 1, far_deadline())
    assert rejected.value.code == grpc.StatusCode.UNAVAILABLE
