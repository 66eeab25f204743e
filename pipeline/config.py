"""The configuration of a run: one frozen object, from defaults, YAML files and options."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from components.anomaly_gate.decision import AnomalyGateConfig
from components.evaluator.decision import GateConfig
from ingest.config import IngestConfig
from pipeline import removed, yaml_file
from schema import features
from schema.config import Config, PositiveInt, setting_name, validation_message
from schema.errors import UserError
from schema.names import (
    LOGS_DIRECTORY,
    METADATA_FILE,
    MODEL_NAME,
    MOVIES_DIRECTORY,
    SERVING_DIRECTORY,
)
from trainer.hparams import HParams
from transform.features import TransformConfig

CONFIG_NAME: Final = "ordained.yaml"
"""A file of this name in the data directory is read unless another is given."""


class WordVectorsConfig(Config):
    """Where the word vectors come from.

    Attributes:
        source: `glove` (Stanford's GloVe 6B, 50 dimensions) or `word2vec`, trained on the plots of
            the training split.
        dimensions: of Word2Vec; GloVe has 50.
        epochs: passes of Word2Vec over the plots.
    """

    source: Literal["glove", "word2vec"] = "glove"
    dimensions: PositiveInt = 100
    epochs: PositiveInt = 5


class TunerConfig(Config):
    """How hyperparameters are searched.

    Attributes:
        enabled: search in this run; else the best values of the latest search are used, if any.
        trials: number of settings that are tried, those of the configuration first.
        epochs: most passes of each trial over the training split.
    """

    enabled: bool = False
    trials: PositiveInt = 10
    epochs: PositiveInt = 4


class ServingConfig(Config):
    """Which versions of the model stay in the serving directory.

    Attributes:
        keep_old: number of versions before the current one; a rollback needs at least one.
    """

    keep_old: PositiveInt = 3


class BeamConfig(Config):
    """How Apache Beam runs.

    Attributes:
        running_mode: of the DirectRunner. One process in memory is fastest until the work takes
            minutes.
        workers: number of workers of the other two modes; 0 is one for each core.
    """

    running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = "in_memory"
    workers: int = Field(default=1, ge=0)

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


class ConfigFile(Config):
    """The sections of a configuration file."""

    ingest: IngestConfig = IngestConfig()
    transform: TransformConfig = TransformConfig()
    word_vectors: WordVectorsConfig = WordVectorsConfig()
    anomalies: AnomalyGateConfig = AnomalyGateConfig()
    hparams: HParams = HParams()
    tuner: TunerConfig = TunerConfig()
    gate: GateConfig = GateConfig()
    serving: ServingConfig = ServingConfig()
    beam: BeamConfig = BeamConfig()


class RunConfig(ConfigFile):
    """Everything that a run depends on.

    Attributes:
        data: directory with IMDb's dumps and plots.
        output: directory for everything that the run makes.
        cache: take results of earlier runs where nothing has changed.
        from_node: run this node and all that depends on it again, whatever the cache holds.
        ignore_blessed_model: do not compare with the last blessed model, once.
        accept_drift: take data that drifted as the new reference, once.
        republish: push a model that was rolled back before, once.
        search_anew: search even if the cache has the result of an equal search.
        ignore_search: do not use what an earlier search found.
        over_search: hyperparameters that the configuration sets and that the earlier search chose
            differently, see `pipeline.earlier_search`.
    """

    data: Path
    output: Path
    cache: bool = True
    from_node: str | None = None
    ignore_blessed_model: bool = False
    accept_drift: bool = False
    republish: bool = False
    search_anew: bool = False
    ignore_search: bool = False
    over_search: dict[str, Any] = {}

    @property
    def movies(self) -> Path:
        """Where the movies CSV shards are."""
        return self.output / MOVIES_DIRECTORY

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
        return self.output / METADATA_FILE

    @property
    def model_directory(self) -> Path:
        """What TensorFlow Serving watches: one folder for each version."""
        return self.output / SERVING_DIRECTORY / MODEL_NAME

    @property
    def sentence_store(self) -> Path:
        """Sentence vectors of the titles and plots that some training has read."""
        return self.output / "sentence_vectors"

    @property
    def logs(self) -> Path:
        """Logs of the runs and of TensorBoard."""
        return self.output / LOGS_DIRECTORY


def load(data: Path, output: Path, files: Sequence[Path] = (), **options: Any) -> RunConfig:
    """Make the configuration of a run.

    Args:
        data: directory with IMDb's dumps and plots.
        output: directory for everything that the run makes.
        files: YAML files; of a setting that several have the last counts. Without any,
            `ordained.yaml` in `data` is read if it is there.
        **options: fields of `RunConfig`, and `tune`: True searches anew, False does without a
            search, whatever `tuner.enabled` is. None leaves the default.

    Raises:
        UserError: a file cannot be read, or settings are unknown or not allowed; the message has
            a line for each.
    """
    if not files and (data / CONFIG_NAME).is_file():
        files = [data / CONFIG_NAME]
    sections = _sections(files)
    options = {name: value for name, value in options.items() if value is not None}
    tune = options.pop("tune", None)
    if tune is not None:
        tuner = sections.tuner.model_copy(update={"enabled": tune})
        sections = sections.model_copy(update={"tuner": tuner})
    given = dict(sections) | options
    return RunConfig(data=data, output=output, search_anew=bool(tune), **given)


def _sections(files: Sequence[Path]) -> ConfigFile:
    """The sections of all files together, validated once."""
    values: dict[str, Any] = {}
    origins: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        for section, settings in yaml_file.read(file).items():
            origins.setdefault((section,), []).append(file)
            if isinstance(settings, dict):
                given = {str(name): value for name, value in settings.items()}
                # The one path is relative to the file that it stands in.
                if section == "ingest" and isinstance(plots := given.get("plots"), str):
                    given["plots"] = (file.parent / Path(plots).expanduser()).resolve()
                values[section] = values.get(section, {}) | given
                origins |= {(section, name): [file] for name in given}
            elif settings is not None:
                values[section] = settings
    try:
        return ConfigFile.model_validate(values)
    except ValidationError as error:
        lines = []
        for one in error.errors(include_url=False):
            place = tuple(map(str, one["loc"]))
            where = origins.get(place[:2]) or origins[place[:1]]
            lines.append(f"{', '.join(map(str, where))}: {_mistake(one)}")
        raise UserError("\n".join(lines)) from error


def _mistake(error: ErrorDetails) -> str:
    """What is wrong with a setting; one that is unknown was perhaps known before."""
    name = setting_name(error["loc"])
    if error["type"] != "extra_forbidden":
        return validation_message(error, name)
    if (change := removed.change(name, error["input"])) is not None:
        return f"{name} {change}"
    section, *inside = error["loc"]
    if not inside:
        known = ", ".join(ConfigFile.model_fields)
        return f"{name} is no section of the configuration. Known: {known}"
    known = ", ".join(dict(getattr(ConfigFile(), str(section))))
    return f"{name} is no setting. Known: {known}"
