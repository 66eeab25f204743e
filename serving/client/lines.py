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


def json_rejected_row(row: Row) -> str:
    """Return a JSON line that describes the mistake in a row."""
    return _json_line(
        {"row": row.number, "line": row.line, "field": row.field, "reason": row.reason}
    )


def _json_line(record: dict[str, Any]) -> str:
    return f"{json.dumps(record, ensure_ascii=False)}\n"
