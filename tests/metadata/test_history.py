"""The reader of ML Metadata, on a database that the tests write."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

import metadata
from metadata import COMMAND_PROPERTY, COMMIT_PROPERTY, Artifact, History
from schema.errors import UserError
from tests.data.run_recorder import RunRecorder

FIRST, SECOND = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> RunRecorder:
    """Record two runs on the same data. The second trains again with more epochs, and pushes.

    Artifacts and executions both have the ids 1, 2, 3 and so on. The first run has nodes that are
    no longer in the pipeline.
    """
    recorder = RunRecorder(tmp_path_factory.mktemp("output"))
    examples = recorder.add_artifact("Examples", "/out/examples/1")
    parameters = {"input_base": "/out/movies", "input_fingerprint": "abc"}
    recorder.add_execution("CsvExampleGen", FIRST, {"examples": examples}, **parameters)
    schema = recorder.add_artifact("Schema", "/out/schema/2")
    recorder.add_execution(
        "SchemaImporter", FIRST, {"schema": schema}, schema_file="/out/77/schema.pbtxt"
    )
    old = recorder.add_artifact("Model", "/out/model/3")
    config = '{"code": "one", "hparams": {"epochs": 2}}'
    inputs = (examples, schema)
    recorder.add_execution(
        "Trainer", FIRST, {"model": old}, inputs, run_fn="run", custom_config=config
    )
    blessing = recorder.add_artifact("InfraBlessing", "/out/blessing/4", reason="")
    recorder.add_execution("Canary", FIRST, {"blessing": blessing}, (old,), code_hash="c")
    cached = mlmd.Execution.CACHED
    recorder.add_execution(
        "CsvExampleGen", SECOND, {"examples": examples}, state=cached, **parameters
    )
    new = recorder.add_artifact("Model", "/out/model/5")
    config = '{"code": "two", "hparams": {"epochs": 3}}'
    recorder.add_execution(
        "Trainer", SECOND, {"model": new}, inputs, run_fn="run", custom_config=config
    )
    pushed = recorder.add_artifact("PushedModel", "/out/pushed/6", pushed_version="1700")
    parameters = {"__schema__": "{}", "destination_token": "t"}
    recorder.add_execution("Pusher", SECOND, {"pushed_model": pushed}, (new,), **parameters)
    return recorder


@pytest.fixture(scope="module")
def history(recorder: RunRecorder) -> History:
    return metadata.read_history(recorder.directory / "metadata.sqlite")


def test_executions_are_read_in_ascending_order(history: History) -> None:
    assert [
        (execution.node, execution.run, execution.state) for execution in history.executions
    ] == [
        ("CsvExampleGen", FIRST, "COMPLETE"),
        ("SchemaImporter", FIRST, "COMPLETE"),
        ("Trainer", FIRST, "COMPLETE"),
        ("Canary", FIRST, "COMPLETE"),
        ("CsvExampleGen", SECOND, "CACHED"),
        ("Trainer", SECOND, "COMPLETE"),
        ("Pusher", SECOND, "COMPLETE"),
    ]
    assert history.newest_run == SECOND
    pusher = history.executions[-1]
    assert pusher.parameters == {"destination_token": "t"}
    assert (pusher.inputs, pusher.outputs) == ({5}, {6: "pushed_model"})
    assert history.outputs(pusher) == {
        "pushed_model": Artifact(6, "PushedModel", "/out/pushed/6", {"pushed_version": "1700"})
    }


def test_upstream_executions_of_an_artifact(history: History) -> None:
    assert [execution.node for execution in history.upstream_executions(6)] == [
        "CsvExampleGen",
        "SchemaImporter",
        "Trainer",
        "Pusher",
    ]
    assert history.producer(1) == history.executions[0]
    assert history.producer(99) is None
    assert history.upstream_executions(99) == []


def test_a_single_execution_is_read(recorder: RunRecorder, history: History) -> None:
    found = metadata.read_history(recorder.connection, 6)
    assert found.executions == (history.executions[5],)
    assert sorted(found.artifacts) == [1, 2, 5]
    assert found.outputs(found.executions[0])["model"].uri == "/out/model/5"


def test_json_parameters_are_flattened() -> None:
    assert metadata.flatten_parameters(
        {"custom_config": '{"hparams": {"epochs": 2}}', "gate": '{"floor": 0.3}', "name": "{x"}
    ) == {"hparams.epochs": 2, "gate.floor": 0.3, "name": "{x"}


def test_a_database_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metadata\.sqlite does not exist\. Run the pipeline"):
        metadata.read_history(tmp_path / "metadata.sqlite")
    assert not (tmp_path / "metadata.sqlite").exists()


def test_a_database_without_a_run(tmp_path: Path) -> None:
    empty = RunRecorder(tmp_path)
    empty.add_artifact("Model", "/out/model/1")
    found = metadata.read_history(tmp_path / "metadata.sqlite")
    assert (found.executions, found.newest_run) == ((), "")
    assert metadata.node_timings(found, "") == []
    assert metadata.model_lineage(found, 1) is None


def test_lineage_of_the_pushed_model(history: History) -> None:
    assert metadata.pushed_model_id(history, 1700) == 5
    assert metadata.pushed_model_id(history, 1800) is None
    lineage = metadata.model_lineage(history, 5)
    assert lineage is not None
    assert (lineage.model, lineage.run) == ("/out/model/5", SECOND)
    assert lineage.data == {"checksum": "abc", "span": 0, "directory": "/out/movies"}
    assert lineage.schema == "/out/77/schema.pbtxt"
    assert lineage.code == {"Trainer": "two"}
    assert lineage.settings["Trainer.hparams.epochs"] == 3


def test_commit_and_command_of_a_model(history: History) -> None:
    recorded = {COMMIT_PROPERTY: "0123abc", COMMAND_PROPERTY: "ordained run"}
    for run, expected in ((SECOND, ("0123abc", "ordained run")), (FIRST, ("", ""))):
        lineage = metadata.model_lineage(replace(history, runs={run: recorded}), 5)
        assert lineage is not None
        assert (lineage.commit, lineage.command) == expected


def test_examples_of_a_model(history: History) -> None:
    assert metadata.examples_of_model(history, 5) == "/out/examples/1"
    assert metadata.examples_of_model(history, 99) is None


def test_how_two_models_differ(history: History) -> None:
    old, new = metadata.model_lineage(history, 3), metadata.model_lineage(history, 5)
    assert old is not None
    assert new is not None
    assert [
        (difference.name, difference.before, difference.after)
        for difference in metadata.lineage_differences(old, new)
    ] == [
        ("code of Trainer", "one", "two"),
        ("Trainer.hparams.epochs", 2, 3),
    ]
    assert metadata.lineage_differences(new, new) == []


def test_other_models_trained_on_the_same_data(history: History) -> None:
    [line] = metadata.trained_on_same_data(history, 5)
    assert line.endswith("UTC: /out/model/3")


def test_cached_nodes_have_the_timing_of_the_execution_that_produced_them(history: History) -> None:
    first, second = (
        {timing.node: timing for timing in metadata.node_timings(history, run)}
        for run in (FIRST, SECOND)
    )
    assert list(first) == ["CsvExampleGen", "SchemaImporter", "Trainer", "Canary"]
    assert {timing.node for timing in second.values() if timing.cached} == {"CsvExampleGen"}
    assert second["CsvExampleGen"].seconds == first["CsvExampleGen"].seconds
    assert not second["Trainer"].cached


def _other_program(content: bytes) -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
        return database.serialize()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "malformed"),
        (lambda content: content[:100], "malformed|not a database|disk I/O error"),
        (lambda content: bytes(range(256)) * 64, "not a database"),
        (lambda content: b"", "no tables of ML Metadata"),
        (_other_program, "no tables of ML Metadata"),
    ],
    ids=["cut", "only the header", "random", "empty", "another program"],
)
def test_a_damaged_database_is_named(
    recorder: RunRecorder, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    database = tmp_path / "metadata.sqlite"
    database.write_bytes(damage(Path(recorder.connection.sqlite.filename_uri).read_bytes()))
    with pytest.raises(UserError, match=reason) as caught:
        metadata.read_history(database)
    message = str(caught.value)
    assert message.startswith(f"{database}: this is not an intact database of ML Metadata")
    assert "choose another --output" in message
    assert "\n" not in message
