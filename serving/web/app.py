"""The web page's application: static files and a JSON API in front of the model server."""

import io
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from schema import features as raw
from schema.errors import UserError
from serving.client import Client, FieldError, ServerError
from serving.client.files import MovieTable, Row, movies_of
from serving.client.lines import csv_line, prediction_cells, prediction_columns
from serving.client.movies import field_errors
from serving.client.stream import predict_rows
from serving.client.transport import ErrorKind
from serving.web.explain import explain
from tables.formats import read_table
from tables.record import printable

PAGE_DIRECTORY: Final = Path(__file__).with_name("page")

MAX_BODY_BYTES: Final = 4 << 20

EXPLANATION_TIMEOUT_SECONDS: Final = 8.0

MAX_TABLE_ROWS: Final = 1000

MAX_TABLE_CHARACTERS: Final = 4 * MAX_BODY_BYTES
"""Number of characters that the movies of a table may have, which may be compressed."""

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
    """A request that is longer than allowed."""


class MovieError(UserError):
    """A movie with fields that are not allowed.

    Attributes:
        errors: One error for each wrong field.
    """

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


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
        """Return the probabilities of all genres of a movie, the highest first, and warnings."""
        [prediction] = client.predict([movie])
        return {
            "genres": [asdict(genre) for genre in prediction.ranked],
            "warnings": list(prediction.warnings.values()),
        }

    @app.post("/api/explain")
    def explain_movie(movie: Movie) -> dict[str, Any]:
        """Return the effect of each field, name and word of a movie on each genre.

        `probabilities` of the movie and of each part are those with and without the part, in the
        order of `genres`. Effects up to `noise` are as small as those of punctuation. `spans` are
        the occurrences of words in `texts`, as start and end in Unicode code points.
        """
        explanation = explain(client.predict, movie, EXPLANATION_TIMEOUT_SECONDS)
        return {
            "genres": explanation.genres,
            "probabilities": explanation.probabilities,
            "noise": explanation.noise,
            "texts": {name: explanation.movie.get(name, "") for name in raw.TEXTS},
            "parts": [
                {
                    "kind": effect.part.kind,
                    "field": effect.part.field,
                    "text": effect.part.text,
                    "spans": effect.part.spans,
                    "probabilities": effect.probabilities,
                    "effects": effect.differences,
                }
                for effect in explanation.effects
            ],
            "skipped_parts": explanation.skipped_parts,
        }

    @app.post("/api/table")
    def table(body: Body, name: Annotated[str, Query()] = "the table") -> dict[str, Any]:
        """Return the genres of all movies of a file, which is the body of the request."""
        return predict_table(client, printable(name[:100]), body)

    app.mount("/", StaticFiles(directory=PAGE_DIRECTORY, html=True))
    return app


async def read_body(request: Request) -> bytes:
    """Return the body of a request; raise a `TooLargeError` above `MAX_BODY_BYTES`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(
                f"the request is larger than {MAX_BODY_BYTES >> 20} MB. "
                "Use the command `ordained predict` for larger files."
            )
    return bytes(body)


def read_movie(body: "Body") -> dict[str, Any]:
    """Return the movie in the body of a request.

    Raises:
        UserError: The body is not a JSON object.
        MovieError: Fields of the movie are not allowed.
    """
    try:
        movie = json.loads(body)
    except (ValueError, RecursionError):
        raise UserError("the request body is not valid JSON") from None
    if not isinstance(movie, dict):
        raise UserError("expected a JSON object with the fields of a movie")
    if errors := field_errors(movie):
        raise MovieError(errors)
    return movie


Body = Annotated[bytes, Depends(read_body)]
Movie = Annotated[dict[str, Any], Depends(read_movie)]


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _error_response(_: Request, error: Exception) -> Response:
    content: dict[str, Any] = {"error": str(error)}
    if isinstance(error, MovieError):
        content["fields"] = {wrong.field: wrong.reason for wrong in error.errors}
    if isinstance(error, ServerError):
        return JSONResponse(content, _SERVER_ERROR_STATUS.get(error.kind, 502))
    return JSONResponse(content, 413 if isinstance(error, TooLargeError) else 400)


def predict_table(client: Client, name: str, content: bytes) -> dict[str, Any]:
    """Predict the genres of each movie of a table.

    Args:
        client: Client of the model server.
        name: Name of the table, for messages.
        content: File of any format that `tables.formats` reads.

    Returns:
        `rows`: one object per movie with row number, id, title, predicted genres, warnings, error
        and note; `csv`: the same rows with the probabilities of all genres, to be downloaded;
        `format`: the format of the table; `note`: the columns that are not read. An invalid row has
        an error in place of genres. The note of a row describes values that were not understood.

    Raises:
        UserError: The table is empty, too long or has no known column.
    """
    if not content.strip():
        raise UserError(f"{name} is empty. Enter a header line and one line per movie.")
    movies = movies_of(read_table(name, io.BytesIO(content)))
    groups = predict_rows(client, _rows(name, movies), ROWS_PER_REQUEST, PARALLEL_REQUESTS)
    results = [result for group in groups for result in group]
    genres = next((result.prediction.names for result in results if result.prediction), ())
    names = ["row", raw.TCONST, raw.TITLE]
    columns = prediction_columns(genres, [*names, "error", "note"])
    table, lines = [], [csv_line([*names, *columns, "error", "note"])]
    for result in results:
        row, prediction = result.row, result.prediction
        tconst, title = row.copied.get(raw.TCONST, ""), str((row.movie or {}).get(raw.TITLE, ""))
        problems = {"error": row.reason, "note": row.note}
        table.append(
            {
                "row": row.number,
                raw.TCONST: tconst,
                raw.TITLE: title,
                "predicted": [
                    asdict(genre)
                    for genre in (prediction.ranked if prediction else ())
                    if genre.predicted
                ],
                "warnings": list(prediction.warnings) if prediction else [],
                **problems,
            }
        )
        cells = prediction_cells(prediction, genres) if prediction else [""] * len(columns)
        lines.append(csv_line([str(row.number), tconst, title, *cells, *problems.values()]))
    return {
        "rows": table,
        "csv": "".join(lines),
        "format": movies.table.description,
        "note": movies.note,
    }


def _rows(name: str, movies: MovieTable) -> list[Row]:
    """Return all rows of a table; raise a `UserError` if there are none or too many."""
    rows: list[Row] = []
    characters = 0
    remedy = "Use the command `ordained predict` for larger files."
    for row in islice(movies.rows, MAX_TABLE_ROWS + 1):
        rows.append(row)
        characters += len(str(row.movie))
        if characters > MAX_TABLE_CHARACTERS:
            raise TooLargeError(f"the movies of {name} are too long. {remedy}")
    if not rows:
        raise UserError(f"{name} has no movies. Add one line per movie below the header.")
    if len(rows) > MAX_TABLE_ROWS:
        raise UserError(f"{name} has more than {MAX_TABLE_ROWS:,} movies. {remedy}")
    return rows
