"""The content of a model report, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy.typing as npt

from metadata import ModelLineage, NodeTiming
from report import metrics
from report.metrics import Floats, Labels
from schema import verdict


@dataclass(frozen=True)
class GenreResult(verdict.GenreVerdict):
    """The gate's verdict on one genre, with the counts that F1 is computed from.

    Attributes:
        true_positives: Number of test movies that have the genre and for which it is predicted.
        predicted_positives: Number of test movies for which the genre is predicted.
    """

    true_positives: int
    predicted_positives: int

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95% confidence interval of F1."""
        low, high = metrics.f1_interval(self.true_positives, self.support, self.predicted_positives)
        return float(low), float(high)


@dataclass(frozen=True)
class ReportVerdict(verdict.Verdict):
    """The gate's verdict, with the counts of each genre."""

    genres: tuple[GenreResult, ...]


@dataclass(frozen=True)
class PushResult:
    """What happened to the model after the gate.

    Attributes:
        version: Version under which the model was pushed; empty if it was not pushed.
        destination: Directory of the pushed version; empty if the model was not pushed.
        reasons: Reasons why a blessed model was not pushed, or the error that ended the run.
        failed_node: Id of the node that ended the run with an error; empty if no node failed.
    """

    version: str = ""
    destination: str = ""
    reasons: tuple[str, ...] = ()
    failed_node: str = ""


@dataclass(frozen=True)
class Predictions:
    """The movies of the test split with uncorrected genres, and the model's predictions.

    Attributes:
        tconst: str objects [movies]. IMDb's ids.
        title: str objects [movies]. Titles.
        labels: bool [movies, genres]. Genres under which the movies are listed.
        predicted: bool [movies, genres]. Predicted genres.
        probabilities: float [movies, genres]. Probability of each genre.
        scores: float [movies, genres]. Decision scores, at least 0.5 if the genre is predicted.
    """

    tconst: npt.NDArray[Any]
    title: npt.NDArray[Any]
    labels: Labels
    predicted: Labels
    probabilities: Floats
    scores: Floats

    def select_genres(self, columns: Sequence[int]) -> "Predictions":
        """Return a copy with only some columns of the genres."""
        names = ("labels", "predicted", "probabilities", "scores")
        return replace(self, **{name: getattr(self, name)[:, columns] for name in names})


@dataclass(frozen=True)
class SliceMetrics:
    """Metrics on a slice of the test movies.

    Attributes:
        feature: What the movies are sliced by, such as `decade`.
        value: Value of the feature in this slice, such as `1950s`.
        movies: Number of movies in the slice.
        micro_f1: Micro-averaged F1.
        f1: float [genres]. F1 of each genre.
        support: int [genres]. Number of movies of each genre.
    """

    feature: str
    value: str
    movies: int
    micro_f1: float
    f1: Floats
    support: Floats

    def select_genres(self, columns: Sequence[int]) -> "SliceMetrics":
        """Return a copy with only some columns of the genres."""
        return replace(self, f1=self.f1[columns], support=self.support[columns])


@dataclass(frozen=True)
class OcclusionEffect:
    """How a word or a whole field changes the probability of one genre.

    Attributes:
        field: Name of the field.
        word: Word in lower case, or "function words"; empty for the whole field.
        probability: Probability of the genre without the word or field.
        difference: Log-odds with the word or field minus the log-odds without it.
        is_noise: Whether a change of punctuation changes the log-odds as much.
    """

    field: str
    word: str
    probability: float
    difference: float
    is_noise: bool


@dataclass(frozen=True)
class MovieProbability:
    """A movie and the predicted probability of one genre.

    Attributes:
        tconst: IMDb's id of the movie.
        title: Title of the movie.
        listed: Genres under which the movie is listed.
        genre: Name of the genre.
        probability: Predicted probability of the genre.
    """

    tconst: str
    title: str
    listed: tuple[str, ...]
    genre: str
    probability: float


@dataclass(frozen=True)
class ExplainedMovie(MovieProbability):
    """A movie with its predicted genres and an explanation of the probability of one genre.

    Attributes:
        predicted: Predicted genres.
        correct: Whether the predicted genres are the listed ones.
        effects: Effects of fields and words on `genre`, the strongest first.
    """

    predicted: tuple[str, ...]
    correct: bool
    effects: tuple[OcclusionEffect, ...]


