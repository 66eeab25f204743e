"""What ML Metadata knows, on a store that is written by hand."""

from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from report import lineage
from report.lineage import History
from schema.errors import UserError

FIRST, SECOND = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


class Book:
    """Writes what a run leaves behind."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metadata.sqlite"
        connection = mlmd.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.path)
        self.store = MetadataStore(connection)
        self.types = {
            kind: self.store.put_context_type(mlmd.ContextType(name=kind))
            for kind in ("node", "pipeline_run")
        }
        self.contexts: dict[tuple[str, str], mlmd.Context] = {}

    def context(self, kind: str, name: str) -> mlmd.Context:
        if (kind, name) not in self.contexts:
            self.contexts[kind, name] = mlmd.Context(type_id=self.types[kind], name=name)
            [number] = self.store.put_contexts([self.contexts[kind, name]])
            self.contexts[kind, name].id = number
        return self.contexts[kind, name]

    def artifact(self, kind: str, uri: str, **properties: str) -> int:
        type_id = self.store.put_artifact_type(mlmd.ArtifactType(name=kind))
        artifact = mlmd.Artifact(type_id=type_id, uri=uri)
        for name, value in properties.items():
            artifact.custom_properties[name].string_value = value
        return int(self.store.put_artifacts([artifact])[0])

    def step(
        self,
        node: str,
        run: str,
        inputs: list[int],
        outputs: list[int],
        cached: bool = False,
        **parameters: str,
    ) -> int:
        type_id = self.store.put_execution_type(mlmd.ExecutionType(name=node))
        state = mlmd.Execution.CACHED if cached else mlmd.Execution.COMPLETE
        execution = mlmd.Execution(type_id=type_id, last_known_state=state)
        for name, value in parameters.items():
            execution.custom_properties[name].string_value = value
        [number] = self.store.put_executions([execution])
        events = [
            mlmd.Event(execution_id=number, artifact_id=one, type=kind)
            for kind, ids in ((mlmd.Event.INPUT, inputs), (mlmd.Event.OUTPUT, outputs))
            for one in ids
        ]
        self.store.put_events(events)
        contexts = [self.context("node", f"movie_genres.{node}"), self.context("pipeline_run", run)]
        self.store.put_attributions_and_associations(
            [], [mlmd.Association(execution_id=number, context_id=one.id) for one in contexts]
        )
        return int(number)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Two runs on the same data; the second trains again with more epochs, and pushes."""
    book = Book(tmp_path_factory.mktemp("book"))
    examples = book.artifact("Examples", "/out/examples/1")
    book.step(
        "CsvExampleGen", FIRST, [], [examples], input_base="/out/movies", input_fingerprint="abc"
    )
    schema = book.artifact("Schema", "/out/schema/2")
    book.step("SchemaImporter", FIRST, [], [schema], schema_file="/out/schema/77/schema.pbtxt")
    old = book.artifact("Model", "/out/model/3")
    config = '{"code": "one", "hparams": {"epochs": 2}}'
    book.step("Trainer", FIRST, [examples, schema], [old], run_fn="run", custom_config=config)
    book.step("CsvExampleGen", SECOND, [], [examples], cached=True, input_base="/out/movies")
    new = book.artifact("Model", "/out/model/5")
    config = '{"code": "two", "hparams": {"epochs": 3}}'
    book.step("Trainer", SECOND, [examples, schema], [new], run_fn="run", custom_config=config)
    pushed = book.artifact("PushedModel", "/out/pushed/6", pushed_version="1700")
    book.step("Pusher", SECOND, [new], [pushed], __schema__="{}", destination_token="t")
    return lineage.read(book.path)


def test_steps_and_their_places(history: History) -> None:
    assert [(step.node, step.state) for step in history.of_run(SECOND)] == [
        ("CsvExampleGen", "CACHED"),
        ("Trainer", "COMPLETE"),
        ("Pusher", "COMPLETE"),
    ]
    assert history.newest_run == SECOND
    assert history.steps[-1].parameters == {"destination_token": "t"}
    pushed = next(one for one in history.items.values() if one.type == "PushedModel")
    assert [step.node for step in history.behind(pushed.id)] == [
        "CsvExampleGen",
        "SchemaImporter",
        "Trainer",
        "Pusher",
    ]
    examples = next(one for one in history.items.values() if one.type == "Examples")
    assert [step.run for step in history.users([examples.id])] == [FIRST, SECOND]


def test_the_served_model_and_its_recipe(history: History) -> None:
    found = lineage.pushed(history, 1700)
    assert found is not None
    assert lineage.pushed(history, 1800) is None
    recipe = lineage.recipe(history, found[1])
    assert recipe is not None
    assert (recipe.model, recipe.run) == ("/out/model/5", SECOND)
    assert recipe.data == {"fingerprint": "abc", "span": 0, "folder": "/out/movies"}
    assert recipe.schema == "/out/schema/77/schema.pbtxt"
    assert recipe.code == {"Trainer": "two"}
    assert recipe.settings["Trainer.hparams.epochs"] == 3


def test_what_changed_between_two_models(history: History) -> None:
    models = [one.id for one in history.items.values() if one.type == "Model"]
    old, new = (lineage.recipe(history, one) for one in models)
    assert old is not None
    assert new is not None
    assert [(one.what, one.before, one.after) for one in lineage.changes(old, new)] == [
        ("code of Trainer", "one", "two"),
        ("Trainer.hparams.epochs", 2, 3),
    ]
    assert lineage.changes(new, new) == []


def test_what_else_was_trained_on_the_data(history: History) -> None:
    found = lineage.pushed(history, 1700)
    assert found is not None
    [line] = lineage.also_used(history, found[1])
    assert line.endswith("UTC: /out/model/3")


def test_times_of_cached_nodes_are_those_of_their_makers(history: History) -> None:
    of_first, of_second = (
        {one.node: one for one in lineage.timings(history, run)} for run in (FIRST, SECOND)
    )
    assert {one.node for one in of_second.values() if one.cached} == {"CsvExampleGen"}
    assert of_second["CsvExampleGen"].seconds == of_first["CsvExampleGen"].seconds
    assert not of_second["Trainer"].cached


def test_parameters_inside_json_are_told_one_by_one() -> None:
    assert lineage.flat(
        {"custom_config": '{"hparams": {"epochs": 2}}', "gate": '{"floor": 0.3}', "name": "{x"}
    ) == {"hparams.epochs": 2, "gate.floor": 0.3, "name": "{x"}


def test_without_a_run_there_is_nothing_to_tell(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the pipeline first"):
        lineage.read(tmp_path / "metadata.sqlite")
    assert not (tmp_path / "metadata.sqlite").exists()
