"""A pasted table of films, answered as a table."""

import io
from itertools import islice
from typing import Any, Final

from schema import features as raw
from schema.errors import UserError
from serving.client import Client
from serving.client.files import read_csv
from serving.client.lines import ANSWER_COLUMNS, answer_cells, csv_line
from serving.client.stream import Answer, answers

MOST_ROWS: Final = 1000
"""More is for the command line."""

ROWS_PER_REQUEST: Final = 32
REQUESTS: Final = 2


def answer_table(client: Client, text: str) -> dict[str, Any]:
    """Read a CSV with a header and ask about each row; bad rows come back with what is wrong.

    Returns:
        `rows`, one for each film, as the page shows it; and `csv`, the same with all probabilities,
        to be downloaded.

    Raises:
        UserError: it has no rows, too many, or a header that does not fit.
        ServerError: the server fails in a way that no row is to blame for.
    """
    if not text.strip():
        raise UserError("the table is empty: paste a header and a line for each film")
    rows = list(islice(read_csv("the table", io.StringIO(text.lstrip(), "")), MOST_ROWS + 1))
    if not rows:
        raise UserError("the table has a header and no films")
    if len(rows) > MOST_ROWS:
        raise UserError(
            f"the table has more than {MOST_ROWS:,} films: ordained-predict answers files of any "
            "length"
        )
    found = [one for some in answers(client, rows, ROWS_PER_REQUEST, REQUESTS) for one in some]
    head = csv_line(["row", raw.TITLE, *ANSWER_COLUMNS, "error"])
    return {"rows": [_shown(one) for one in found], "csv": head + "".join(map(_line, found))}


def _title(answer: Answer) -> str:
    return str((answer.row.movie or {}).get(raw.TITLE, "") or answer.row.carried.get("tconst", ""))


def _shown(answer: Answer) -> dict[str, Any]:
    prediction = answer.prediction
    decided = [genre for genre in prediction.likeliest if genre.predicted] if prediction else []
    return {
        "row": answer.row.number,
        "title": _title(answer),
        "predicted": [{"name": g.name, "probability": g.probability} for g in decided],
        "error": answer.row.error,
    }


def _line(answer: Answer) -> str:
    empty = [""] * len(ANSWER_COLUMNS)
    cells = answer_cells(answer.prediction) if answer.prediction else empty
    return csv_line([str(answer.row.number), _title(answer), *cells, answer.row.error])
