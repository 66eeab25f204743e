"""Prediction of many rows by concurrent requests, in order and with bounded memory."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from serving.client.client import Client
from serving.client.files import Row
from serving.client.predictions import Prediction
from serving.client.transport import ErrorKind, ServerError


@dataclass(frozen=True)
class RowResult:
    """The result of one row.

    Attributes:
        row: The row.
        prediction: Prediction of the server; None if the row is malformed or was rejected, and
            `row.reason` says why.
    """

    row: Row
    prediction: Prediction | None


def predict_rows(
    client: Client, rows: Iterable[Row], rows_per_request: int, requests: int
) -> Iterator[list[RowResult]]:
    """Predict rows in their order.

    A row that the server rejects is returned with a reason; the other rows of its request are sent
    again without it.

    Args:
        client: Client for the model.
        rows: Rows to predict.
        rows_per_request: Largest number of rows in one request.
        requests: Largest number of concurrent requests.

    Yields:
        Results of the next `rows_per_request` rows.

    Raises:
        ServerError: The server fails for a reason other than an invalid row.
    """
    iterator = iter(rows)
    groups = iter(lambda: list(itertools.islice(iterator, rows_per_request)), [])
    pending: deque[Future[list[RowResult]]] = deque()
    with ThreadPoolExecutor(requests) as pool:
        try:
            for group in groups:
                pending.append(pool.submit(_predict_group, client, group))
                if len(pending) == 2 * requests:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _predict_group(client: Client, rows: Sequence[Row]) -> list[RowResult]:
    valid = [row for row in rows if row.movie is not None]
    results = iter(_predict_valid_rows(client, valid))
    return [RowResult(row, None) if row.movie is None else next(results) for row in rows]


def _predict_valid_rows(client: Client, rows: Sequence[Row]) -> list[RowResult]:
    """Predict rows, and split a rejected request in halves until the invalid row is found."""
    movies = [row.movie for row in rows if row.movie is not None]
    try:
        predictions = client.predict(movies)
    except ServerError as error:
        if error.kind is not ErrorKind.INVALID_INPUT:
            raise
        if len(rows) == 1:
            return [RowResult(rows[0]._replace(movie=None, reason=str(error)), None)]
        middle = len(rows) // 2
        return _predict_valid_rows(client, rows[:middle]) + _predict_valid_rows(
            client, rows[middle:]
        )
    return [RowResult(*pair) for pair in zip(rows, predictions, strict=True)]
