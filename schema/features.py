"""The raw features: one row of the movies CSV, one `tf.Example`, one request to the server."""

from pathlib import Path
from typing import Final

TCONST: Final = "tconst"
TITLE: Final = "title"
PLOT: Final = "plot"
GENRES_FIELD: Final = "genres"
YEAR: Final = "year"
RUNTIME: Final = "runtime_minutes"
RATING: Final = "average_rating"
VOTES: Final = "num_votes"
DIRECTORS: Final = "directors"
WRITERS: Final = "writers"
CAST: Final = "cast"
SPLIT_KEY: Final = "split_key"

TEXTS: Final[tuple[str, ...]] = (PLOT, TITLE)
"""Free text, one string a movie."""

PEOPLE: Final[tuple[str, ...]] = (DIRECTORS, WRITERS, CAST)
"""Names joined by `LIST_SEPARATOR`, the cast in billing order."""

NUMBERS: Final[tuple[str, ...]] = (YEAR, RUNTIME, RATING, VOTES)
"""Numbers; none is ever zero or negative, so such a value means that it is not known."""

MODEL_INPUTS: Final[tuple[str, ...]] = TEXTS + NUMBERS + PEOPLE
"""What a request to the served model holds, each of it optional."""

CSV_COLUMNS: Final[tuple[str, ...]] = (
    TCONST,
    TITLE,
    PLOT,
    GENRES_FIELD,
    YEAR,
    RUNTIME,
    RATING,
    VOTES,
    DIRECTORS,
    WRITERS,
    CAST,
    SPLIT_KEY,
)
"""The header of the movies CSV shards, in order."""

LIST_SEPARATOR: Final = "|"

SCHEMA_FILE: Final[Path] = Path(__file__).with_name("schema.pbtxt")
"""The curated schema that every run is checked against."""
