"""The movies of a run, and what they look like where fields are missing."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from tfx.types import artifact_utils, standard_artifacts

from components import examples as example_files
from components.simple_baseline.model import binarize_genres
from schema import features as raw
from schema.errors import UserError
from schema.names import Split

SEED: Final = 1
"""Of everything random."""

SPLITS: Final = tuple(Split)
SPARSE_CAST: Final = 4

Movies: TypeAlias = pd.DataFrame
"""Movies with the columns of `schema.features.CSV_COLUMNS`, numbered from 0 on.

They are `str` objects, empty where not known; numbers are float32, NaN where not known.
"""


def genres(movies: Movies) -> npt.NDArray[np.bool_]:
    """Which genres each movie has, bool [movies, 22]."""
    return binarize_genres(movies[raw.GENRES_FIELD].tolist())


def people(movies: Movies, field: str) -> list[list[str]]:
    """The names of a field, movie by movie."""
    return [
        [name for part in joined.split(raw.LIST_SEPARATOR) if (name := part.strip())]
        for joined in movies[field]
    ]


def of_run(examples: Path) -> dict[str, Movies]:
    """The splits of a run, from the folder of CsvExampleGen's artifact.

    Raises:
        UserError: a split has no movies.
    """
    artifact = standard_artifacts.Examples()
    artifact.uri = str(examples)
    artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
    splits: dict[str, Movies] = {
        split: pd.DataFrame(example_files.read_columns(artifact, split, raw.CSV_COLUMNS))
        for split in SPLITS
    }
    for split, movies in splits.items():
        if movies.empty:
            raise UserError(f"The split {split} in {examples} has no movies. Give more movies.")
    return splits


def plot_and_title(movies: Movies) -> Movies:
    """The movies with everything else hidden."""
    hidden = dict.fromkeys(raw.PEOPLE, "") | dict.fromkeys(raw.NUMBERS, np.float32(np.nan))
    return movies.assign(**hidden)


def sparse(movies: Movies) -> Movies:
    """The movies as a small catalogue might have them.

    No writers; at most four of the cast; no rating and votes in a third; all names ones that no
    other movie has in half; and a third of the plots cut off in the middle. Which movies are hit is
    drawn by the hash of their tconst, for each of the three by itself.
    """
    ids = movies[raw.TCONST]
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
            for tconst, names, unseen in zip(ids, people(movies, field), strange, strict=True)
        ]
    plots = [(plot.split(" "), short) for plot, short in zip(movies[raw.PLOT], cut, strict=True)]
    changed[raw.PLOT] = [
        " ".join(words[: -(-len(words) // 2)] if short else words) for words, short in plots
    ]
    for name in (raw.RATING, raw.VOTES):
        changed[name] = movies[name].mask(unrated)
    return movies.assign(**changed)


def _draw(tconst: str, what: str) -> float:
    """A number in [0, 1) that is always the same for a movie and what is drawn."""
    digest = hashlib.sha256(f"{what} {tconst}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


View = tuple[str, str]
"""A split, and what is known of its movies: a name in `INPUTS`."""

ALL_FIELDS: Final = "all fields"
PLOT_AND_TITLE: Final = "plot and title only"
SPARSE: Final = "sparse catalogue"
INPUTS: Final[Mapping[str, Callable[[Movies], Movies]]] = {
    ALL_FIELDS: lambda movies: movies,
    PLOT_AND_TITLE: plot_and_title,
    SPARSE: sparse,
}
"""What is known of each movie of the eval and test splits; all arms are fitted on all fields."""

TRAINING: Final[View] = (Split.TRAIN, ALL_FIELDS)
JUDGED: Final[View] = (Split.TEST, ALL_FIELDS)


def views(splits: Mapping[str, Movies]) -> dict[View, Movies]:
    """What the arms read: the training split with all fields, the others with each input."""
    return {TRAINING: splits[Split.TRAIN]} | {
        (split, known): hide(splits[split])
        for split in (Split.EVAL, Split.TEST)
        for known, hide in INPUTS.items()
    }
