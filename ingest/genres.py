"""The genres of a build: renaming and merging of given names, and the set of labels."""

from collections.abc import Iterable, Mapping, Sequence

from ingest.config import fold_genre, one_line, option_and_setting
from schema.errors import UserError
from schema.genres import MIN_GENRES
from schema.wording import count


class GenreMap:
    """Names of genres to use in place of given ones.

    Case makes no difference in a given name, and neither do repeated spaces and those at its ends.
    The separator of genres in the movies CSV becomes a space where a name contains it.

    >>> GenreMap({"suspense": "Thriller", "Adult": ""}).apply(["Suspense", "Adult", "Thriller"])
    ('Thriller',)
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        """Create the map from given names to the names to use; an empty name drops the genre."""
        self._names = {fold_genre(given): name for given, name in names.items()}
        self._unused = {fold_genre(given): given for given in names}

    @property
    def unused(self) -> list[str]:
        """Names that were not among the genres given so far."""
        return list(self._unused.values())

    def apply(self, given: Iterable[str]) -> tuple[str, ...]:
        """Rename, merge or drop genres.

        Args:
            given: Genres as the input gives them.

        Returns:
            Distinct names in the order of their first occurrence.
        """
        names = []
        for name in map(one_line, given):
            folded = fold_genre(name)
            self._unused.pop(folded, None)
            names.append(self._names.get(folded, name))
        return tuple(filter(None, dict.fromkeys(names)))


def label_set(
    counts: Mapping[str, int], wanted: Sequence[str] | None, *, movies: int, source: str
) -> tuple[str, ...]:
    """Return the genres of a build, in the order of its labels.

    Args:
        counts: Number of movies by genre, with the names of the `GenreMap`.
        wanted: Sequence of strings. Genres that the settings name; None uses all that occur, in
            alphabetical order.
        movies: Number of movies with at least one of these genres.
        source: Name of the file with the genres, for messages.

    Raises:
        UserError: Fewer than two genres occur, or all movies have the same genres.
    """
    genres = tuple(sorted(name for name in counts if counts[name]) if wanted is None else wanted)
    present = [name for name in genres if counts.get(name)]
    if len(present) < MIN_GENRES:
        found = f"a single genre was found, {present[0]}" if present else "no genre was found"
        raise UserError(
            f"{source}: {found} ({count(movies, 'movie')}). A model needs at least {MIN_GENRES}. "
            f"Check the column with the genres, {option_and_setting('genres', 'genre_map')}."
        )
    if all(counts[name] == movies for name in present):
        raise UserError(
            f"{source}: all {movies:,} movies have the same genres, {', '.join(present)}, so that "
            "there is nothing to learn. Add movies that have other genres, or name more genres "
            f"with {option_and_setting('genres')}."
        )
    return genres
