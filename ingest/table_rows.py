"""Rows of a single table as the cells from which DuckDB makes the table of movies."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from ingest import clean
from ingest.genres import GenreMap
from schema.features import LIST_SEPARATOR, PEOPLE
from tables.columns import Field
from tables.movies import MovieRecord

COLUMN_TYPES: Final = {
    "line": "BIGINT",
    "kind": "VARCHAR",
    "tconst": "VARCHAR",
    "primary_title": "VARCHAR",
    "original_title": "VARCHAR",
    "text": "VARCHAR",
    "labels": "VARCHAR",
    "year": "INTEGER",
    "runtime": "INTEGER",
    "rating": "DOUBLE",
    "votes": "BIGINT",
    **dict.fromkeys(PEOPLE, "VARCHAR"),
}
"""Columns of the file through which DuckDB reads the rows of the table."""


def movie_cells(movie: MovieRecord, genre_map: GenreMap) -> list[str] | str:
    """Return the cells of a movie in the order of `COLUMN_TYPES`, or why it is rejected."""
    if movie.reason:
        return movie.reason
    values: dict[Any, Any] = dict(movie.values)
    text = clean.clean_plot(values.get(Field.PLOT, ""))
    title = clean.normalize(values.get(Field.TITLE, ""))
    year = values.get(Field.YEAR, "")
    return [
        str(movie.line),
        clean.normalize(values.get(Field.KIND, "")),
        title_id(values.get(Field.TCONST, ""), title, year, text),
        title,
        clean.normalize(values.get(Field.ORIGINAL_TITLE, "")),
        text,
        LIST_SEPARATOR.join(genre_map.apply(values.get(Field.GENRES, ()))),
        *(
            str(values.get(name, ""))
            for name in (Field.YEAR, Field.RUNTIME, Field.RATING, Field.VOTES)
        ),
        *(_join_names(values.get(Field(name), ())) for name in PEOPLE),
    ]


def title_id(given: str, title: str, year: int | str, text: str) -> str:
    """Return the id of a movie: the given one, or else a hash of title, year and plot.

    A given id that does not begin with a letter gets the prefix `id`, since CsvExampleGen would
    read a column of numbers as numbers. Case, accents and punctuation do not change the hash.

    >>> title_id("tt0111161", "", "", ""), title_id("862", "", "", "")
    ('tt0111161', 'id862')
    """
    if given := clean.normalize(given):
        return given if given[0].isalpha() else f"id{given}"
    words = (clean.normalized_words(title), str(year), clean.normalized_words(text))
    return "row" + hashlib.blake2b("\t".join(words).encode(), digest_size=8).hexdigest()


def _join_names(names: Iterable[str]) -> str:
    cleaned = (clean.normalize(name.replace(LIST_SEPARATOR, " ")) for name in names)
    return LIST_SEPARATOR.join(filter(None, cleaned))
