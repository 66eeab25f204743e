"""Configuration of a run: an immutable object made from defaults, YAML files and options."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from components.anomaly_gate.decision import AnomalyGateConfig
from components.evaluator.decision import GateConfig
from ingest.config import IngestConfig
from pipeline import removed_settings, table_schema, yaml_file
from schema import features
from schema.config import Config, PositiveInt, setting_name, validation_message
from schema.errors import UserError
from schema.files import atomic_write_text
from schema.genres import GENRES, GenreSet
from schema.names import (
    ARTIFACTS_DIRECTORY,
    LOGS_DIRECTORY,
    METADATA_FILE,
    MODEL_NAME,
    MOVIES_DIRECTORY,
    SERVING_DIRECTORY,
)
from trainer.hparams import HParams
from transform.features import TransformConfig

DEFAULT_CONFIG_FILE: Final = "ordained.yaml"
"""Name of the configuration file that is read from the data directory if no other is given."""


class WordVectorsConfig(Config):
    """Configuration of the word vectors.

    Attributes:
        source: `glove` (Stanford's GloVe 6B, 50 dimensions) or `word2vec`, trained on the plots of
            the training split.
        dimensions: Size of the Word2Vec vectors. GloVe always has 50.
        epochs: Epochs of the Word2Vec training.
    """

    source: Literal["glove", "word2vec"] = "glove"
    dimensions: PositiveInt = 100
    epochs: PositiveInt = 5


class TunerConfig(Config):
    """Configuration of the hyperparameter search.

    Attributes:
        enabled: Whether this run searches. A run without a search uses the best values of the
            latest search, if there is one.
        trials: Number of combinations to try, beginning with that of the configuration.
        epochs: Largest number of epochs of each trial.
    """

    enabled: bool = False
    trials: PositiveInt = 10
    epochs: PositiveInt = 4


class ServingConfig(Config):
    """Configuration of the serving directory.

    Attributes:
        keep_old: Number of previous model versions to keep, at least 1 so that a rollback is
            possible.
    """

    keep_old: PositiveInt = 3


class LabelConfig(Config):
    """Configuration of the labels of movies without genres.

    Attributes:
        enabled: Whether a run that pushes a model also writes the tables of `ordained label`.
    """

    enabled: bool = False


class BeamConfig(Config):
    """Configuration of Apache Beam's DirectRunner.

    Attributes:
        running_mode: Running mode. `in_memory` is fastest unless the work takes minutes.
        workers: Number of workers in the other two modes. 0 means one per core.
    """

    running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = "in_memory"
    workers: int = Field(default=1, ge=0)

    def arguments(self) -> list[str]:
        """Return the command-line flags for Beam."""
        return [
            "--runner=DirectRunner",
            # Without this flag, the DirectRunner looks on the network for the Prism runner at the
            # start of each Beam pipeline. The flag is safe, since no pipeline here has triggers.
            "--allow_unsafe_triggers",
            f"--direct_running_mode={self.running_mode}",
            f"--direct_num_workers={self.workers}",
            # Without this flag, TFX spends seconds on packing its own sources for remote workers
            # at the start of each Beam pipeline. The DirectRunner has no remote workers.
            "--sdk_container_image=none",
        ]


class ConfigFile(Config):
    """All sections of a configuration file."""

    ingest: IngestConfig = IngestConfig()
    transform: TransformConfig = TransformConfig()
    word_vectors: WordVectorsConfig = WordVectorsConfig()
    anomalies: AnomalyGateConfig = AnomalyGateConfig()
    hparams: HParams = HParams()
    tuner: TunerConfig = TunerConfig()
    gate: GateConfig = GateConfig()
    serving: ServingConfig = ServingConfig()
    label: LabelConfig = LabelConfig()
    beam: BeamConfig = BeamConfig()


class RunConfig(ConfigFile):
    """Complete configuration of a run: the sections of the files and the command-line options.

    Attributes:
        data: Directory with IMDb's dumps and the plots, or with the table.
        output: Directory for all files that the run writes.
        genres: Genres that the model predicts, in the order of its labels. Ingest finds them, see
            `with_genres`; IMDb's by default.
        cache: Whether results of earlier runs are reused where nothing has changed; True by
            default.
        from_node: Id of a node that runs again, together with all nodes that depend on it; None by
            default.
        ignore_blessed_model: Whether the gate skips the comparison with the last blessed model.
        accept_drift: Whether drifted data are accepted as the new reference.
        push_again: Whether a model that was rolled back may be pushed again.
        force_search: Whether the Tuner searches even if the cache has its result.
        ignore_search: Whether the result of an earlier search is ignored.
        search_overrides: Hyperparameters, by name, that the configuration sets to another value
            than the earlier search found. See `pipeline.previous_search`.
    """

    data: Path
    output: Path
    genres: GenreSet = GENRES
    cache: bool = True
    from_node: str | None = None
    ignore_blessed_model: bool = False
    accept_drift: bool = False
    push_again: bool = False
    force_search: bool = False
    ignore_search: bool = False
    search_overrides: dict[str, Any] = {}

    @property
    def movies(self) -> Path:
        """Directory of the CSV shards with the movies."""
        return self.output / MOVIES_DIRECTORY

    @property
    def curated_schema(self) -> Path:
        """Path of the curated schema that the project ships."""
        return features.SCHEMA_FILE

    @property
    def schema_text(self) -> str:
        """Schema of this run: the curated schema, or what a single table has to meet of it."""
        text = self.curated_schema.read_text(encoding="utf-8")
        return text if self.ingest.table is None else table_schema.relax(text)

    @property
    def schema_file(self) -> Path:
        """Path of this run's copy of its schema.

        The path contains a hash of the content, since TFX's cache identifies an imported schema
        only by its path.
        """
        digest = hashlib.sha256(self.schema_text.encode()).hexdigest()
        return self.output / "schema" / digest[:16] / "schema.pbtxt"

    def copy_schema(self) -> None:
        """Write `schema_file` if it does not exist."""
        if not self.schema_file.exists():
            self.schema_file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(self.schema_file, self.schema_text)

    @property
    def artifacts(self) -> Path:
        """Root directory of the nodes' output artifacts."""
        return self.output / ARTIFACTS_DIRECTORY

    @property
    def metadata(self) -> Path:
        """Path of the ML Metadata database."""
        return self.output / METADATA_FILE

    @property
    def model_directory(self) -> Path:
        """Directory that TensorFlow Serving watches, with one subdirectory per version."""
        return self.output / SERVING_DIRECTORY / MODEL_NAME

    @property
    def sentence_store(self) -> Path:
        """Directory of the stored sentence encoder and its vectors of titles and plots."""
        return self.output / "sentence_vectors"

    @property
    def logs(self) -> Path:
        """Directory of the logs of the runs and of TensorBoard."""
        return self.output / LOGS_DIRECTORY


def load(
    data: Path,
    output: Path,
    files: Sequence[Path] = (),
    *,
    table: Path | None = None,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> RunConfig:
    """Load the configuration of a run.

    Args:
        data: Directory with IMDb's dumps and the plots, or with the table.
        output: Directory for all files that the run writes.
        files: YAML files. If several set the same value, the last file takes precedence. If there
            are none, `ordained.yaml` in `data` is read if it exists.
        table: Single table, which overrides `ingest.table`.
        columns: Columns by field, which override those of the same fields in `ingest.columns`.
        **options: Fields of `RunConfig`, and `tune`, which overrides `tuner.enabled`: True starts a
            new search, False runs without a search. None keeps the default.

    Raises:
        UserError: A file cannot be read or a setting is invalid. The message has one line per
            invalid setting.
    """
    if not files and (data / DEFAULT_CONFIG_FILE).is_file():
        files = [data / DEFAULT_CONFIG_FILE]
    sections = _load_sections(files, {"table": table, "columns": columns})
    if sections.ingest.table and "floor" not in sections.gate.model_fields_set:
        # How well the genres of a table can be predicted is not known in advance.
        gate = sections.gate.model_copy(update={"floor": None})
        sections = sections.model_copy(update={"gate": gate})
    options = {name: value for name, value in options.items() if value is not None}
    tune = options.pop("tune", None)
    if tune is not None:
        tuner = sections.tuner.model_copy(update={"enabled": tune})
        sections = sections.model_copy(update={"tuner": tuner})
    values = dict(sections) | options
    return RunConfig(data=data, output=output, force_search=bool(tune), **values)


def with_genres(config: RunConfig, genres: Sequence[str]) -> RunConfig:
    """Return a configuration with the genres of the movies.

    Args:
        config: Configuration of the run.
        genres: Names of the genres, in the order of ingest's summary.

    Raises:
        UserError: `gate.genre_floors` names another genre.
    """
    if unknown := [name for name in config.gate.genre_floors if name not in genres]:
        raise UserError(
            f"gate.genre_floors.{unknown[0]} is not a genre of these movies. Known: "
            f"{', '.join(genres)}. Remove the floor, or correct its name."
        )
    return config.model_copy(update={"genres": tuple(genres)})


def _load_sections(files: Sequence[Path], ingest_options: Mapping[str, Any]) -> ConfigFile:
    """Merge the sections of all files and the options of ingest, and validate the result."""
    values: dict[str, Any] = {}
    origins: dict[tuple[str, ...], list[Path | str]] = {}
    given: list[tuple[Path | str, dict[str, Any]]] = [
        (file, yaml_file.read(file)) for file in files
    ]
    options = {name: value for name, value in ingest_options.items() if value}
    for origin, sections in [*given, *([("--column", {"ingest": options})] if options else [])]:
        for section, settings in sections.items():
            origins.setdefault((section,), []).append(origin)
            earlier = values.get(section, {})
            if isinstance(settings, dict) and isinstance(earlier, dict):
                named = {str(name): value for name, value in settings.items()}
                # A relative path is relative to the directory of its configuration file.
                for name in ("plots", "corrections", "table") if section == "ingest" else ():
                    if isinstance(path := named.get(name), str):
                        named[name] = (Path(origin).parent / Path(path).expanduser()).resolve()
                origins |= {(section, name): [origin] for name in named}
                # Each entry of `columns` is a setting of its own.
                if section == "ingest" and isinstance(columns := named.get("columns"), dict):
                    origins |= {(section, "columns", str(field)): [origin] for field in columns}
                    if isinstance(before := earlier.get("columns"), dict):
                        named["columns"] = before | columns
                values[section] = earlier | named
            elif settings is not None and isinstance(earlier, dict):
                values[section] = settings
    try:
        return ConfigFile.model_validate(values)
    except ValidationError as error:
        lines = []
        for details in error.errors(include_url=False):
            location = tuple(map(str, details["loc"]))
            sources = next(
                origins[location[:length]] for length in (3, 2, 1) if location[:length] in origins
            )
            lines.append(f"{', '.join(map(str, sources))}: {_error_message(details)}")
        raise UserError("\n".join(lines)) from error


def _error_message(error: ErrorDetails) -> str:
    """Describe an invalid setting; settings that earlier versions had get an upgrade hint."""
    name = setting_name(error["loc"])
    if error["type"] != "extra_forbidden":
        return validation_message(error, name)
    if (hint := removed_settings.upgrade_hint(name, error["input"])) is not None:
        return f"{name} {hint}"
    section, *settings = error["loc"]
    if not settings:
        known = ", ".join(ConfigFile.model_fields)
        return f"{name} is not a section of the configuration. Known sections: {known}"
    known = ", ".join(dict(getattr(ConfigFile(), str(section))))
    return f"{name} is not a setting. Known settings: {known}"
