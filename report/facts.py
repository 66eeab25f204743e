"""What a report is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy.typing as npt

from report.measures import Floats, Labels


@dataclass(frozen=True)
class Genre:
    """One genre in the gate's verdict; see `components.evaluator.decision.GenreVerdict`."""

    genre: str
    support: int
    f1: float
    precision: float
    recall: float
    auc_pr: float
    floor: float
    last_blessed: float | None
    simple_baseline: float | None
    judgement: str

    @property
    def hits(self) -> int:
        """Test films that have the genre and were given it."""
        return round(self.recall * self.support)

    @property
    def decided(self) -> int:
        """Test films that were given the genre."""
        return round(self.hits / self.precision) if self.precision else 0


@dataclass(frozen=True)
class Verdict:
    """What the gate decided; see `components.evaluator.decision.Verdict`."""

    blessed: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    examples: int
    genres: tuple[Genre, ...]
    macro_f1: float
    last_blessed_macro_f1: float | None
    simple_baseline_macro_f1: float | None
    aggregates: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """What became of the model after the gate.

    Attributes:
        version: the version that it was pushed as; empty if it was not.
        destination: folder of that version; empty if it was not pushed.
        reasons: why it was not pushed, where the gate had let it through; or what went wrong.
        failed: the node that ended the run, if one did.
    """

    version: str = ""
    destination: str = ""
    reasons: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class Films:
    """The films of the test split, with what the model says of them.

    Attributes:
        tconst: str objects [films], as is `title`.
        title: as given.
        labels: bool [films, genres].
        decided: bool [films, genres].
        probabilities: float [films, genres].
        scores: float [films, genres], above one half where decided.
    """

    tconst: npt.NDArray[Any]
    title: npt.NDArray[Any]
    labels: Labels
    decided: Labels
    probabilities: Floats
    scores: Floats


@dataclass(frozen=True)
class Slice:
    """Figures on some of the test films.

    Attributes:
        kind: what the films are sliced by.
        name: of the slice.
        films: how many.
        micro_f1: over all genres.
        f1: of each genre, [genres].
        support: films of each genre, [genres].
    """

    kind: str
    name: str
    films: int
    micro_f1: float
    f1: Floats
    support: Floats


@dataclass(frozen=True)
class Effect:
    """What leaving something out of a film does to a genre.

    Attributes:
        field: a raw feature.
        text: the word; empty where it is the whole field.
        difference: of the genre's log-odds, positive where it speaks for the genre.
    """

    field: str
    text: str
    difference: float


@dataclass(frozen=True)
class Example:
    """A film that the model did well or badly on.

    Attributes:
        tconst: of the film.
        title: of the film.
        listed: its genres.
        decided: genres that the model gave it.
        genre: the one that is explained.
        probability: of that genre.
        good: whether the model did well.
        effects: the strongest first.
    """

    tconst: str
    title: str
    listed: tuple[str, ...]
    decided: tuple[str, ...]
    genre: str
    probability: float
    good: bool
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Training:
    """How the model was trained, as `training.json` has it."""

    hparams: Mapping[str, Any]
    history: Mapping[str, list[float]]
    parameters: int
    seconds: float
    versions: Mapping[str, str]
    seconds_before: float = 0.0


@dataclass(frozen=True)
class Distance:
    """How far some data are from others, in one feature, and how far they may be."""

    compared: str
    feature: str
    kind: str
    value: float
    limit: float


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data; see `components.anomaly_gate.decision.Finding`."""

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
    """What the model was trained and judged on.

    Attributes:
        span: of the data.
        fingerprint: of the files that were read.
        folder: where they were.
        films: by split.
        genres: films of each genre, [genres] by split.
        anomalies: what TFDV found, in a line each.
        distances: between data sets.
        ingest: what was read, dropped and rejected; empty where it is not known.
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
class Timing:
    """How long a node took, when its result was made.

    Attributes:
        node: its name.
        seconds: of the execution that made the result.
        cached: whether this run took the result of an earlier one.
    """

    node: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Change:
    """Something that is not what it was; None where there is nothing."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Recipe:
    """What made a model, as ML Metadata has it.

    Attributes:
        model: folder of the model.
        made: when it was trained.
        run: the pipeline run that trained it.
        data: of the examples: `fingerprint`, `span`, `folder`.
        schema: path of the curated schema, named by its hash.
        code: fingerprint of the sources, by node.
        settings: parameters by `node.name`, without the code.
    """

    model: str
    made: datetime
    run: str
    data: Mapping[str, Any]
    schema: str
    code: Mapping[str, str]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything that a report tells.

    Attributes:
        name: of the model.
        written: when the report was.
        model: folder of the model.
        fingerprint: SHA-256 of that folder.
        verdict: of the gate.
        outcome: after the gate.
        films: of the test split.
        slices: of it.
        examples: of good and of bad predictions.
        training: of the model.
        last_training: of the last blessed model, if there is one.
        data: of this run.
        recipe: of the model; None without ML Metadata, as the next two.
        last_recipe: of the last blessed model.
        also_used: what else was made from the same data, in a line each.
        timings: of the run's nodes.
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
