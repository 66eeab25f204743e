"""The configuration of a run: one frozen object, from defaults, a YAML file and flags."""

import dataclasses
import hashlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from components.anomaly_gate.decision import Limits
from components.evaluator.decision import GateConfig
from ingest.settings import IngestSettings
from schema import features
from schema.errors import UserError
from schema.names import MODEL_NAME, SERVING_FOLDER
from trainer.hparams import HParams
from transform.features import TransformConfig

CONFIG_NAME: Final = "ordained.yaml"
"""A file of this name in the data directory is read unless another is given."""


@dataclass(frozen=True)
class WordVectorsConfig:
    """Where the word vectors come from.

    Attributes:
        source: `glove` (Stanford's GloVe 6B, 50 dimensions) or `word2vec`, trained on the plots of
            the training split.
        dimensions: of Word2Vec; GloVe has 50.
        epochs: passes of Word2Vec over the plots.
    """

    source: Literal["glove", "word2vec"] = "glove"
    dimensions: int = 100
    epochs: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            ValueError: a value is not allowed; the message names it.
        """
        if self.source not in ("glove", "word2vec"):
            raise ValueError(
                f"word_vectors.source must be glove or word2vec. Received: {self.source!r}"
            )
        for name in ("dimensions", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"word_vectors.{name} must be at least 1")


@dataclass(frozen=True)
class TunerConfig:
    """How hyperparameters are searched.

    Attributes:
        enabled: search in this run; else the best values of the latest search are used, if any.
        trials: settings that are tried, the defaults first.
        epochs: passes of each trial at most.
    """

    enabled: bool = False
    trials: int = 10
    epochs: int = 4

    def __post_init__(self) -> None:
        """Refuse what cannot be searched.

        Raises:
            ValueError: a value is not allowed; the message names it.
        """
        for name in ("trials", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"tuner.{name} must be at least 1")


@dataclass(frozen=True)
class ServingConfig:
    """How versions are kept.

    Attributes:
        keep_old: versions before the current one that stay in the serving directory.
    """

    keep_old: int = 3

    def __post_init__(self) -> None:
        """Refuse a directory without a way back.

        Raises:
            ValueError: `keep_old` is below 1.
        """
        if self.keep_old < 1:
            raise ValueError(
                "serving.keep_old must be at least 1: a rollback needs somewhere to go"
            )


@dataclass(frozen=True)
class BeamConfig:
    """How Apache Beam runs.

    Attributes:
        running_mode: of the DirectRunner: `in_memory`, `multi_threading` or `multi_processing`.
            One process in memory is fastest until the work takes minutes.
        workers: of the other two modes; 0 is one a core.
    """

    running_mode: str = "in_memory"
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse an unknown mode.

        Raises:
            ValueError: a value is not allowed; the message names it.
        """
        modes = ("in_memory", "multi_threading", "multi_processing")
        if self.running_mode not in modes:
            raise ValueError(
                f"beam.running_mode must be one of {', '.join(modes)}. "
                f"Received: {self.running_mode!r}"
            )
        if self.workers < 0:
            raise ValueError("beam.workers must be at least 0")

    def arguments(self) -> list[str]:
        """Flags for Beam."""
        return [
            "--runner=DirectRunner",
            # Else the DirectRunner first looks for a binary of the Prism runner on the network, for
            # each pipeline anew, and runs there if it finds one. There are no triggers here.
            "--allow_unsafe_triggers",
            f"--direct_running_mode={self.running_mode}",
            f"--direct_num_workers={self.workers}",
            # Else TFX packs all of its own sources for workers elsewhere, some seconds for each
            # Beam pipeline. There are none: the DirectRunner's are this environment, and it asks
            # for no image.
            "--sdk_container_image=none",
        ]


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run depends on.

    Attributes:
        data: directory with IMDb's dumps and plots.
        output: directory for everything that the run makes.
        cache: take results of earlier runs where nothing has changed.
        from_node: run this node and all that depends on it again, whatever the cache holds.
        reset_baseline: do not compare with the last blessed model, once.
        accept_drift: take data that drifted as the new reference, once.
        republish: push a model that was rolled back before, once.
        ingest, transform, word_vectors, anomalies, hparams, tuner, gate, serving, beam: sections of
            the configuration file of the same names.
    """

    data: Path
    output: Path
    cache: bool = True
    from_node: str | None = None
    reset_baseline: bool = False
    accept_drift: bool = False
    republish: bool = False
    ingest: IngestSettings = field(default_factory=IngestSettings)
    transform: TransformConfig = field(default_factory=TransformConfig)
    word_vectors: WordVectorsConfig = field(default_factory=WordVectorsConfig)
    anomalies: Limits = field(default_factory=Limits)
    hparams: HParams = field(default_factory=HParams)
    tuner: TunerConfig = field(default_factory=TunerConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    serving: ServingConfig = field(default_factory=ServingConfig)
    beam: BeamConfig = field(default_factory=BeamConfig)

    @property
    def movies(self) -> Path:
        """Where the movies CSV shards are."""
        return self.output / "movies"

    @property
    def curated_schema(self) -> Path:
        """The schema that the project ships."""
        return features.SCHEMA_FILE

    @property
    def schema_file(self) -> Path:
        """The copy of the curated schema that this run is checked against, named by its content.

        TFX's cache knows an imported schema by its path alone.
        """
        digest = hashlib.sha256(self.curated_schema.read_bytes()).hexdigest()
        return self.output / "schema" / digest[:16] / "schema.pbtxt"

    @property
    def artifacts(self) -> Path:
        """Where the nodes' outputs are."""
        return self.output / "artifacts"

    @property
    def metadata(self) -> Path:
        """ML Metadata's database."""
        return self.output / "metadata.sqlite"

    @property
    def model_directory(self) -> Path:
        """What TensorFlow Serving watches: one folder a version."""
        return self.output / SERVING_FOLDER / MODEL_NAME

    @property
    def sentence_store(self) -> Path:
        """Sentence vectors of the titles and plots that some training has read."""
        return self.output / "sentence_vectors"

    @property
    def logs(self) -> Path:
        """Logs of the runs and of TensorBoard."""
        return self.output / "logs"


