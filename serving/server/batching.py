"""Requests that arrive together are answered by one call of the model."""

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

from serving.server.config import Batching
from serving.server.errors import ServingError, from_exception

Arrays = dict[str, np.ndarray]

RECENT: Final = 8
"""Calls of which the largest says how many rows the next one waits for."""

FULL: Final = "The batch scheduling queue to which this task was submitted is full"


def expired() -> ServingError:
    """Nobody waits for the answer any more."""
    return ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def rows_of(arrays: Arrays) -> int | None:
    """Rows that all inputs have or can be spread to; None where there is no such number."""
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
    queued: float = field(default_factory=time.monotonic)
    answer: Future[Arrays] = field(default_factory=Future)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of a row of each input."""
        return [array.shape[1:] for array in self.arrays.values()]


class Batcher:
    """A bounded queue before one signature, and the threads that empty it.

    Rows of several requests are joined as long as their inputs agree in all but the first
    dimension. A call that fails is made again for each of its requests alone, so that no request
    fails for what another one holds.

    The first request waits for others, `batch_timeout_micros` at most, and only until as many rows
    are there as the largest of the last calls had: who asks alone does not wait, and who asks among
    many waits for all of them.
    """

    def __init__(self, run: Callable[[Arrays], Arrays], settings: Batching) -> None:
        self._run, self._settings = run, settings
        self._queue: deque[_Task] = deque()
        self._rows = 0
        self._recent = deque([1], RECENT)
        self._closed = False
        self._changed = threading.Condition()
        for _ in range(settings.num_batch_threads):
            threading.Thread(target=self._work, name="batch", daemon=True).start()

    def submit(self, arrays: Arrays, rows: int, deadline: float) -> Future[Arrays]:
        """Queue a request, with its `rows_of`; it is dropped after the deadline.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, the queue is full.
        """
        task = _Task(arrays, rows, deadline)
        room = self._settings.max_batch_size * self._settings.max_enqueued_batches
        with self._changed:
            if self._closed:
                raise ServingError(grpc.StatusCode.UNAVAILABLE, "The model is being unloaded")
            if self._rows and self._rows + rows > room:
                raise ServingError(grpc.StatusCode.RESOURCE_EXHAUSTED, FULL)
            self._queue.append(task)
            self._rows += rows
            self._changed.notify()
        return task.answer

    def close(self) -> None:
        """Let the threads end once the queue is empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while tasks := self._next():
            now = time.monotonic()
            for task in tasks:
                if task.deadline <= now:
                    task.answer.set_exception(expired())
            if alive := [task for task in tasks if task.deadline > now]:
                self._answer(alive)

    def _next(self) -> list[_Task]:
        """The requests of the next call, or none when the queue is closed and empty."""
        queue, limit = self._queue, self._settings.max_batch_size
        with self._changed:
            while True:
                self._changed.wait_for(lambda: queue or self._closed)
                if not queue:
                    return []
                waited = time.monotonic() - queue[0].queued
                wait = self._settings.batch_timeout_micros / 1e6 - waited
                if self._rows >= max(self._recent) or wait <= 0 or self._closed:
                    break
                self._changed.wait(wait)
            tasks = [queue.popleft()]
            rows = tasks[0].rows
            while queue and queue[0].shapes == tasks[0].shapes and rows + queue[0].rows <= limit:
                tasks.append(queue.popleft())
                rows += tasks[-1].rows
            self._rows -= rows
            self._recent.append(min(rows, limit))
            if queue:
                self._changed.notify()
        return tasks

    def _answer(self, tasks: list[_Task]) -> None:
        try:
            answers = self._together(tasks)
        except Exception as error:
            if len(tasks) == 1:
                tasks[0].answer.set_exception(from_exception(error))
                return
            for task in tasks:
                self._answer([task])
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.answer.set_result(answer)

    def _together(self, tasks: list[_Task]) -> list[Arrays]:
        rows = sum(task.rows for task in tasks)
        sizes = self._settings.allowed_batch_sizes
        padded = next((size for size in sizes if size >= rows), rows)
        if len(tasks) == 1 and padded == rows:
            return [self._run(tasks[0].arrays)]
        joined = {}
        for name in tasks[0].arrays:
            parts = [
                np.broadcast_to(task.arrays[name], (task.rows, *task.arrays[name].shape[1:]))
                for task in tasks
            ]
            if padded > rows:
                parts.append(np.broadcast_to(parts[0][:1], (padded - rows, *parts[0].shape[1:])))
            joined[name] = np.concatenate(parts)
        outputs = self._run(joined)
        if any(array.ndim == 0 or len(array) != padded for array in outputs.values()):
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the number of rows",
            )
        ends = itertools.accumulate(task.rows for task in tasks)
        return [
            {name: array[end - task.rows : end] for name, array in outputs.items()}
            for task, end in zip(tasks, ends, strict=True)
        ]
