"""Columns by meaning: which columns of a table hold the title, the plot, the year and so on."""

import difflib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from schema import features as raw

MAX_SUGGESTIONS: Final = 100
"""Number of unknown columns for which the most similar known name is searched."""


class Field(StrEnum):
    """Meaning of a column. The values of the model's features are the names of the features.

    Attributes:
        TCONST: IMDb's title id.
        ID: Another id, such as a number of TMDb.
        ORIGINAL_TITLE: Title in the language of the movie.
        KIND: Type of the title, such as Movie or TV Show.
        LANGUAGE: Language of the movie.
    """

    TCONST = raw.TCONST
    ID = "id"
    TITLE = raw.TITLE
    ORIGINAL_TITLE = "original_title"
    KIND = "kind"
    LANGUAGE = "language"
    PLOT = raw.PLOT
    GENRES = raw.GENRES_FIELD
    YEAR = raw.YEAR
    RUNTIME = raw.RUNTIME
    RATING = raw.RATING
    VOTES = raw.VOTES
    DIRECTORS = raw.DIRECTORS
    WRITERS = raw.WRITERS
    CAST = raw.CAST
    SPLIT_KEY = raw.SPLIT_KEY


LISTS: Final = (Field.GENRES, Field.DIRECTORS, Field.WRITERS, Field.CAST)
"""Fields with several values. One value may be in each of several numbered columns."""

COLUMN_NAMES: Final[dict[Field, tuple[str, ...]]] = {
    field: tuple(names.split())
    for field, names in {
        Field.TCONST: "tconst imdb_id imdb_title_id title_id imdb const imdb_url imdb_link "
        "movie_imdb_link",
        Field.ID: "id show_id movie_id tmdb_id film_id wikipedia_id wikipedia_movie_id",
        Field.TITLE: "title primary_title movie_title film_title movie_name name series_title "
        "english_title title_english film movie",
        Field.ORIGINAL_TITLE: "original_title title_original original_name",
        Field.KIND: "type kind title_type show_type media_type content_type",
        Field.LANGUAGE: "language original_language lang",
        Field.PLOT: "plot plot_synopsis plot_summary plot_outline synopsis summary overview "
        "storyline description full_plot plot_text movie_plot movie_description movie_overview",
        Field.GENRES: "genres genre listed_in genre_names movie_genres movie_genre labels label "
        "categories category tags",
        Field.YEAR: "year start_year release_year movie_year title_year released_year "
        "year_of_release release_date date released release premiered",
        Field.RUNTIME: "runtime_minutes runtime runtime_mins runtime_min duration "
        "duration_minutes duration_mins duration_min running_time length length_minutes "
        "length_mins length_min minutes",
        Field.RATING: "average_rating imdb_rating imdb_score vote_average avg_rating avg_vote "
        "average_vote rating score",
        Field.VOTES: "num_votes votes vote_count imdb_votes no_of_votes number_of_votes "
        "num_voted_users votes_count rating_count num_ratings",
        Field.DIRECTORS: "directors director director_name director_names directed_by",
        Field.WRITERS: "writers writer writer_name writer_names written_by screenwriters "
        "screenwriter screenplay",
        Field.CAST: "cast actors actor actor_name actor_names cast_members main_actors starring "
        "stars star star_name star_cast",
        Field.SPLIT_KEY: "split_key",
    }.items()
}
"""Accepted names by field, in order of preference. Names differ only in letters and digits."""

_EPOCH: Final = re.compile(r"(?:timestamp|epoch|unix|millis|ms)+\Z")
_NUMBER: Final = re.compile(r"\d{1,2}(?=(?:name)?\Z)")


@dataclass(frozen=True)
class Columns:
    """Columns of a table by meaning.

    Attributes:
        fields: Names of the columns as written, by field, in order of preference.
        unknown: Most similar known name by column that has no known meaning; "" if there is none.
    """

    fields: dict[Field, tuple[str, ...]]
    unknown: dict[str, str]

    def only(self, *fields: Field) -> "Columns":
        """Return the same columns without those of other fields."""
        return Columns({name: self.fields[name] for name in fields if name in self.fields}, {})

    def series(self, field: Field) -> list[tuple[str, ...]]:
        """Return the columns of a field; those of a list that differ in a number are together."""
        names = self.fields.get(field, ())
        if field not in LISTS:
            return [(name,) for name in names]
        return [tuple(group) for _, group in itertools.groupby(names, _name_and_number)]


def match_columns(names: Sequence[str]) -> Columns:
    """Find the meaning of columns from their names.

    Only letters and digits of a name are compared, and case makes no difference. The cast may be
    in numbered columns such as Star1 and Star2, and so may directors, writers and genres.

    Args:
        names: Names of the columns as written.

    Returns:
        The columns by meaning.

    >>> match_columns(["Movie Title", "Release-Year", "Polt"])
    Columns(fields={<Field.TITLE: 'title'>: ('Movie Title',), \
<Field.YEAR: 'year'>: ('Release-Year',)}, unknown={'Polt': 'plot'})
    """
    found: dict[Field, list[tuple[int, int, str]]] = {}
    unknown: dict[str, str] = {}
    for name in names:
        if match := _match(name):
            field, preference, number = match
            found.setdefault(field, []).append((preference, number, name))
        else:
            unknown[name] = _most_similar(name) if len(unknown) < MAX_SUGGESTIONS else ""
    fields = {
        # Sorting by the key only keeps the order of equal names in the table.
        field: tuple(name for *_, name in sorted(found[field], key=lambda entry: entry[:2]))
        for field in Field
        if field in found
    }
    return Columns(fields, unknown)


@lru_cache(maxsize=1024)
def holds_timestamps(name: str) -> bool:
    """Return whether a column of dates may hold numbers of seconds or milliseconds since 1970."""
    letters = _letters_and_digits(name)
    return "date" in letters or letters.startswith("release") or bool(_EPOCH.search(letters))


def _letters_and_digits(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


_KNOWN: Final = {
    _letters_and_digits(name): (field, preference)
    for field, names in COLUMN_NAMES.items()
    for preference, name in enumerate(names)
}
_WRITTEN: Final = {
    _letters_and_digits(name): name for names in COLUMN_NAMES.values() for name in names
}


def _name_and_number(name: str) -> str:
    return _NUMBER.sub("", _letters_and_digits(name))


def _match(name: str) -> tuple[Field, int, int] | None:
    """Return field, position among the field's names and number of a column; None if unknown."""
    letters = _letters_and_digits(name)
    if known := _KNOWN.get(letters):
        return *known, 0
    number = _NUMBER.search(letters)
    if number and (known := _KNOWN.get(_NUMBER.sub("", letters))) and known[0] in LISTS:
        return *known, int(number[0])
    known = _KNOWN.get(_EPOCH.sub("", letters))
    return (*known, 0) if known and known[0] is Field.YEAR else None


def _most_similar(name: str) -> str:
    similar = difflib.get_close_matches(_letters_and_digits(name[:100]), _WRITTEN, 1, 0.75)
    return _WRITTEN[similar[0]] if similar else ""
