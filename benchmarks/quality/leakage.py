"""Check for near-duplicate movies in different splits."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from benchmarks.quality.dataset import Movies
from ingest.clean import plot_words
from ingest.split_key import MAX_SHINGLE_MOVIES, SHINGLE_WORDS, title_stem
from schema import features as raw


class Leakage(NamedTuple):
    """Numbers of values that occur in two or more splits.

    Attributes:
        keys: Int. Number of split keys.
        stems: Int. Number of title stems.
        plots: Int. Number of plots with the same words.
        shingles: Int. Number of sequences of `SHINGLE_WORDS` words in plots, without those that
            more than `MAX_SHINGLE_MOVIES` movies share.
    """

    keys: int
    stems: int
    plots: int
    shingles: int


def count_leakage(splits: Mapping[str, Movies]) -> Leakage:
    """Count the values that several splits share; all are 0 if ingest grouped the movies well."""
    return Leakage(
        _count_shared(splits, lambda movies: ({key} for key in movies[raw.SPLIT_KEY])),
        _count_shared(splits, stems),
        _count_shared(
            splits, lambda movies: ({plot_words(plot)} - {""} for plot in movies[raw.PLOT])
        ),
        _count_shared(splits, shingles, MAX_SHINGLE_MOVIES),
    )


def stems(movies: Movies) -> Iterable[set[str]]:
    """Return the title stem of each movie; an empty set if it has no letters and digits."""
    return ({title_stem(title)} - {""} for title in movies[raw.TITLE])


def shingles(movies: Movies) -> Iterable[set[str]]:
    """Yield the sequences of `SHINGLE_WORDS` words in each plot."""
    for plot in movies[raw.PLOT]:
        tokens = plot_words(plot).split()
        starts = range(len(tokens) - SHINGLE_WORDS + 1)
        yield {" ".join(tokens[start : start + SHINGLE_WORDS]) for start in starts}


def _count_shared(
    splits: Mapping[str, Movies],
    values: Callable[[Movies], Iterable[set[str]]],
    too_common: float = float("inf"),
) -> int:
    """Count the values in several splits, without those of more than `too_common` movies."""
    splits_of_value: dict[bytes, list[str]] = defaultdict(list)
    for split, movies in splits.items():
        for of_movie in values(movies):
            for value in of_movie:
                digest = hashlib.blake2b(value.encode(), digest_size=8).digest()
                splits_of_value[digest].append(split)
    return sum(
        len(set(in_splits)) > 1 and len(in_splits) <= too_common
        for in_splits in splits_of_value.values()
    )
