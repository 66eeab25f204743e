"""Earlier runs are found, the newest first, and what they wrote by node and output."""

import os
import re
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.past_runs import VARIABLE, PastRuns, find_output
from schema.errors import UserError


class Recorded:
    """An output directory whose metadata are written by hand."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(folder / "metadata.sqlite")
        self.folder = folder
        self.store = MetadataStore(config)
        self.node = self.store.put_context_type(mlmd.ContextType(name="node"))
        self.execution = self.store.put_execution_type(mlmd.ExecutionType(name="any"))
        self.artifact = self.store.put_artifact_type(mlmd.ArtifactType(name="any"))

    def ran(self, node: str, state: int, **outputs: str | int) -> dict[str, int]:
        """Record one execution; outputs are paths, or ids of artifacts there are. Gives the ids."""
        given = []
        for key, value in outputs.items():
            event = mlmd.Event(type=mlmd.Event.OUTPUT)
            event.path.steps.add(key=key)
            event.path.steps.add(index=0)
            artifact = (
                mlmd.Artifact(type_id=self.artifact, uri=value)
                if isinstance(value, str)
                else self.store.get_artifacts_by_id([value])[0]
            )
            given.append((artifact, event))
        context = mlmd.Context(type_id=self.node, name=f"movie_genres.{node}")
        execution = mlmd.Execution(type_id=self.execution, last_known_state=state)
        _, artifacts, _ = self.store.put_execution(
            execution, given, [context], reuse_context_if_already_exist=True
        )
        return dict(zip(outputs, artifacts, strict=True))


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_outputs_are_found_by_node_and_key(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "output")
    first = recorded.ran("Evaluator", mlmd.Execution.COMPLETE, evaluation="/e1", blessing="/b1")
    recorded.ran("Evaluator", mlmd.Execution.COMPLETE, evaluation="/e2", blessing="/b2")
    recorded.ran("Evaluator", mlmd.Execution.FAILED, evaluation="/e3")
    recorded.ran("GenreEvaluator", mlmd.Execution.COMPLETE, evaluation="/other")
    recorded.ran("Evaluator", mlmd.Execution.CACHED, **first)

    runs = PastRuns(recorded.folder)
    assert [str(one.path) for one in runs.all("Evaluator", "evaluation")] == ["/e1", "/e2"]
    assert [one.run for one in runs.all("Evaluator", "blessing")] == [1, 2]
    # The newest run went back to what the first had written.
    assert str(runs.newest("Evaluator", "evaluation").path) == "/e1"
    assert runs.newest("Evaluator", "blessing").run == 5
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(runs.newest("Evaluator", "blessing"))
    )


def test_a_run_that_did_not_get_so_far_is_told(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "output")
    recorded.ran("Trainer", mlmd.Execution.FAILED, model="/m")
    message = f"{recorded.folder}: no run there got as far as Trainer. Run `make run` first."
    with pytest.raises(UserError, match=re.escape(message)):
        PastRuns(recorded.folder).newest("Trainer", "model")


def test_the_folder_that_was_written_to_last_is_the_newest(tmp_path: Path) -> None:
    for name, time in (("output", 3000), ("runs/a", 1000), ("runs/b", 2000)):
        metadata = Recorded(tmp_path / name).folder / "metadata.sqlite"
        os.utime(metadata, (time, time))
    assert find_output(checkout=tmp_path) == tmp_path / "output"
    os.utime(tmp_path / "runs" / "b" / "metadata.sqlite", (4000, 4000))
    assert find_output(checkout=tmp_path) == tmp_path / "runs" / "b"
    assert find_output(tmp_path / "runs" / "a", checkout=tmp_path) == tmp_path / "runs" / "a"


def test_the_variable_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recorded(tmp_path / "output")
    elsewhere = Recorded(tmp_path / "elsewhere").folder
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    assert find_output(checkout=tmp_path) == elsewhere
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    message = f"{tmp_path / 'nowhere'}: no run has been made there. Run `make run` first."
    with pytest.raises(UserError, match=re.escape(message)):
        find_output(checkout=tmp_path)


def test_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{VARIABLE}=DIR, or OUTPUT in the notebook's first cell"):
        find_output(checkout=tmp_path)
