"""What a report is made from, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy.typing as npt

from metadata import ModelLineage, NodeTiming
from report import metrics
from report.metrics import Floats, Labels
from schema import verdict


@dataclass(frozen=True)
class Genre(verdict.GenreVerdict):
    """One genre in the verdict of the gate.

    `hits` and `predicted` count the test movies that have the genre and were predicted to, and
    those that were predicted to.
    """

    hits: int
    predicted: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of F1."""
        low, high = metrics.f1_interval(self.hits, self.support, self.predicted)
        return float(low), float(high)


@dataclass(frozen=True)
class Verdict(verdict.Verdict):
    """What the gate decided, with the counts of each genre."""

    genres: tuple[Genre, ...]


@dataclass(frozen=True)
class Outcome:
    """What happened to the model after the gate.

    Attributes:
        version: the version that it was pushed as, with its folder; both are empty if it was not.
        reasons: why a blessed model was not pushed, or the error that ended the run.
        failed: id of the node that ended the run with an error; empty if none did.
    """

    version: str = ""
    destination: str = ""
    reasons: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class Movies:
    """The movies of the test split with the model's predictions.

    `tconst` and `title` are str objects [movies]; the movies' own genres, `labels`, and those that
    were predicted are bool [movies, genres]; probabilities and decision scores, above one half if
    predicted, float [movies, genres].
    """

    tconst: npt.NDArray[Any]
    title: npt.NDArray[Any]
    labels: Labels
    predicted: Labels
    probabilities: Floats
    scores: Floats


@dataclass(frozen=True)
class Slice:
    """Metrics on a slice of the test movies; `kind` is what they are sliced by, such as `decade`.

    `f1` and the number of movies, `support`, are arrays [genres].
    """

    kind: str
    name: str
    movies: int
    micro_f1: float
    f1: Floats
    support: Floats


@dataclass(frozen=True)
class Effect:
    """What leaving out a word, or a whole field if `text` is empty, changes for a genre.

    `difference` is that of the genre's log-odds, positive for what speaks for the genre.
    """

    field: str
    text: str
    difference: float


@dataclass(frozen=True)
class ShownMovie:
    """A movie, the genres it is listed under, and the probability of one `genre`."""

    tconst: str
    title: str
    listed: tuple[str, ...]
    genre: str
    probability: float


@dataclass(frozen=True)
class Example(ShownMovie):
    """A movie with a good or a bad prediction, explained by its effects on `genre`.

    The strongest effects come first.
    """

    predicted: tuple[str, ...]
    good: bool
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Training:
    """How the model was trained, as `training.json` has it.

    Attributes:
        history: learning curves by name, one value per epoch.
        parameters: number of the model's parameters.
        cached_finetuning_seconds: Duration of an earlier training's fine-tuning of the sentence
            encoder if its weights were used; else 0.
        best_epoch: Index of the epoch whose weights were kept.
    """

    hparams: Mapping[str, Any]
    history: Mapping[str, list[float]]
    parameters: int
    seconds: float
    versions: Mapping[str, str]
    cached_finetuning_seconds: float = 0.0
    best_epoch: int = 0

    @property
    def encoders(self) -> str:
        """The settings of what reads the plot; records of older models name `text_encoder`."""
        names = ("word_encoder", "sentence_encoder", "text_encoder")
        given = {name: self.hparams[name] for name in names if name in self.hparams}
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items())

    @property
    def finetuned(self) -> str:
        """Name of the sentence encoder."""
        names = {"minilm": "MiniLM", "mpnet": "MPNet"}
        return names.get(str(self.hparams.get("sentence_encoder")), "the sentence encoder")


@dataclass(frozen=True)
class Distance:
    """How far one data set is from another in one feature, and the limit of that."""

    compared: str
    feature: str
    kind: str
    value: float
    limit: float


@dataclass(frozen=True)
class Finding:
    """An anomaly of the data, see `components.anomaly_gate.decision.Finding`."""

    splits: tuple[str, ...]
    feature: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Ended:
    """A node of a run, how it ended (`done`, `cached` or `failed`), and how long it took."""

    node: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Data:
    """The data that the model was trained and judged on.

    Attributes:
        fingerprint: fingerprint of the files that were read, which are in `folder`.
        movies: number of movies, by split.
        genres: number of movies of each genre, [genres] by split in the order of `movies`.
        anomalies: what TFDV found, one line each.
        ingest: ingest's report of what was read, dropped and rejected; empty if it is not known.
    """

    span: int
    fingerprint: str
    folder: str
    movies: Mapping[str, int]
    genres: Mapping[str, Floats]
    anomalies: tuple[str, ...]
    distances: tuple[Distance, ...]
    ingest: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything that a report contains.

    Attributes:
        model: folder of the model, whose SHA-256 is the fingerprint.
        movies: the test split.
        last_training: how the last blessed model was trained; None if there is no such model.
        recipe: what the model was made from; None without ML Metadata.
        last_recipe: the same of the last blessed model.
        also_used: the other models that were trained on the same data, one line each.
        timings: duration of each of the run's nodes.
    """

    name: str
    written: datetime
    model: str
    fingerprint: str
    verdict: Verdict
    outcome: Outcome
    movies: Movies
    slices: tuple[Slice, ...]
    examples: tuple[Example, ...]
    training: Training
    last_training: Training | None
    data: Data
    recipe: ModelLineage | None
    last_recipe: ModelLineage | None
    also_used: tuple[str, ...]
    timings: tuple[NodeTiming, ...]
