"""The web page's application: static files and a JSON API in front of the model server."""

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
from serving.client.files import movies_of
from serving.client.lines import csv_line, prediction_cells, prediction_columns
from serving.client.stream import predict_rows
from serving.client.transport import UNFAMILIAR_WARNING, ErrorKind
from serving.web.explain import explain
from tables.formats import read_table

PAGE_DIRECTORY: Final = Path(__file__).with_name("page")

MAX_BODY_BYTES: Final = 4 << 20

EXPLANATION_TIMEOUT_SECONDS: Final = 8.0

MAX_TABLE_ROWS: Final = 1000

ROWS_PER_REQUEST: Final = 32
"""Number of rows of a table that one request to the model server holds."""

PARALLEL_REQUESTS: Final = 2
"""Number of requests to the model server that run at the same time for one table."""

HEADERS: Final = {
    # The page loads only its own files, so no text of a movie can run as code.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Headers of every response."""

_SERVER_ERROR_STATUS: Final = {
    ErrorKind.INVALID_INPUT: 400,
    ErrorKind.BUSY: 503,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.TIMEOUT: 504,
}
"""HTTP status by the kind of a `ServerError`; 502 for all other kinds."""


class TooLargeError(UserError):
    """A request whose body is longer than `MAX_BODY_BYTES`."""


def create_app(client: Client, model_name: str) -> FastAPI:
    """Create the application.

    Args:
        client: Client of the model server.
        model_name: Name of the model that the page shows.
    """
    # FastAPI's own documentation pages would load scripts from the network.
    app = FastAPI(title="ordained", openapi_url=None)
    app.middleware("http")(_add_headers)
    app.add_exception_handler(UserError, _error_response)

    @app.get("/api/status")
    def status() -> Response:
        """Return the version of the model that is served, or 503 and the reason."""
        version, error = None, ""
        try:
            versions = client.status()
        except ServerError as server_error:
            error = str(server_error)
        else:
            version = next((str(v.version) for v in versions if v.state == "AVAILABLE"), None)
            states = ", ".join(f"version {v.version}: {v.state.lower()}" for v in versions)
            if version is None:
                error = f"no version of the model is available ({states or 'none is loaded'})"
        content = {"model": model_name, "version": version, "error": error}
        return JSONResponse(content, 503 if error else 200)

    @app.post("/api/predict")
    def predict(movie: Movie) -> dict[str, Any]:
        """Return the probabilities of all genres of a movie, the highest first, and a warning."""
        [prediction] = client.predict([movie])
        return {
            "genres": [asdict(genre) for genre in prediction.ranked],
            "warning": UNFAMILIAR_WARNING if prediction.unfamiliar_language else "",
        }

    @app.post("/api/explain")
    def explain_movie(movie: Movie) -> dict[str, Any]:
        """Return the effect of each field, name and word of a movie on each genre.

        `spans` are the occurrences of a word in `texts`, as start and end in Unicode code points.
        """
        explanation = explain(client.predict, movie, EXPLANATION_TIMEOUT_SECONDS)
        return {
            "genres": explanation.genres,
            "texts": {name: explanation.movie.get(name, "") for name in raw.TEXTS},
            "parts": [
                {
                    "field": effect.part.field,
                    "text": effect.part.text,
                    "spans": effect.part.spans,
                    "effects": effect.differences,
                }
                for effect in explanation.effects
            ],
            "skipped_parts": explanation.skipped_parts,
        }

    @app.post("/api/table")
    def table(body: Body) -> dict[str, Any]:
        """Return the genres of all movies of a CSV table."""
        if not isinstance(body, dict) or not isinstance(text := body.get("csv"), str):
            raise UserError('expected a JSON object {"csv": "..."}')
        return predict_table(client, text)

    app.mount("/", StaticFiles(directory=PAGE_DIRECTORY, html=True))
    return app


async def read_json(request: Request) -> Any:
    """Return the JSON value in the body of a request.

    Raises:
        UserError: The body is not JSON.
        TooLargeError: The body is longer than `MAX_BODY_BYTES`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"the request is larger than {MAX_BODY_BYTES >> 20} MB")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("the request body is not valid JSON") from None


def read_movie(body: "Body") -> dict[str, Any]:
    """Return the body of a request if it is a JSON object; raise a `UserError` otherwise."""
    if not isinstance(body, dict):
        raise UserError("expected a JSON object with the fields of a movie")
    return body


Body = Annotated[Any, Depends(read_json)]
Movie = Annotated[dict[str, Any], Depends(read_movie)]


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _error_response(_: Request, error: Exception) -> Response:
    content = {"error": str(error)}
    if isinstance(error, FieldError):
        content["field"] = error.field
    if isinstance(error, ServerError):
        return JSONResponse(content, _SERVER_ERROR_STATUS.get(error.kind, 502))
    return JSONResponse(content, 413 if isinstance(error, TooLargeError) else 400)


def predict_table(client: Client, text: str) -> dict[str, Any]:
    """Predict the genres of each movie of a CSV table.

    Args:
        client: Client of the model server.
        text: Header line and one line per movie, as CSV or copied from a spreadsheet.

    Returns:
        `rows`: one object per movie with row number, title, predicted genres, error and note;
        `csv`: the same rows with the probabilities of all genres, to be downloaded; `note`: the
        columns that are not read. An invalid row has an error in place of genres. The note of a row
        describes values that were not understood.

    Raises:
        UserError: The table is empty, too long or has no known column.
    """
    if not text.strip():
        raise UserError("the table is empty. Enter a header line and one line per movie.")
    content = io.BytesIO(text.lstrip().encode("utf-8", "surrogatepass"))
    movies = movies_of(read_table("the table", content))
    rows = list(islice(movies.rows, MAX_TABLE_ROWS + 1))
    if not rows:
        raise UserError("the table has no movies. Add one line per movie below the header.")
    if len(rows) > MAX_TABLE_ROWS:
        raise UserError(
            f"the table has more than {MAX_TABLE_ROWS:,} movies. "
            "Use the command `ordained predict` for larger files."
        )
    groups = predict_rows(client, rows, ROWS_PER_REQUEST, PARALLEL_REQUESTS)
    results = [result for group in groups for result in group]
    genres = next((result.prediction.names for result in results if result.prediction), ())
    columns = prediction_columns(genres, ["row", raw.TITLE, "error", "note"])
    table, lines = [], [csv_line(["row", raw.TITLE, *columns, "error", "note"])]
    for result in results:
        row, prediction = result.row, result.prediction
        title = str((row.movie or {}).get(raw.TITLE) or row.copied.get(raw.TCONST, ""))
        ranked = prediction.ranked if prediction else ()
        predicted = [asdict(genre) for genre in ranked if genre.predicted]
        problems = {"error": row.reason, "note": row.note}
        table.append({"row": row.number, "title": title, "predicted": predicted} | problems)
        cells = prediction_cells(prediction, genres) if prediction else [""] * len(columns)
        lines.append(csv_line([str(row.number), title, *cells, *problems.values()]))
    return {"rows": table, "csv": "".join(lines), "note": movies.note}
