"""Which films must stay in one split: remakes, sequels and copies of one plot."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ingest.clean import words

WINDOW: Final = 12
"""Words in a row that two plots must share to count as near-identical."""

TOO_COMMON: Final = 20
"""A window seen in more films than this is a phrase, not a copy."""

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


def stem(title: str) -> str:
    """What a title shares with those of its remakes and sequels.

    Case and accents are folded, marks dropped, and so are one leading article and a number at the
    end ("2", "III", "Part Two"); a title that is nothing else keeps it.

    >>> stem("The Godfather: Part II"), stem("Rocky IV"), stem("1984")
    ('godfather', 'rocky', '1984')
    """
    return _SEQUEL.sub("", _ARTICLE.sub("", words(title)))


def split_keys(films: Sequence[tuple[str, str]], copies: Iterable[tuple[int, int]]) -> list[str]:
    """One key a film; films that share a title stem or a stretch of plot have the same key.

    The films are the nodes of a graph, with an edge between two of the same stem and between two
    with near-identical plots; a key is the stem of its connected component's first film (its
    tconst if the title has no letter or digit). The same films always have the same keys. When
    films are added or removed, a key changes only where a component gets another first film or
    where components merge or part: those films alone may move to another split.

    Args:
        films: tconst and title of each film, in the order of their tconst.
        copies: Pairs of indexes into `films` whose plots are near-identical.

    Returns:
        The keys, in the order of `films`.
    """
    # An unchanged build, which ends within half a second, does without SciPy's import.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = [stem(title) or tconst for tconst, title in films]
    first_of: dict[str, int] = {}
    edges = [(first_of.setdefault(name, film), film) for film, name in enumerate(names)]
    rows, columns = np.array([*edges, *copies], np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=[len(films)] * 2)
    _, components = connected_components(graph, directed=False)
    _, firsts = np.unique(components, return_index=True)
    return [names[first] for first in firsts[components]]
