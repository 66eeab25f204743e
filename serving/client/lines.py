"""Answers as lines of CSV and of JSON."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from schema import features as raw
from schema.genres import GENRES
from serving.client.files import Row
from serving.client.transport import Prediction

ANSWER_COLUMNS = ("predicted", *GENRES)


def answer_cells(prediction: Prediction) -> list[str]:
    """A cell for each of `ANSWER_COLUMNS`: predicted genres joined by `|`, probabilities."""
    by_name = {genre.name: f"{genre.probability:.6f}" for genre in prediction.genres}
    decided = raw.LIST_SEPARATOR.join(prediction.predicted_genres)
    return [decided, *(by_name.get(name, "") for name in GENRES)]


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV, its end included."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def csv_answer(carried: Sequence[str], row: Row, prediction: Prediction) -> str:
    """Number of the row, carried columns, and the answer."""
    cells = [row.carried.get(name, "") for name in carried]
    return csv_line([str(row.number), *cells, *answer_cells(prediction)])


def json_answer(row: Row, prediction: Prediction) -> str:
    """The same as a JSON object."""
    return _json({"row": row.number} | row.carried | prediction.as_json())


def json_reject(row: Row) -> str:
    """What was wrong with a row that was not answered, as a JSON object."""
    return _json({"row": row.number, "line": row.line, "field": row.field, "reason": row.reason})


def _json(record: dict[str, Any]) -> str:
    return f"{json.dumps(record, ensure_ascii=False)}\n"
