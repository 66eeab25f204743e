"""What a report is made from, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy.typing as npt

from metadata import Recipe, Timing
from report import metrics
from report.metrics import Floats, Labels
from schema import verdict

_ENCODERS: Final = {"minilm": "MiniLM", "mpnet": "MPNet"}


@dataclass(frozen=True)
class Genre(verdict.GenreVerdict):
    """One genre in the verdict of the gate.

    `hits` and `predicted` count the test films that have the genre and were predicted to, and those
    that were predicted to.
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
        version: the version that it was pushed as; empty if it was not.
        destination: folder of that version; empty if it was not pushed.
        reasons: why a blessed model was not pushed, or the error that ended the run.
        failed: id of the node that ended the run with an error; empty if none did.
    """

    version: str = ""
    destination: str = ""
    reasons: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class Films:
    """The films of the test split with the model's predictions.

    Attributes:
        tconst: IMDb's ids, str objects [films].
        title: titles, str objects [films].
        labels: the films' genres, bool [films, genres].
        predicted: the predicted genres, bool [films, genres].
        probabilities: float [films, genres].
        scores: decision scores, float [films, genres], above one half if predicted.
    """

    tconst: npt.NDArray[Any]
    title: npt.NDArray[Any]
    labels: Labels
    predicted: Labels
    probabilities: Floats
    scores: Floats


@dataclass(frozen=True)
class Slice:
    """Metrics on a slice of the test films.

    Attributes:
        kind: what the films are sliced by.
        name: name of the slice.
        films: number of films.
        micro_f1: micro-F1 over all genres.
        f1: F1 of each genre, [genres].
        support: number of films of each genre, [genres].
    """

    kind: str
    name: str
    films: int
    micro_f1: float
    f1: Floats
    support: Floats


@dataclass(frozen=True)
class Effect:
    """What leaving something out of a film changes for a genre.

    Attributes:
        field: a raw feature.
        text: the word; empty if the whole field is left out.
        difference: difference of the genre's log-odds, positive for what speaks for the genre.
    """

    field: str
    text: str
    difference: float


@dataclass(frozen=True)
class Example:
    """A film with a good or a bad prediction.

    Attributes:
        tconst: IMDb's id.
        title: its title.
        listed: its genres.
        predicted: the genres that the model predicted.
        genre: the genre that is explained.
        probability: probability of that genre.
        good: whether the prediction is a good one.
        effects: the effects on that genre, the strongest first.
    """

    tconst: str
    title: str
    listed: tuple[str, ...]
    predicted: tuple[str, ...]
    genre: str
    probability: float
    good: bool
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Doubt:
    """A film whose label is wrong according to the model.

    Attributes:
        tconst: IMDb's id.
        title: its title.
        genre: the genre in doubt.
        listed: its genres.
        probability: probability of the genre in doubt.
    """

    tconst: str
    title: str
    genre: str
    listed: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class Training:
    """How the model was trained, as `training.json` has it.

    Attributes:
        hparams: hyperparameters.
        history: learning curves by name, one value for each pass.
        parameters: number of parameters.
        seconds: how long it took.
        versions: versions of libraries.
        seconds_before: how long an earlier training took to fine-tune the sentence encoder, if its
            result was used.
        best_pass: index of the pass whose weights were kept.
    """

    hparams: Mapping[str, Any]
    history: Mapping[str, list[float]]
    parameters: int
    seconds: float
    versions: Mapping[str, str]
    seconds_before: float = 0.0
    best_pass: int = 0

    @property
    def encoders(self) -> str:
        """The settings of what reads the plot; records of older models name `text_encoder`."""
        names = ("word_encoder", "sentence_encoder", "text_encoder")
        return ", ".join(
            f"{name.replace('_', ' ')} {self.hparams[name]}"
            for name in names
            if name in self.hparams
        )

    @property
    def finetuned(self) -> str:
        """Name of the sentence encoder."""
        recorded = str(self.hparams.get("sentence_encoder"))
        return _ENCODERS.get(recorded, "the sentence encoder")


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
        span: span of the examples.
        fingerprint: fingerprint of the files that were read.
        folder: folder of these files.
        films: number of films, by split.
        genres: number of films of each genre, [genres] by split.
        anomalies: what TFDV found, one line each.
        distances: distances between data sets.
        ingest: ingest's report of what was read, dropped and rejected; empty if it is not known.
    """

    span: int
    fingerprint: str
    folder: str
    films: Mapping[str, int]
    genres: Mapping[str, Floats]
    anomalies: tuple[str, ...]
    distances: tuple[Distance, ...]
    ingest: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything that a report contains.

    Attributes:
        name: name of the model.
        written: when the report was written.
        model: folder of the model.
        fingerprint: SHA-256 of that folder.
        verdict: what the gate decided.
        outcome: what happened after the gate.
        films: the test split.
        slices: slices of the test split.
        examples: films with good and with bad predictions.
        training: how the model was trained.
        last_training: how the last blessed model was trained, if there is one.
        data: the data of this run.
        recipe: what the model was made from; None without ML Metadata.
        last_recipe: what the last blessed model was made from; None without ML Metadata.
        also_used: the other models that were trained on the same data, one line each.
        timings: duration of the run's nodes.
    """

    name: str
    written: datetime
    model: str
    fingerprint: str
    verdict: Verdict
    outcome: Outcome
    films: Films
    slices: tuple[Slice, ...]
    examples: tuple[Example, ...]
    training: Training
    last_training: Training | None
    data: Data
    recipe: Recipe | None
    last_recipe: Recipe | None
    also_used: tuple[str, ...]
    timings: tuple[Timing, ...]
