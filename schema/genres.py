"""Sets of genres: the default set, and the rules for the names of any other set.

A run has its own set of genres, in the order of its labels, probabilities and reports.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE

GENRES: Final[tuple[str, ...]] = (
    "Action",
    "Adventure",
    "Animation",
    "Biography",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "Film-Noir",
    "History",
    "Horror",
    "Music",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Sport",
    "Thriller",
    "War",
    "Western",
)
"""Default set: IMDb's genres of feature films, except News (59 of 56,503 movies)."""

NUM_GENRES: Final[int] = len(GENRES)
"""Number of genres of the default set."""

MIN_GENRES: Final = 2
"""Smallest number of genres of a run."""

MAX_GENRES: Final = 200
"""Largest number of genres of a run."""


def check_genre(name: str) -> str:
    """Return the name of a genre unchanged.

    Raises:
        ValueError: The name is empty, begins or ends with a space, or contains a line break or
            `LIST_SEPARATOR`.
    """
    if not name or name != name.strip() or LIST_SEPARATOR in name or len(name.splitlines()) > 1:
        raise ValueError(
            f"should be a name without {LIST_SEPARATOR}, line breaks, and spaces at its ends"
        )
    return name


def _check_genres(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(map(str.casefold, names))) < len(names):
        raise ValueError("should not name a genre twice")
    if not MIN_GENRES <= len(names) <= MAX_GENRES:
        raise ValueError(f"should have {MIN_GENRES} to {MAX_GENRES} genres")
    return names


GenreSet = Annotated[
    tuple[Annotated[str, AfterValidator(check_genre)], ...], AfterValidator(_check_genres)
]
"""Type of a setting: `MIN_GENRES` to `MAX_GENRES` distinct names, each as `check_genre` demands."""


def genre_columns(genres: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return a name for the column of each genre, in a table that has other columns, too.

    A genre with the name of another column is marked. Case makes no difference, as in DuckDB.

    >>> genre_columns(["Drama", "Title"], ["row", "title"])
    ['Drama', 'Title (genre)']
    """
    taken = {name.casefold() for name in others}
    return [f"{name} (genre)" if name.casefold() in taken else name for name in genres]


def read_genres(model: Path) -> tuple[str, ...]:
    """Return the genres of an exported model, in the order of its outputs.

    Models of earlier versions do not record their genres, which are `GENRES`.

    Args:
        model: Path of the SavedModel.

    Raises:
        UserError: The training record is damaged.
    """
    record = model / EXTRA_ASSETS / TRAINING_RECORD_FILE
    try:
        values = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    except ValueError as error:
        raise UserError(f"{record} is damaged. Train the model again (--from Trainer)") from error
    return tuple(values.get("genres", GENRES))
