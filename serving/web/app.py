"""The page's application: answers of the model server, errors in plain words."""

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from schema import features as raw
from schema.errors import UserError
from serving.client import Client, FieldError, ServerError
from serving.client.files import read_csv
from serving.client.lines import PREDICTION_COLUMNS, csv_line, prediction_cells
from serving.client.stream import predict_rows
from serving.client.transport import ErrorKind
from serving.web.explain import explain

PAGE: Final = Path(__file__).with_name("page")

LARGEST_BODY: Final = 4 << 20
"""Bytes of a request."""

SECONDS_TO_EXPLAIN: Final = 8.0

MOST_ROWS: Final = 1000
"""Of a table; more is for the command line."""

ROWS_PER_REQUEST: Final = 32
REQUESTS: Final = 2

HEADERS: Final = {
    # The page needs nothing but itself; what a movie is called can never become code in it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_STATUS_OF: Final = {
    ErrorKind.INVALID_INPUT: 400,
    ErrorKind.BUSY: 503,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.TIMEOUT: 504,
}
"""Whatever is not here is 502."""


class TooLargeError(UserError):
    """A request that is longer than `LARGEST_BODY`."""


def create_app(client: Client, model_name: str) -> FastAPI:
    """The application; the page calls the model by `model_name`."""
    # FastAPI's own pages of documentation would load scripts from the network.
    app = FastAPI(title="ordained", openapi_url=None)
    app.middleware("http")(_add_headers)
    app.add_exception_handler(UserError, _tell)

    @app.get("/api/status")
    def status() -> Response:
        """The served version of the model; 503 where there is none."""
        served, problem = None, ""
        try:
            found = client.status()
        except ServerError as error:
            problem = str(error)
        else:
            served = next((str(v.version) for v in found if v.state == "AVAILABLE"), None)
            states = ", ".join(f"version {v.version}: {v.state.lower()}" for v in found)
            if served is None:
                problem = f"no version of the model is ready ({states or 'there is none'})"
        told = {"model": model_name, "version": served, "error": problem}
        return JSONResponse(told, 503 if problem else 200)

    @app.post("/api/predict")
    def predict(movie: Movie) -> dict[str, Any]:
        """All genres of a movie, the most probable first."""
        [prediction] = client.predict([movie])
        return {"genres": [asdict(genre) for genre in prediction.ranked]}

    @app.post("/api/explain")
    def explanation(movie: Movie) -> dict[str, Any]:
        """What leaving out each field, name and word does to the log-odds of each genre."""
        found = explain(client.predict, movie, SECONDS_TO_EXPLAIN)
        return {
            "parts": [
                {"field": e.part.field, "text": e.part.text, "effects": e.by_genre}
                for e in found.effects
            ],
            "genres": found.genres,
            "untried": found.untried,
        }

    @app.post("/api/table")
    def table(body: Body) -> dict[str, Any]:
        """The genres of all movies of a CSV."""
        if not isinstance(body, dict) or not isinstance(text := body.get("csv"), str):
            raise UserError('expected {"csv": "..."}')
        return answer_table(client, text)

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


async def read_json(request: Request) -> Any:
    """The body of a request; a `UserError` if it is not JSON, or too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise TooLargeError(f"that is too much text: at most {LARGEST_BODY >> 20} MB are taken")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("the request is not JSON") from None


def read_movie(body: "Body") -> dict[str, Any]:
    """A movie as a JSON object; a `UserError` if it is none."""
    if not isinstance(body, dict):
        raise UserError("expected a JSON object with the fields of a movie")
    return body


Body = Annotated[Any, Depends(read_json)]
Movie = Annotated[dict[str, Any], Depends(read_movie)]


async def _add_headers(
    request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await answer(request)
    response.headers.update(HEADERS)
    return response


def _tell(_: Request, error: Exception) -> Response:
    told = {"error": str(error)}
    if isinstance(error, FieldError):
        told["field"] = error.field
    if isinstance(error, ServerError):
        return JSONResponse(told, _STATUS_OF.get(error.kind, 502))
    return JSONResponse(told, 413 if isinstance(error, TooLargeError) else 400)


def answer_table(client: Client, text: str) -> dict[str, Any]:
    """Answer each row of a CSV with a header; bad rows come back with what is wrong.

    Returns:
        `rows`, one for each movie, as the page shows it; and `csv`, the same with all
        probabilities, to be downloaded.
    """
    if not text.strip():
        raise UserError("the table is empty: paste a header and a line for each movie")
    rows = list(islice(read_csv("the table", io.StringIO(text.lstrip(), "")), MOST_ROWS + 1))
    if not rows:
        raise UserError("the table has a header and no movies")
    if len(rows) > MOST_ROWS:
        other = "ordained-predict answers files of any length"
        raise UserError(f"the table has more than {MOST_ROWS:,} movies: {other}")
    shown, lines = [], [csv_line(["row", raw.TITLE, *PREDICTION_COLUMNS, "error"])]
    for group in predict_rows(client, rows, ROWS_PER_REQUEST, REQUESTS):
        for answer in group:
            row, prediction = answer.row, answer.prediction
            title = str((row.movie or {}).get(raw.TITLE) or row.copied.get(raw.TCONST, ""))
            genres = prediction.ranked if prediction else ()
            predicted = [asdict(genre) for genre in genres if genre.predicted]
            shown.append(
                {"row": row.number, "title": title, "predicted": predicted, "error": row.error}
            )
            cells = prediction_cells(prediction) if prediction else [""] * len(PREDICTION_COLUMNS)
            lines.append(csv_line([str(row.number), title, *cells, row.error]))
    return {"rows": shown, "csv": "".join(lines)}
