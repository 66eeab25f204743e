"""Split keys: movies that must be in the same split (remakes, sequels, copied plots) share one."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ingest.clean import normalized_words

SHINGLE_WORDS: Final = 12
"""Length of a shingle, in words. Plots that share a shingle count as near-duplicates."""

MAX_SHINGLE_MOVIES: Final = 20
"""A shingle in the plots of more movies than this is a common phrase and is ignored."""

_ARTICLE: Final = re.compile(
    r"\A(?:the|an?|les?|la|l|une?|el|los|las|il|lo|gli|i|der|die|das|den|det|de|het|o|os|as) (?=.)"
)
_SEQUEL: Final = re.compile(
    r"(?<=.) (?:"
    r"(?:part|chapter|volume|vol|episode) "
    r"(?:\d+|[ivx]+|one|two|three|four|five|six|seven|eight|nine|ten)"
    r"|\d{1,4}|[ivx]{1,5}"
    r")\Z"
)


def title_stem(title: str) -> str:
    """Return the part of a title that remakes and sequels have in common.

    The stem has the normalized words of the title without a leading article and without a number
    at the end ("2", "III", "Part Two"), unless nothing else would remain.

    >>> title_stem("The Godfather: Part II"), title_stem("Rocky IV"), title_stem("1984")
    ('godfather', 'rocky', '1984')
    """
    return _SEQUEL.sub("", _ARTICLE.sub("", normalized_words(title)))


def split_keys(
    movies: Sequence[tuple[str, str]], near_duplicates: Iterable[tuple[int, int]]
) -> list[str]:
    """Return the split key of each movie.

    The movies form a graph with an edge between movies of the same title stem and between movies
    with near-duplicate plots. All movies of a connected component have the same key: the stem of
    the component's first movie, or its tconst if the title has no letter or digit.

    The same movies always have the same keys. When movies are added or removed, a key changes only
    if its component has another first movie, is merged or is divided.

    Args:
        movies: tconst and title of each movie, in the order of tconst.
        near_duplicates: Pairs of indexes into `movies`.

    Returns:
        One key per movie, in the order of `movies`.
    """
    # Imported here because SciPy would slow down a build that has nothing to do.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys = [title_stem(title) or tconst for tconst, title in movies]
    first_with_key: dict[str, int] = {}
    edges = [(first_with_key.setdefault(key, index), index) for index, key in enumerate(keys)]
    rows, columns = np.array([*edges, *near_duplicates], np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=[len(movies)] * 2)
    _, components = connected_components(graph, directed=False)
    _, first_indexes = np.unique(components, return_index=True)
    return [keys[first] for first in first_indexes[components]]
