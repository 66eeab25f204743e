"""Many rows: several requests in flight, answers in the order of the rows, bounded memory."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from serving.client.client import Client
from serving.client.files import Row
from serving.client.transport import ErrorKind, Prediction, ServerError


@dataclass(frozen=True)
class Answer:
    """A row, and what the server said of it; None where the row tells what was wrong."""

    row: Row
    prediction: Prediction | None


def answers(
    client: Client, rows: Iterable[Row], rows_per_request: int, requests: int
) -> Iterator[list[Answer]]:
    """Answers to rows, some at a time, in the order of the rows, with so many requests in flight.

    A row that the server refuses becomes one with a reason; its neighbours are asked again without
    it.

    Raises:
        ServerError: the server fails in a way that no row is to blame for.
    """
    iterator = iter(rows)
    groups = iter(lambda: list(itertools.islice(iterator, rows_per_request)), [])
    waiting: deque[Future[list[Answer]]] = deque()
    with ThreadPoolExecutor(requests) as pool:
        try:
            for group in groups:
                waiting.append(pool.submit(_answer, client, group))
                if len(waiting) == 2 * requests:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _answer(client: Client, rows: Sequence[Row]) -> list[Answer]:
    sound = [row for row in rows if row.movie is not None]
    answered = iter(_ask(client, sound))
    return [Answer(row, None) if row.movie is None else next(answered) for row in rows]


def _ask(client: Client, rows: Sequence[Row]) -> list[Answer]:
    """Answers to sound rows; halves where the server finds fault, down to the row at fault."""
    movies = [row.movie for row in rows if row.movie is not None]
    try:
        predictions = client.predict(movies)
    except ServerError as error:
        if error.trouble is not ErrorKind.ROWS:
            raise
        if len(rows) == 1:
            return [Answer(replace(rows[0], movie=None, reason=str(error)), None)]
        middle = len(rows) // 2
        return _ask(client, rows[:middle]) + _ask(client, rows[middle:])
    return [Answer(*pair) for pair in zip(rows, predictions, strict=True)]
