"""Kinds of titles, as the columns of tables name them."""

from collections.abc import Sequence
from typing import Final

_MOVIES: Final = ("movie", "tvMovie", "tvSpecial", "video", "short", "tvShort")
"""What tables call a movie."""

_TITLE_TYPES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("movie", "film", "featurefilm"), _MOVIES),
    "tv": ("tvSeries", "tvMiniSeries"),
    "tvshow": ("tvSeries", "tvMiniSeries"),
    "tvseries": ("tvSeries", "tvMiniSeries"),
    "tvprogram": ("tvSeries", "tvMiniSeries"),
    "show": ("tvSeries", "tvMiniSeries"),
    "series": ("tvSeries", "tvMiniSeries"),
    "miniseries": ("tvMiniSeries",),
    "tvminiseries": ("tvMiniSeries",),
    "tvlimitedseries": ("tvMiniSeries",),
    "episode": ("tvEpisode",),
    "tvepisode": ("tvEpisode",),
    "short": ("short", "tvShort"),
    "shortfilm": ("short", "tvShort"),
    "tvshort": ("tvShort",),
    "tvspecial": ("tvSpecial",),
    "videogame": ("videoGame",),
    "game": ("videoGame",),
    "podcast": ("podcastSeries",),
    "podcastseries": ("podcastSeries",),
    "podcastepisode": ("podcastEpisode",),
    "musicvideo": ("musicVideo",),
}


def is_another_kind(kind: str, title_types: Sequence[str]) -> bool:
    """Return whether the kind of a row says that it is about none of the wanted titles.

    A kind that is not known, such as Color, says nothing. Tables call feature films, television
    movies and videos alike, so a movie is another kind only if none of these is wanted.

    >>> is_another_kind("TV Show", ("movie",)), is_another_kind("Movie", ("movie",))
    (True, False)
    >>> is_another_kind("TV Show", ("movie", "tvSeries"))
    False

    Args:
        kind: Cell of a column such as `type`.
        title_types: Wanted values of IMDb's `titleType`.
    """
    meanings = _TITLE_TYPES.get("".join(filter(str.isalnum, kind.casefold())))
    return meanings is not None and set(meanings).isdisjoint(title_types)
