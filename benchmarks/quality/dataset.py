"""The movies of a run, with all fields and with missing fields."""

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
from schema.text import clean_plot, clean_text

SEED: Final = 1
"""Seed of all random numbers."""

SPLITS: Final = tuple(Split)

SPARSE_MAX_CAST: Final = 4
"""Largest number of cast members of a movie in the sparse catalogue."""

Movies: TypeAlias = pd.DataFrame
"""Movies with the columns of `schema.features.CSV_COLUMNS` and an index from 0.

Texts are `str` objects, empty if missing; numbers are float32, NaN if missing.
"""


def genres(movies: Movies) -> npt.NDArray[np.bool_]:
    """Return the labels of movies, bool [movies, 22]."""
    return binarize_genres(movies[raw.GENRES_FIELD].tolist())


def people(movies: Movies, field: str) -> list[list[str]]:
    """Return the names in a field, one list per movie."""
    return [
        [name for part in joined.split(raw.LIST_SEPARATOR) if (name := part.strip())]
        for joined in movies[field]
    ]


def load_splits(examples: Path) -> dict[str, Movies]:
    """Load the splits of a run from the directory of CsvExampleGen's artifact.

    Plots and titles are cleaned, as the model reads them.

    Raises:
        UserError: A split has no movies.
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
            raise UserError(f"{examples}: the split {split} has no movies. Use more movies.")
        movies[raw.PLOT] = movies[raw.PLOT].map(clean_plot)
        movies[raw.TITLE] = movies[raw.TITLE].map(clean_text)
    return splits


def keep_plot_and_title(movies: Movies) -> Movies:
    """Return the movies with all fields missing except plot and title."""
    missing = dict.fromkeys(raw.PEOPLE, "") | dict.fromkeys(raw.NUMBERS, np.float32(np.nan))
    return movies.assign(**missing)


def make_sparse(movies: Movies) -> Movies:
    """Return the movies with the gaps of a small catalogue.

    Writers are missing, and the cast has at most `SPARSE_MAX_CAST` names. A third of the movies
    have no rating and votes, half have only names that no other movie has, and a third have only
    the first half of their plot. The hash of a movie's tconst decides which of these three apply.
    """
    ids = movies[raw.TCONST]
    unrated, unseen_people, short_plot = (
        np.array([_hash_fraction(tconst, purpose) < share for tconst in ids], bool)
        for purpose, share in (("rating", 1 / 3), ("people", 1 / 2), ("plot", 1 / 3))
    )
    changed: dict[str, Any] = {raw.WRITERS: ""}
    for field, count in ((raw.DIRECTORS, None), (raw.CAST, SPARSE_MAX_CAST)):
        changed[field] = [
            raw.LIST_SEPARATOR.join(
                [f"{field} {number} of {tconst}" for number in range(len(names[:count]))]
                if unseen
                else names[:count]
            )
            for tconst, names, unseen in zip(ids, people(movies, field), unseen_people, strict=True)
        ]
    plots = zip((plot.split(" ") for plot in movies[raw.PLOT]), short_plot, strict=True)
    changed[raw.PLOT] = [
        " ".join(words[: -(-len(words) // 2)] if short else words) for words, short in plots
    ]
    for name in (raw.RATING, raw.VOTES):
        changed[name] = movies[name].mask(unrated)
    return movies.assign(**changed)


def _hash_fraction(tconst: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends only on the movie and the purpose."""
    digest = hashlib.sha256(f"{purpose} {tconst}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


View = tuple[str, str]
"""A split and an input variant, which is a key of `INPUT_VARIANTS`."""

ALL_FIELDS: Final = "all fields"
PLOT_AND_TITLE: Final = "plot and title only"
SPARSE: Final = "sparse catalogue"
INPUT_VARIANTS: Final[Mapping[str, Callable[[Movies], Movies]]] = {
    ALL_FIELDS: lambda movies: movies,
    PLOT_AND_TITLE: keep_plot_and_title,
    SPARSE: make_sparse,
}
"""Functions that remove fields of the eval and test movies. All models are fitted on all fields."""

TRAIN_VIEW: Final[View] = (Split.TRAIN, ALL_FIELDS)
TEST_VIEW: Final[View] = (Split.TEST, ALL_FIELDS)


def make_views(splits: Mapping[str, Movies]) -> dict[View, Movies]:
    """Return the training split with all fields, and the other splits in each input variant."""
    return {TRAIN_VIEW: splits[Split.TRAIN]} | {
        (split, variant): remove_fields(splits[split])
        for split in (Split.EVAL, Split.TEST)
        for variant, remove_fields in INPUT_VARIANTS.items()
    }
