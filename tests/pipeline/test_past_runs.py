"""Earlier runs are found, the newest first, and what they wrote by node and output."""

import os
import re
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.past_runs import VARIABLE, PastRuns, find_output
from schema.errors import UserError
from tests.data.recorded_runs import Recorded


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_outputs_are_found_by_node_and_key(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "output")
    evaluations = [recorded.artifact("ModelEvaluation", f"/e{number}") for number in range(4)]
    blessings = [recorded.artifact("ModelBlessing", f"/b{number}") for number in range(3)]
    for run in (1, 2):
        given = {"evaluation": evaluations[run], "blessing": blessings[run]}
        recorded.execution("Evaluator", f"run {run}", given)
    failed, cached = mlmd.Execution.FAILED, mlmd.Execution.CACHED
    recorded.execution("Evaluator", "run 3", {"evaluation": evaluations[3]}, state=failed)
    recorded.execution("GenreEvaluator", "run 4", {"evaluation": evaluations[0]})
    given = {"evaluation": evaluations[1], "blessing": blessings[1]}
    recorded.execution("Evaluator", "run 5", given, state=cached)

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
    model = recorded.artifact("Model", "/m")
    recorded.execution("Trainer", "run", {"model": model}, state=mlmd.Execution.FAILED)
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
