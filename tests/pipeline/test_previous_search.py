"""The hyperparameters of an earlier search, combined with those of the configuration."""

import json
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import config, previous_search
from pipeline.config import RunConfig
from schema.names import METADATA_FILE, MODEL_NAME, Node

USED = (
    "this run uses the hyperparameters of the latest search. Use --tune for a new search, or "
    "--ignore-search to train without them."
)
FOUND = {"learning_rate": 0.001, "optimizer": "nadam", "word_encoder": "cnn"}


class RecordedSearches:
    """Searches recorded in ML Metadata."""

    def __init__(self, output: Path) -> None:
        self.output = output
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(output / METADATA_FILE)
        connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = MetadataStore(connection)
        self.kind = self.store.put_artifact_type(mlmd.ArtifactType(name="HyperParameters"))

    def search(self, values: dict[str, Any]) -> int:
        """Record the result of a search and return its artifact id."""
        directory = self.output / f"search-{len(self.store.get_artifacts())}"
        directory.mkdir()
        (directory / "best_hyperparameters.txt").write_text(json.dumps({"values": values}))
        artifact = mlmd.Artifact(type_id=self.kind, uri=str(directory))
        return int(self.store.put_artifacts([artifact])[0])

    def run(self, name: str, node: Node, result: int | None = None) -> None:
        """Record an execution of a node, with the result of a search as its output if given."""
        kind = self.store.put_execution_type(mlmd.ExecutionType(name=node))
        contexts = []
        for type_name, context in (("node", f"{MODEL_NAME}.{node}"), ("pipeline_run", name)):
            context_type = self.store.put_context_type(mlmd.ContextType(name=type_name))
            contexts.append(mlmd.Context(type_id=context_type, name=context))
        event = mlmd.Event(artifact_id=result, type=mlmd.Event.OUTPUT) if result else None
        self.store.put_execution(
            mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.COMPLETE),
            [(artifact, event) for artifact in self.store.get_artifacts_by_id([result])]
            if result
            else [],
            contexts,
            reuse_context_if_already_exist=True,
        )


@pytest.fixture
def history(tmp_path: Path) -> RecordedSearches:
    return RecordedSearches(tmp_path)


def load(directory: Path, text: str = "", **options: Any) -> RunConfig:
    file = directory / "settings.yaml"
    file.write_text(text)
    return config.load(directory, directory, [file], **options)


def test_without_a_search_nothing_changes(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert previous_search.apply_latest_search(loaded) == (loaded, ())
    RecordedSearches(tmp_path)
    assert previous_search.apply_latest_search(loaded) == (loaded, ())


def test_the_latest_search_is_used(history: RecordedSearches, tmp_path: Path) -> None:
    history.search({"text_encoder": "cnn"})
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {epochs: 3, optimizer: nadam}")
    assert previous_search.apply_latest_search(loaded) == (loaded, (USED,))


def test_the_configuration_overrides_the_search(history: RecordedSearches, tmp_path: Path) -> None:
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {optimizer: adam, learning_rate: 2e-3, word_encoder: cnn}")
    resolved, notes = previous_search.apply_latest_search(loaded)
    # A learning rate of .002 is also the default, but the file sets it explicitly.
    assert resolved.search_overrides == {"learning_rate": 0.002, "optimizer": "adam"}
    assert notes == (
        USED,
        "the configuration overrides the latest search: learning_rate is 0.002, not 0.001, "
        "optimizer is adam, not nadam.",
    )
    assert resolved.hparams == loaded.hparams


def test_the_configuration_overrides_the_encoder_of_the_search(
    history: RecordedSearches, tmp_path: Path
) -> None:
    history.search(FOUND | {"sentence_encoder": "minilm"})
    mpnet = Path(__file__).parents[2] / "data" / "mpnet.yaml"
    resolved, notes = previous_search.apply_latest_search(config.load(tmp_path, tmp_path, [mpnet]))
    assert resolved.search_overrides == {"sentence_encoder": "mpnet"}
    assert notes[1] == (
        "the configuration overrides the latest search: sentence_encoder is mpnet, not minilm."
    )


@pytest.mark.parametrize(
    ("values", "settings", "reason"),
    [
        (
            {"text_encoder": "cnn"},
            "",
            "it comes from an earlier version, which had the setting text_encoder",
        ),
        (
            {"optimizer": "sgd"},
            "",
            "optimizer should be 'adam', 'adamw' or 'nadam'. Received: \"sgd\"",
        ),
        (
            {"sentence_encoder": "mpnet", "encoder_layers": 12},
            "hparams: {sentence_encoder: minilm}",
            "hparams.encoder_layers should be at most 6 with sentence_encoder minilm. Received: 12",
        ),
    ],
)
def test_an_unusable_search_is_ignored(
    history: RecordedSearches, tmp_path: Path, values: dict[str, Any], settings: str, reason: str
) -> None:
    history.search(values)
    resolved, notes = previous_search.apply_latest_search(load(tmp_path, settings))
    assert resolved.ignore_search
    assert notes == (
        f"the result of the earlier search is not used: {reason}. Use --tune for a new search.",
    )


def test_a_damaged_search_result_is_ignored(history: RecordedSearches, tmp_path: Path) -> None:
    history.search(FOUND)
    (tmp_path / "search-0" / "best_hyperparameters.txt").write_text("{")
    resolved, notes = previous_search.apply_latest_search(load(tmp_path))
    assert resolved.ignore_search
    assert notes[0].startswith(
        "the result of the earlier search is not used: its file cannot be read"
    )


def test_the_user_can_ignore_a_search(history: RecordedSearches, tmp_path: Path) -> None:
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {optimizer: adam}", ignore_search=True)
    assert previous_search.apply_latest_search(loaded) == (loaded, ())


def test_a_requested_search_is_repeated_unless_an_interrupted_run_finished_it(
    history: RecordedSearches, tmp_path: Path
) -> None:
    requested = load(tmp_path, "hparams: {optimizer: adam}", tune=True)
    assert previous_search.apply_latest_search(requested) == (requested, ())
    result = history.search(FOUND)
    history.run("one", Node.TUNER, result)
    resumed, notes = previous_search.apply_latest_search(requested)
    assert (resumed.force_search, resumed.tuner.enabled, notes) == (False, True, ())
    history.run("one", Node.MODEL_REPORT)
    assert previous_search.apply_latest_search(requested) == (requested, ())
