"""The films of a run, and what they look like where fields are missing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tfx.types import artifact_utils, standard_artifacts

from components import examples as example_files
from components.simple_baseline.model import labels
from schema import features as raw
from schema.errors import UserError
from schema.names import Split

SPLITS: Final = tuple(Split)

ALL_FIELDS: Final = "all fields"
PLOT_AND_TITLE: Final = "plot and title"
SPARSE: Final = "sparse"
INPUTS: Final = (ALL_FIELDS, PLOT_AND_TITLE, SPARSE)
"""What is known of each film of the eval and test splits; all arms are fitted on all fields."""

SPARSE_CAST: Final = 4

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Films:
    """Films as columns.

    Attributes:
        columns: by the names of `schema.features`: `str` objects, empty where not known; for
            numbers float32, NaN where not known.
    """

    columns: Columns

    def __len__(self) -> int:
        return len(self.columns[raw.TCONST])

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """Genres, bool [films, 22]."""
        return labels(self[raw.GENRES_FIELD].tolist())

    def people(self, field: str) -> list[list[str]]:
        """The names of a field, film by film."""
        return [
            [name for part in joined.split(raw.LIST_SEPARATOR) if (name := part.strip())]
            for joined in self[field]
        ]

    def changed(self, **columns: npt.NDArray[Any]) -> "Films":
        """The same films with other values in some columns."""
        return replace(self, columns={**self.columns, **columns})


def of_run(examples: Path) -> dict[str, Films]:
    """The splits of a run.

    Args:
        examples: folder of CsvExampleGen's artifact.

    Raises:
        UserError: a split has no films.
    """
    artifact = standard_artifacts.Examples()
    artifact.uri = str(examples)
    artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
    splits: dict[str, Films] = {
        split: Films(example_files.columns(artifact, split, raw.CSV_COLUMNS)) for split in SPLITS
    }
    for split, films in splits.items():
        if not len(films):
            raise UserError(f"The split {split} in {examples} has no films. Give more films.")
    return splits


def together(splits: Mapping[str, Films]) -> Films:
    """The films of all splits, one after another."""
    names = next(iter(splits.values())).columns
    return Films(
        {name: np.concatenate([films[name] for films in splits.values()]) for name in names}
    )


def views(splits: Mapping[str, Films]) -> dict[tuple[str, str], Films]:
    """What the arms read, by split and input: `train` with all fields, the others with each."""
    makers = {ALL_FIELDS: lambda films: films, PLOT_AND_TITLE: plot_and_title, SPARSE: sparse}
    return {(Split.TRAIN, ALL_FIELDS): splits[Split.TRAIN]} | {
        (split, name): makers[name](splits[split])
        for split in (Split.EVAL, Split.TEST)
        for name in INPUTS
    }


def plot_and_title(films: Films) -> Films:
    """The films with everything else hidden."""
    hidden = set(raw.MODEL_INPUTS) - set(raw.TEXTS)
    return films.changed(**{name: _unknown(name, len(films)) for name in hidden})


def sparse(films: Films) -> Films:
    """The films as a small catalogue might have them.

    No writers; at most four of the cast; no rating and votes in a third; all names ones that no
    other film has in half; and a third of the plots cut off in the middle. Which films are hit is
    drawn by the hash of their tconst, for each of the three by itself.
    """
    ids = films[raw.TCONST]
    unrated = np.array([_draw(tconst, "rating") < 1 / 3 for tconst in ids], dtype=bool)
    strange = [_draw(tconst, "people") < 1 / 2 for tconst in ids]
    cut = [_draw(tconst, "plot") < 1 / 3 for tconst in ids]
    people = {raw.DIRECTORS: films.people(raw.DIRECTORS)}
    people[raw.CAST] = [names[:SPARSE_CAST] for names in films.people(raw.CAST)]
    columns = {
        field: _texts(
            raw.LIST_SEPARATOR.join(_strangers(tconst, field, names) if unseen else names)
            for tconst, names, unseen in zip(ids, of_films, strange, strict=True)
        )
        for field, of_films in people.items()
    }
    columns[raw.WRITERS] = _unknown(raw.WRITERS, len(films))
    columns[raw.PLOT] = _texts(
        _half(plot) if short else plot for plot, short in zip(films[raw.PLOT], cut, strict=True)
    )
    for name in (raw.RATING, raw.VOTES):
        columns[name] = np.where(unrated, np.float32(np.nan), films[name])
    return films.changed(**columns)


def _draw(tconst: str, what: str) -> float:
    """A number in [0, 1) that is always the same for a film and what is drawn."""
    digest = hashlib.sha256(f"{what} {tconst}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _strangers(tconst: str, field: str, names: list[str]) -> list[str]:
    return [f"{field} {number} of {tconst}" for number, _ in enumerate(names)]


def _half(plot: str) -> str:
    """The first half of the words; the whole of a plot of one word."""
    words = plot.split(" ")
    return " ".join(words[: -(-len(words) // 2)])


def _unknown(name: str, rows: int) -> npt.NDArray[Any]:
    if name in raw.NUMBERS:
        return np.full(rows, np.nan, np.float32)
    return np.full(rows, "", dtype=object)


def _texts(values: Any) -> npt.NDArray[Any]:
    return np.array(list(values), dtype=object)
