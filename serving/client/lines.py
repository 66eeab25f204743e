"""Predictions as lines of CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from schema import features as raw
from schema.genres import GENRES
from serving.client.files import Row
from serving.client.transport import Prediction

PREDICTION_COLUMNS = ("predicted", *GENRES)


def prediction_cells(prediction: Prediction) -> list[str]:
    """Return the cells for `PREDICTION_COLUMNS`: predicted genres joined by `|`, probabilities."""
    by_name = {genre.name: f"{genre.probability:.6f}" for genre in prediction.genres}
    predicted = raw.LIST_SEPARATOR.join(prediction.predicted_genres)
    return [predicted, *(by_name.get(name, "") for name in GENRES)]


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV with a line break."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def csv_prediction(copied_columns: Sequence[str], row: Row, prediction: Prediction) -> str:
    """Return a line of CSV with the number of the row, the copied columns and the prediction."""
    cells = [row.copied.get(name, "") for name in copied_columns]
    return csv_line([str(row.number), *cells, *prediction_cells(prediction)])


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
