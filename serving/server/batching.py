"""Batching: concurrent requests are answered by one call of the model."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

from serving.server.config import BatchingConfig
from serving.server.errors import ServingError, as_serving_error, deadline_exceeded

Arrays = dict[str, np.ndarray]
"""Input or output arrays of a signature by name."""

RECENT_BATCHES: Final = 8
"""Number of recent batches. A new batch waits for as many rows as the largest of them had."""

_QUEUE_FULL: Final = "The batch scheduling queue to which this task was submitted is full"


def count_rows(arrays: Arrays) -> int | None:
    """Return the number of rows that all arrays have or can be broadcast to.

    Returns:
        The number of rows; None if the arrays have no common number of rows, or none at all.
    """
    if any(array.ndim == 0 for array in arrays.values()):
        return None
    sizes = {len(array) for array in arrays.values()}
    rows = max(sizes, default=0)
    return rows if rows and sizes <= {1, rows} else None


@dataclass
class _Task:
    arrays: Arrays
    rows: int
    deadline: float
    enqueued_at: float = field(default_factory=time.monotonic)
    result: Future[Arrays] = field(default_factory=Future)

    @property
    def row_shapes(self) -> list[tuple[int, ...]]:
        """Shape of one row of each input."""
        return [array.shape[1:] for array in self.arrays.values()]


class Batcher:
    """A bounded queue of requests for one signature, and the threads that process it.

    Requests are joined if their inputs have the same shape in all but the first dimension. If a
    batch fails, each of its requests is repeated alone, so that no request fails because of
    another.

    A batch is started when it has as many rows as the largest of the last `RECENT_BATCHES` batches,
    or after `batch_timeout_micros`. A single client therefore never waits for others, and many
    concurrent clients still fill large batches.

    Args:
        run_model: Function that calls the signature.
        config: Batching parameters.
    """

    def __init__(self, run_model: Callable[[Arrays], Arrays], config: BatchingConfig) -> None:
        self._run_model, self._config = run_model, config
        self._queue: deque[_Task] = deque()
        self._queued_rows = 0
        self._recent_rows = deque([1], RECENT_BATCHES)
        self._closed = False
        self._changed = threading.Condition()
        for _ in range(config.num_batch_threads):
            threading.Thread(target=self._process_queue, name="batch", daemon=True).start()

    def submit(self, arrays: Arrays, rows: int, deadline: float) -> Future[Arrays]:
        """Add a request to the queue.

        Args:
            arrays: Inputs of the signature.
            rows: Number of rows, from `count_rows`.
            deadline: Time of `time.monotonic` after which the request is dropped.

        Returns:
            A future of the outputs.

        Raises:
            ServingError: `RESOURCE_EXHAUSTED` if the queue is full, `UNAVAILABLE` after `close`.
        """
        task = _Task(arrays, rows, deadline)
        capacity = self._config.max_batch_size * self._config.max_enqueued_batches
        with self._changed:
            if self._closed:
                raise ServingError(grpc.StatusCode.UNAVAILABLE, "The model is being unloaded")
            if self._queued_rows and self._queued_rows + rows > capacity:
                raise ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, _QUEUE_FULL)
            self._queue.append(task)
            self._queued_rows += rows
            self._changed.notify()
        return task.result

    def close(self) -> None:
        """Accept no more requests, and end the threads when the queue is empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _process_queue(self) -> None:
        while tasks := self._next_batch():
            now = time.monotonic()
            for task in tasks:
                if task.deadline <= now:
                    task.result.set_exception(deadline_exceeded())
            if pending := [task for task in tasks if task.deadline > now]:
                self._process_batch(pending)

    def _next_batch(self) -> list[_Task]:
        """Wait for the tasks of the next batch; an empty list if closed and empty."""
        queue, max_rows = self._queue, self._config.max_batch_size
        with self._changed:
            while True:
                self._changed.wait_for(lambda: queue or self._closed)
                if not queue:
                    return []
                waited = time.monotonic() - queue[0].enqueued_at
                remaining = self._config.batch_timeout_micros / 1e6 - waited
                if self._queued_rows >= max(self._recent_rows) or remaining <= 0 or self._closed:
                    break
                self._changed.wait(remaining)
            tasks = [queue.popleft()]
            rows = tasks[0].rows
            while (
                queue
                and queue[0].row_shapes == tasks[0].row_shapes
                and rows + queue[0].rows <= max_rows
            ):
                tasks.append(queue.popleft())
                rows += tasks[-1].rows
            self._queued_rows -= rows
            self._recent_rows.append(min(rows, max_rows))
            if queue:
                self._changed.notify()
        return tasks

    def _process_batch(self, tasks: list[_Task]) -> None:
        try:
            outputs = self._run_batch(tasks)
        except Exception as error:
            if len(tasks) == 1:
                tasks[0].result.set_exception(as_serving_error(error))
                return
            for task in tasks:
                self._process_batch([task])
            return
        for task, arrays in zip(tasks, outputs, strict=True):
            task.result.set_result(arrays)

    def _run_batch(self, tasks: list[_Task]) -> list[Arrays]:
        """Call the model once for all tasks, and split the outputs."""
        rows = sum(task.rows for task in tasks)
        sizes = self._config.allowed_batch_sizes
        padded_rows = next((size for size in sizes if size >= rows), rows)
        if len(tasks) == 1 and padded_rows == rows:
            return [self._run_model(tasks[0].arrays)]
        inputs = {}
        for name in tasks[0].arrays:
            parts = [
                np.broadcast_to(task.arrays[name], (task.rows, *task.arrays[name].shape[1:]))
                for task in tasks
            ]
            if padded_rows > rows:
                padding_shape = (padded_rows - rows, *parts[0].shape[1:])
                parts.append(np.broadcast_to(parts[0][:1], padding_shape))
            inputs[name] = np.concatenate(parts)
        outputs = self._run_model(inputs)
        if any(array.ndim == 0 or len(array) != padded_rows for array in outputs.values()):
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the number of rows",
            )
        ends = itertools.accumulate(task.rows for task in tasks)
        return [
            {name: array[end - task.rows : end] for name, array in outputs.items()}
            for task, end in zip(tasks, ends, strict=True)
        ]
