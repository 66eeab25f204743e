"""Whether films that are all but the same stand in different splits."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from benchmarks.quality.films import Films
from ingest.clean import words
from ingest.split_key import TOO_COMMON, WINDOW, stem
from schema import features as raw


@dataclass(frozen=True)
class Leakage:
    """What stands in two splits or more, counted.

    Attributes:
        keys: split keys.
        stems: title stems.
        plots: plots with the same words.
        windows: stretches of `WINDOW` words that at most `TOO_COMMON` films share.
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
        _straddling(splits, plots),
        _straddling(splits, windows, TOO_COMMON),
    )


def stems(films: Films) -> Iterable[set[str]]:
    """The title stem of each film; none of a title without letters and digits."""
    return ({stem(title)} - {""} for title in films[raw.TITLE])


def plots(films: Films) -> Iterable[set[str]]:
    """The words of each plot as one text."""
    return ({words(plot)} - {""} for plot in films[raw.PLOT])


def windows(films: Films) -> Iterable[set[str]]:
    """The stretches of `WINDOW` words in each plot."""
    for plot in films[raw.PLOT]:
        told = words(plot).split()
        yield {" ".join(told[start : start + WINDOW]) for start in range(len(told) - WINDOW + 1)}


def _straddling(
    splits: Mapping[str, Films],
    values: Callable[[Films], Iterable[set[str]]],
    too_common: int | None = None,
) -> int:
    """How many values films of two splits have, but for those of more than `too_common` films."""
    seen: dict[bytes, list[int]] = defaultdict(lambda: [0, 0])
    for number, films in enumerate(splits.values()):
        for of_film in values(films):
            for value in of_film:
                counted = seen[hashlib.blake2b(value.encode(), digest_size=8).digest()]
                counted[0] += 1
                counted[1] |= 1 << number
    return sum(
        where.bit_count() > 1
        for count, where in seen.values()
        if too_common is None or count <= too_common
    )