@dataclass(frozen=True)
class TrainingRecord:
    """How the model was trained, as `training.json` records it.

    Attributes:
        hparams: Values of the hyperparameters by name.
        history: Learning curves by name, with one value per epoch.
        parameters: Number of the model's parameters.
        seconds: Duration of the training.
        versions: Versions of libraries by name.
        cached_finetuning_seconds: Duration of an earlier training's fine-tuning of the sentence
            encoder if its weights were used; 0 otherwise.
        best_epoch: Index of the epoch whose weights the model has.
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
        """Names and values of the encoder settings. Old records have only `text_encoder`."""
        names = ("word_encoder", "sentence_encoder", "text_encoder")
        values = {name: self.hparams[name] for name in names if name in self.hparams}
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())

    @property
    def sentence_encoder(self) -> str:
        """Display name of the sentence encoder."""
        names = {"minilm": "MiniLM", "mpnet": "MPNet"}
        return names.get(str(self.hparams.get("sentence_encoder")), "the sentence encoder")


@dataclass(frozen=True)
class DistributionDistance:
    """The distance between the distributions of one feature in two data sets.

    Attributes:
        compared: Names of the data sets, such as `eval and train`.
        feature: Name of the feature.
        measure: Name of the distance, such as `jensen_shannon_divergence`.
        value: Distance.
        limit: Largest distance that is allowed.
    """

    compared: str
    feature: str
    measure: str
    value: float
    limit: float


@dataclass(frozen=True)
class Anomaly:
    """An anomaly that stopped a run.

    Attributes:
        splits: Splits that have the anomaly.
        feature: Name of the feature.
        problem: Description of the anomaly.
        remedy: Instruction for the user.
    """

    splits: tuple[str, ...]
    feature: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class NodeResult:
    """The result of one node of a run.

    Attributes:
        node: Id of the node.
        status: `done`, `cached` or `failed`.
        seconds: Duration of the node.
    """

    node: str
    status: str
    seconds: float


@dataclass(frozen=True)
class DataSummary:
    """The data that the model was trained and evaluated on.

    Attributes:
        span: Span of the data.
        checksum: Checksums of the files that were read.
        directory: Directory of these files.
        movies: Number of movies by split.
        genres: int [genres] by split. Number of movies of each genre.
        anomalies: Anomalies that TFDV found, one line each.
        distances: Distances between splits, and from the last accepted data.
        ingest: Ingest's summary of dropped and rejected rows; empty if it is unknown.
    """

    span: int
    checksum: str
    directory: str
    movies: Mapping[str, int]
    genres: Mapping[str, Floats]
    anomalies: tuple[str, ...]
    distances: tuple[DistributionDistance, ...]
    ingest: Mapping[str, Any]

    @property
    def table(self) -> str:
        """Name of the file of the user's own table; empty if the data are IMDb's dumps."""
        # Only a table has columns that were found by their names.
        return str(self.ingest["source"]) if self.ingest.get("columns") else ""


@dataclass(frozen=True)
class ReportContent:
    """Everything that a model report contains.

    Attributes:
        name: Name of the model.
        written: Time at which the report was written, in UTC.
        output_directory: Output directory of the run; empty without ML Metadata.
        model_directory: Directory of the model.
        model_digest: Digest of the model's manifest (see `schema.manifest`).
        verdict: Verdict of the gate.
        push: What happened to the model after the gate.
        predictions: Movies of the test split with predictions.
        slices: Metrics by slice.
        examples: Movies with an explained prediction.
        training: Record of the model's training.
        last_training: Record of the last blessed model's training; None without such a model.
        data: Data that the model was trained and evaluated on.
        lineage: Data, code and settings of the model; None without ML Metadata.
        last_lineage: Data, code and settings of the last blessed model; None if it is unknown.
        models_on_same_data: Other models that were trained on the same data, one line each.
        timings: Duration of each node of the run.
    """

    name: str
    written: datetime
    output_directory: str
    model_directory: str
    model_digest: str
    verdict: ReportVerdict
    push: PushResult
    predictions: Predictions
    slices: tuple[SliceMetrics, ...]
    examples: tuple[ExplainedMovie, ...]
    training: TrainingRecord
    last_training: TrainingRecord | None
    data: DataSummary
    lineage: ModelLineage | None
    last_lineage: ModelLineage | None
    models_on_same_data: tuple[str, ...]
    timings: tuple[NodeTiming, ...]
