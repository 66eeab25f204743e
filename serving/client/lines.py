"""Predictions as lines of CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from schema import features as raw
from schema.errors import UserError
from serving.client.files import Row
from serving.client.transport import Prediction


def prediction_columns(genres: Sequence[str]) -> list[str]:
    """Return the names of the columns of `prediction_cells`, one for each genre and `predicted`."""
    return ["predicted", *genres]


def prediction_cells(prediction: Prediction, genres: Sequence[str]) -> list[str]:
    """Return the cells of a prediction: its predicted genres joined by `|`, and probabilities.

    Args:
        prediction: Prediction of the server.
        genres: Names of the genres, in the order of the columns.

    Raises:
        UserError: The prediction has other genres.
    """
    by_name = {genre.name: f"{genre.probability:.6f}" for genre in prediction.genres}
    if by_name.keys() != set(genres):
        raise UserError(
            "the server has changed to a model with other genres. Predict all movies again."
        )
    predicted = raw.LIST_SEPARATOR.join(prediction.predicted_genres)
    return [predicted, *(by_name[name] for name in genres)]


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV with a line break."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def csv_prediction(
    copied_columns: Sequence[str], genres: Sequence[str], row: Row, prediction: Prediction
) -> str:
    """Return a line of CSV with the number of the row, the copied columns and the prediction.

    Raises:
        UserError: The prediction has other genres than `genres`.
    """
    cells = [row.copied.get(name, "") for name in copied_columns]
    return csv_line([str(row.number), *cells, *prediction_cells(prediction, genres)])


def json_prediction(row: Row, prediction: Prediction) -> str:
    """Return a JSON line with the number of the row, the copied values and the prediction."""
    return _json_line({"row": row.number} | row.copied | prediction.as_json())


def json_rejected_row(row: Row) -> str:
    """Return a JSON line that describes the mistake in a row."""
    return _json_line(
        {"row": row.number, "line": row.line, "field": row.field, "reason": row.reason}
    )


def _json_line(record: dict[str, Any]) -> str:
    return f"{json.dumps(record, ensure_ascii=False)}\n"
