"""Whether films that are all but the same stand in different splits."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from benchmarks.quality.films import Films
from ingest.clean import words
from ingest.split_key import TOO_COMMON, WINDOW, stem
from schema import features as raw


class Leakage(NamedTuple):
    """Split keys, title stems, plots with the same words, and stretches of `WINDOW` words.

    Counted are those in two splits or more; stretches that at most `TOO_COMMON` films share.
    """

    keys: int
    stems: int
    plots: int
    windows: int


def leakage(splits: Mapping[str, Films]) -> Leakage:
    """Count what straddles the splits; all four are 0 where ingest grouped the films well."""
    return Leakage(
        _straddling(splits, lambda films: ({key} for key in films[raw.SPLIT_KEY])),
        _straddling(splits, stems),
        _straddling(splits, lambda films: ({words(plot)} - {""} for plot in films[raw.PLOT])),
        _straddling(splits, windows, TOO_COMMON),
    )


def stems(films: Films) -> Iterable[set[str]]:
    """The title stem of each film; none of a title without letters and digits."""
    return ({stem(title)} - {""} for title in films[raw.TITLE])


def windows(films: Films) -> Iterable[set[str]]:
    """The stretches of `WINDOW` words in each plot."""
    for plot in films[raw.PLOT]:
        told = words(plot).split()
        yield {" ".join(told[start : start + WINDOW]) for start in range(len(told) - WINDOW + 1)}


def _straddling(
    splits: Mapping[str, Films],
    values: Callable[[Films], Iterable[set[str]]],
    too_common: float = float("inf"),
) -> int:
    """How many values films of two splits have, but for those of more than `too_common` films."""
    seen: dict[bytes, list[str]] = defaultdict(list)
    for split, films in splits.items():
        for of_film in values(films):
            for value in of_film:
                seen[hashlib.blake2b(value.encode(), digest_size=8).digest()].append(split)
    return sum(len(set(found)) > 1 and len(found) <= too_common for found in seen.values())
