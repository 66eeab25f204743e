"""The films of a run, and what they look like where fields are missing."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from tfx.types import artifact_utils, standard_artifacts

from components import examples as example_files
from components.simple_baseline.model import labels
from schema import features as raw
from schema.errors import UserError
from schema.names import Split

SEED: Final = 1
"""Of everything random."""

SPLITS: Final = tuple(Split)
SPARSE_CAST: Final = 4

Films: TypeAlias = pd.DataFrame
"""Films with the columns of `schema.features.CSV_COLUMNS`, numbered from 0 on.

They are `str` objects, empty where not known; numbers are float32, NaN where not known.
"""


def genres(films: Films) -> npt.NDArray[np.bool_]:
    """Which genres each film has, bool [films, 22]."""
    return labels(films[raw.GENRES_FIELD].tolist())


def people(films: Films, field: str) -> list[list[str]]:
    """The names of a field, film by film."""
    return [
        [name for part in joined.split(raw.LIST_SEPARATOR) if (name := part.strip())]
        for joined in films[field]
    ]


def of_run(examples: Path) -> dict[str, Films]:
    """The splits of a run, from the folder of CsvExampleGen's artifact.

    Raises:
        UserError: a split has no films.
    """
    artifact = standard_artifacts.Examples()
    artifact.uri = str(examples)
    artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
    splits: dict[str, Films] = {
        split: pd.DataFrame(example_files.columns(artifact, split, raw.CSV_COLUMNS))
        for split in SPLITS
    }
    for split, films in splits.items():
        if films.empty:
            raise UserError(f"The split {split} in {examples} has no films. Give more films.")
    return splits


def plot_and_title(films: Films) -> Films:
    """The films with everything else hidden."""
    hidden = dict.fromkeys(raw.PEOPLE, "") | dict.fromkeys(raw.NUMBERS, np.float32(np.nan))
    return films.assign(**hidden)


def sparse(films: Films) -> Films:
    """The films as a small catalogue might have them.

    No writers; at most four of the cast; no rating and votes in a third; all names ones that no
    other film has in half; and a third of the plots cut off in the middle. Which films are hit is
    drawn by the hash of their tconst, for each of the three by itself.
    """
    ids = films[raw.TCONST]
    unrated, strange, cut = (
        np.array([_draw(tconst, what) < share for tconst in ids], bool)
        for what, share in (("rating", 1 / 3), ("people", 1 / 2), ("plot", 1 / 3))
    )
    changed: dict[str, Any] = {raw.WRITERS: ""}
    for field, most in ((raw.DIRECTORS, None), (raw.CAST, SPARSE_CAST)):
        changed[field] = [
            raw.LIST_SEPARATOR.join(
                [f"{field} {number} of {tconst}" for number in range(len(names[:most]))]
                if unseen
                else names[:most]
            )
            for tconst, names, unseen in zip(ids, people(films, field), strange, strict=True)
        ]
    plots = [(plot.split(" "), short) for plot, short in zip(films[raw.PLOT], cut, strict=True)]
    changed[raw.PLOT] = [
        " ".join(words[: -(-len(words) // 2)] if short else words) for words, short in plots
    ]
    for name in (raw.RATING, raw.VOTES):
        changed[name] = films[name].mask(unrated)
    return films.assign(**changed)


def _draw(tconst: str, what: str) -> float:
    """A number in [0, 1) that is always the same for a film and what is drawn."""
    digest = hashlib.sha256(f"{what} {tconst}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


View = tuple[str, str]
"""A split, and what is known of its films: a name in `INPUTS`."""

ALL_FIELDS: Final = "all fields"
PLOT_AND_TITLE: Final = "plot and title only"
SPARSE: Final = "sparse catalogue"
INPUTS: Final[Mapping[str, Callable[[Films], Films]]] = {
    ALL_FIELDS: lambda films: films,
    PLOT_AND_TITLE: plot_and_title,
    SPARSE: sparse,
}
"""What is known of each film of the eval and test splits; all arms are fitted on all fields."""

TRAINING: Final[View] = (Split.TRAIN, ALL_FIELDS)
JUDGED: Final[View] = (Split.TEST, ALL_FIELDS)


def views(splits: Mapping[str, Films]) -> dict[View, Films]:
    """What the arms read: the training split with all fields, the others with each input."""
    return {TRAINING: splits[Split.TRAIN]} | {
        (split, known): hide(splits[split])
        for split in (Split.EVAL, Split.TEST)
        for known, hide in INPUTS.items()
    }
