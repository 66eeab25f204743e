"""Whether movies that are all but the same stand in different splits."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from benchmarks.quality.dataset import Movies
from ingest.clean import normalized_words
from ingest.split_key import MAX_SHINGLE_MOVIES, SHINGLE_WORDS, title_stem
from schema import features as raw


class Leakage(NamedTuple):
    """Split keys, title stems, plots with the same words, and stretches of `SHINGLE_WORDS` words.

    Counted are those in two splits or more; stretches that at most `MAX_SHINGLE_MOVIES` movies
    share.
    """

    keys: int
    stems: int
    plots: int
    windows: int


def leakage(splits: Mapping[str, Movies]) -> Leakage:
    """Count what straddles the splits; all four are 0 where ingest grouped the movies well."""
    return Leakage(
        _straddling(splits, lambda movies: ({key} for key in movies[raw.SPLIT_KEY])),
        _straddling(splits, stems),
        _straddling(
            splits, lambda movies: ({normalized_words(plot)} - {""} for plot in movies[raw.PLOT])
        ),
        _straddling(splits, windows, MAX_SHINGLE_MOVIES),
    )


def stems(movies: Movies) -> Iterable[set[str]]:
    """The title stem of each movie; none of a title without letters and digits."""
    return ({title_stem(title)} - {""} for title in movies[raw.TITLE])


def windows(movies: Movies) -> Iterable[set[str]]:
    """The stretches of `SHINGLE_WORDS` words in each plot."""
    for plot in movies[raw.PLOT]:
        told = normalized_words(plot).split()
        yield {
            " ".join(told[start : start + SHINGLE_WORDS])
            for start in range(len(told) - SHINGLE_WORDS + 1)
        }


def _straddling(
    splits: Mapping[str, Movies],
    values: Callable[[Movies], Iterable[set[str]]],
    too_common: float = float("inf"),
) -> int:
    """How many values movies of two splits have, but for those of more than `too_common` movies."""
    seen: dict[bytes, list[str]] = defaultdict(list)
    for split, movies in splits.items():
        for of_movie in values(movies):
            for value in of_movie:
                seen[hashlib.blake2b(value.encode(), digest_size=8).digest()].append(split)
    return sum(len(set(found)) > 1 and len(found) <= too_common for found in seen.values())
