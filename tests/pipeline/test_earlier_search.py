"""What an earlier search found, beside what the configuration sets."""

import json
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import config, earlier_search
from pipeline.config import RunConfig
from schema.names import METADATA_FILE, MODEL_NAME, Node

USED = (
    "the hyperparameters are those that an earlier search found (--tune searches anew, "
    "--ignore-search does without)"
)
FOUND = {"learning_rate": 0.001, "optimizer": "nadam", "word_encoder": "cnn"}


class History:
    """Searches as ML Metadata records them."""

    def __init__(self, output: Path) -> None:
        self.output = output
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(output / METADATA_FILE)
        connection.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = MetadataStore(connection)
        self.kind = self.store.put_artifact_type(mlmd.ArtifactType(name="HyperParameters"))

    def search(self, values: dict[str, Any]) -> int:
        """The result of a search; returns its id."""
        folder = self.output / f"search-{len(self.store.get_artifacts())}"
        folder.mkdir()
        (folder / "best_hyperparameters.txt").write_text(json.dumps({"values": values}))
        artifact = mlmd.Artifact(type_id=self.kind, uri=str(folder))
        return int(self.store.put_artifacts([artifact])[0])

    def run(self, name: str, node: Node, result: int | None = None) -> None:
        """A node that ended in a run, with the result of a search as its output or without."""
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
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def load(folder: Path, text: str = "", **options: Any) -> RunConfig:
    file = folder / "settings.yaml"
    file.write_text(text)
    return config.load(folder, folder, [file], **options)


def test_without_an_earlier_search_nothing_changes(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert earlier_search.resolved(loaded) == (loaded, ())
    History(tmp_path)
    assert earlier_search.resolved(loaded) == (loaded, ())


def test_what_the_latest_search_found_is_used(history: History, tmp_path: Path) -> None:
    history.search({"text_encoder": "cnn"})
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {epochs: 3, optimizer: nadam}")
    assert earlier_search.resolved(loaded) == (loaded, (USED,))


def test_what_the_configuration_sets_goes_before_the_search(
    history: History, tmp_path: Path
) -> None:
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {optimizer: adam, learning_rate: 2e-3, word_encoder: cnn}")
    found, notes = earlier_search.resolved(loaded)
    # A learning rate of .002 is the default as well; it is set all the same.
    assert found.over_search == {"learning_rate": 0.002, "optimizer": "adam"}
    assert notes == (
        USED,
        "the configuration goes before the search: learning_rate is 0.002, not 0.001, "
        "optimizer is adam, not nadam",
    )
    assert found.hparams == loaded.hparams


def test_a_search_that_was_trained_otherwise_does_not_crash_the_trainer(
    history: History, tmp_path: Path
) -> None:
    history.search(FOUND | {"sentence_encoder": "minilm"})
    mpnet = Path(__file__).parents[2] / "data" / "mpnet.yaml"
    found, notes = earlier_search.resolved(config.load(tmp_path, tmp_path, [mpnet]))
    assert found.over_search == {"sentence_encoder": "mpnet"}
    assert notes[1] == (
        "the configuration goes before the search: sentence_encoder is mpnet, not minilm"
    )


@pytest.mark.parametrize(
    ("values", "settings", "reason"),
    [
        (
            {"text_encoder": "cnn"},
            "",
            "an earlier version made it, and text_encoder is no setting any more",
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
def test_a_search_that_cannot_be_used_is_left_aside(
    history: History, tmp_path: Path, values: dict[str, Any], settings: str, reason: str
) -> None:
    history.search(values)
    found, notes = earlier_search.resolved(load(tmp_path, settings))
    assert found.ignore_search
    assert notes == (f"what an earlier search found is not used: {reason} (--tune searches anew)",)


def test_a_search_whose_result_is_damaged_is_left_aside(history: History, tmp_path: Path) -> None:
    history.search(FOUND)
    (tmp_path / "search-0" / "best_hyperparameters.txt").write_text("{")
    found, notes = earlier_search.resolved(load(tmp_path))
    assert found.ignore_search
    assert notes[0].startswith("what an earlier search found is not used: its file cannot be read")


def test_the_user_may_leave_a_search_aside(history: History, tmp_path: Path) -> None:
    history.search(FOUND)
    loaded = load(tmp_path, "hparams: {optimizer: adam}", ignore_search=True)
    assert earlier_search.resolved(loaded) == (loaded, ())


def test_a_search_that_was_asked_for_is_made_unless_it_was_interrupted_after_it(
    history: History, tmp_path: Path
) -> None:
    asked = load(tmp_path, "hparams: {optimizer: adam}", tune=True)
    assert earlier_search.resolved(asked) == (asked, ())
    result = history.search(FOUND)
    history.run("one", Node.TUNER, result)
    goes_on, notes = earlier_search.resolved(asked)
    assert (goes_on.search_anew, goes_on.tuner.enabled, notes) == (False, True, ())
    history.run("one", Node.MODEL_REPORT)
    assert earlier_search.resolved(asked) == (asked, ())
