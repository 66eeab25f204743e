"""The genres of a build: renaming and merging of given names, and the set of labels."""

from collections.abc import Mapping, Sequence
from typing import Final

from ingest.config import option_and_setting
from schema.errors import UserError
from schema.features import LIST_SEPARATOR
from schema.genres import MAX_GENRES, MIN_GENRES

_MAX_LISTED: Final = 10
"""Number of genres that a message lists."""


def map_genres(names: Sequence[str], genre_map: Mapping[str, str]) -> tuple[str, ...]:
    """Rename, merge or drop genres.

    Spaces at the ends of a name are ignored. The separator of genres in the movies CSV becomes a
    space where a name contains it.

    Args:
        names: Sequence of strings. Genres as the input gives them.
        genre_map: Mapping from a given name to the name to use. An empty name drops the genre;
            other names stay as they are.

    Returns:
        Distinct names in the order of their first occurrence.

    >>> map_genres(["Suspense", "Adult", "Thriller"], {"Suspense": "Thriller", "Adult": ""})
    ('Thriller',)
    """
    given = (" ".join(name.replace(LIST_SEPARATOR, " ").split()) for name in names)
    return tuple(filter(None, dict.fromkeys(genre_map.get(name, name) for name in given)))


def label_set(
    counts: Mapping[str, int], wanted: Sequence[str] | None, *, movies: int, source: str
) -> tuple[str, ...]:
    """Return the genres of a build, in the order of its labels.

    Args:
        counts: Number of movies by genre, after `map_genres`.
        wanted: Sequence of strings. Genres that the settings name; None uses all that occur, in
            alphabetical order.
        movies: Number of movies with at least one of these genres.
        source: Name of the file with the genres, for messages.

    Raises:
        UserError: Fewer than two or more than 200 genres occur, or all movies have the same genres.
    """
    genres = tuple(sorted(name for name in counts if counts[name]) if wanted is None else wanted)
    present = [name for name in genres if counts.get(name)]
    if len(genres) > MAX_GENRES:
        by_count = sorted(present, key=lambda name: -counts[name])[:_MAX_LISTED]
        raise UserError(
            f"{source}: {len(genres):,} genres were found, more than the {MAX_GENRES} that a model "
            f"can have. The most frequent are {', '.join(name[:60] for name in by_count)}. Leave "
            f"rare ones out with {option_and_setting('min_genre_movies')}, name those to use with "
            f"{option_and_setting('genres')}, or merge some with {option_and_setting('genre_map')}."
        )
    if len(present) < MIN_GENRES:
        found = f"a single genre was found, {present[0]}" if present else "no genre was found"
        raise UserError(
            f"{source}: {found} ({movies:,} movies). A model needs at least {MIN_GENRES}. Check "
            f"the column with the genres, {option_and_setting('genres')} and "
            f"{option_and_setting('genre_map')}."
        )
    if all(counts[name] == movies for name in present):
        raise UserError(
            f"{source}: all {movies:,} movies have the same genres, {', '.join(present)}, so that "
            "there is nothing to learn. Add movies that have other genres, or name more genres "
            f"with {option_and_setting('genres')}."
        )
    return genres
