"""Names of the raw features in the movies CSV, in examples and in requests to the server."""

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
CORRECTED: Final = "corrected"
"""1 if a person corrected the genres of the movie, otherwise missing. Not an input of the model."""

TEXTS: Final[tuple[str, ...]] = (PLOT, TITLE)
"""Free text; one string per movie."""

PEOPLE: Final[tuple[str, ...]] = (DIRECTORS, WRITERS, CAST)
"""Names of people, joined by `LIST_SEPARATOR`; the cast in billing order."""

NUMBERS: Final[tuple[str, ...]] = (YEAR, RUNTIME, RATING, VOTES)
"""Positive numbers. Zero or a negative number means that the value is unknown."""

MODEL_INPUTS: Final[tuple[str, ...]] = TEXTS + NUMBERS + PEOPLE
"""Features of a request to the served model. All are optional."""

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
    CORRECTED,
)
"""Columns of the movies CSV shards, in order."""

LIST_SEPARATOR: Final = "|"
"""Separates names and genres in one cell of the movies CSV."""

SCHEMA_FILE: Final[Path] = Path(__file__).with_name("schema.pbtxt")
"""Curated schema that the data of every run are validated against."""
