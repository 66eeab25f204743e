"""Predictions as lines of CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from schema import features as raw
from schema.errors import UserError
from schema.genres import genre_columns
from serving.client.files import Row
from serving.client.predictions import Prediction


def prediction_columns(genres: Sequence[str], others: Iterable[str] = ()) -> list[str]:
    """Return the columns of `prediction_cells`: `predicted`, `warnings` and one for each genre.

    Args:
        genres: Names of the genres, in the order of the columns.
        others: Names of the other columns, see `schema.genres.genre_columns`.
    """
    columns = ["predicted", "warnings"]
    return [*columns, *genre_columns(genres, [*columns, *others])]


def prediction_cells(prediction: Prediction, genres: Sequence[str]) -> list[str]:
    """Return the predicted genres and the warnings, each joined by `|`, and the probabilities.

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
    lists = (prediction.predicted_genres, prediction.warnings)
    return [*map(raw.LIST_SEPARATOR.join, lists), *(by_name[name] for name in genres)]


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


def json_rejects(row: Row) -> str:
    """Return JSON lines that describe the mistakes in a row: one for each value, or for the row.

    The row as a whole is of kind `row`. A value that was not understood is of kind `value`; the row
    itself may have a prediction.
    """
    place = {"row": row.number, "line": row.line}
    records: list[dict[str, Any]] = [
        {"kind": "value"}
        | place
        | {"column": cell.column, "value": cell.value, "reason": cell.reason}
        for cell in row.unreadable
    ]
    if row.reason:
        records.append({"kind": "row"} | place | {"reason": row.reason, "text": row.text})
    return "".join(map(_json_line, records))


def _json_line(record: dict[str, Any]) -> str:
    return f"{json.dumps(record, ensure_ascii=False)}\n"