SECTIONS: Final[dict[str, type]] = {
    item.name: typing.get_type_hints(RunConfig)[item.name]
    for item in dataclasses.fields(RunConfig)
    if item.default is dataclasses.MISSING and item.default_factory is not dataclasses.MISSING
}
"""The sections of a configuration file and the classes behind them."""


def load(data: Path, output: Path, files: Sequence[Path] = (), **flags: Any) -> RunConfig:
    """Make the configuration of a run.

    Args:
        data: directory with IMDb's dumps and plots.
        output: directory for everything that the run makes.
        files: YAML files; of a value that several of them set the last one counts. Without any,
            `ordained.yaml` in `data` is read if it is there.
        **flags: fields of RunConfig, and `tune`, which sets `tuner.enabled`; None leaves a field.

    Returns:
        The configuration, validated.

    Raises:
        UserError: a file cannot be read, or a value in it is unknown or not allowed.
    """
    if not files and (data / CONFIG_NAME).is_file():
        files = [data / CONFIG_NAME]
    sections: dict[str, Any] = {}
    values: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, some in _values(file).items():
            values[name] = values.get(name, {}) | some
            sections[name] = _section(file, name, values[name])
    tune = flags.pop("tune", None)
    if tune is not None:
        tuner = sections.get("tuner", TunerConfig())
        sections["tuner"] = dataclasses.replace(tuner, enabled=tune)
    given = {name: value for name, value in flags.items() if value is not None}
    return RunConfig(data=data, output=output, **sections, **given)


def _values(file: Path) -> dict[str, dict[str, Any]]:
    """What a file sets, by section and field, each of its field's type."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected sections such as `gate:` at the top")
    unknown = sorted(str(name) for name in content if name not in SECTIONS)
    if unknown:
        raise UserError(
            f"{file}: {unknown[0]} is no section of the configuration. Known: {', '.join(SECTIONS)}"
        )
    return {name: _fields(file, name, values or {}) for name, values in content.items()}


def _fields(file: Path, name: str, values: Any) -> dict[str, Any]:
    """The fields of a section as they were written, each of its type."""
    if not isinstance(values, dict):
        raise UserError(f"{file}: {name} must hold names and values. Received: {values!r}")
    hints = typing.get_type_hints(SECTIONS[name])
    for key in values:
        if key not in hints:
            raise UserError(f"{file}: {name}.{key} is not known. Known: {', '.join(hints)}")
    return {
        key: _converted(file, f"{name}.{key}", hints[key], value) for key, value in values.items()
    }


def _section(file: Path, name: str, values: Mapping[str, Any]) -> Any:
    """The section with these fields; a value that is not allowed is the file's mistake."""
    try:
        return SECTIONS[name](**values)
    except (ValueError, UserError) as error:
        raise UserError(f"{file}: {error}") from error


def _converted(file: Path, name: str, hint: Any, value: Any) -> Any:
    """The value as the field's type; YAML knows neither paths, tuples nor whole floats."""
    options = (
        typing.get_args(hint)
        if typing.get_origin(hint) in (typing.Union, types.UnionType)
        else (hint,)
    )
    if value is None and type(None) in options:
        return None
    if Path in options and isinstance(value, str):
        return (file.parent / value).resolve()
    for option in options:
        origin = typing.get_origin(option) or option
        if origin is typing.Literal:
            return value
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if origin is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(origin, type) and isinstance(value, origin):
            if isinstance(value, bool) and origin is not bool:
                continue
            return value
    expected = getattr(hint, "__name__", str(hint))
    raise UserError(f"{file}: {name} must be of type {expected}. Received: {value!r}")
