"""Artifacts of past runs are found by node and output key."""

import os
import re
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.past_runs import OUTPUT_VARIABLE, PastRuns, find_output, newest_report
from schema.errors import UserError
from tests.data.run_recorder import RunRecorder


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OUTPUT_VARIABLE, raising=False)


def test_outputs_are_found_by_node_and_key(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path / "output")
    evaluations = [recorder.add_artifact("ModelEvaluation", f"/e{number}") for number in range(4)]
    blessings = [recorder.add_artifact("ModelBlessing", f"/b{number}") for number in range(3)]
    for run in (1, 2):
        outputs = {"evaluation": evaluations[run], "blessing": blessings[run]}
        recorder.add_execution("Evaluator", f"run {run}", outputs)
    failed, cached = mlmd.Execution.FAILED, mlmd.Execution.CACHED
    recorder.add_execution("Evaluator", "run 3", {"evaluation": evaluations[3]}, state=failed)
    recorder.add_execution("GenreEvaluator", "run 4", {"evaluation": evaluations[0]})
    outputs = {"evaluation": evaluations[1], "blessing": blessings[1]}
    recorder.add_execution("Evaluator", "run 5", outputs, state=cached)

    runs = PastRuns(recorder.directory)
    assert [str(artifact.path) for artifact in runs.all("Evaluator", "evaluation")] == [
        "/e1",
        "/e2",
    ]
    assert [artifact.execution_id for artifact in runs.all("Evaluator", "blessing")] == [1, 2]
    # The newest run took its output from the cache.
    assert str(runs.newest("Evaluator", "evaluation").path) == "/e1"
    assert runs.newest("Evaluator", "blessing").execution_id == 5
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(runs.newest("Evaluator", "blessing"))
    )


def test_a_node_that_no_run_has_completed_is_an_error(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path / "output")
    model = recorder.add_artifact("Model", "/m")
    recorder.add_execution("Trainer", "run", {"model": model}, state=mlmd.Execution.FAILED)
    message = f"{recorder.directory}: no run has completed Trainer. Run `ordained run` first."
    with pytest.raises(UserError, match=re.escape(message)):
        PastRuns(recorder.directory).newest("Trainer", "model")


def test_the_most_recently_written_directory_is_found(tmp_path: Path) -> None:
    for name, time in (("output", 3000), ("runs/a", 1000), ("runs/b", 2000)):
        metadata = RunRecorder(tmp_path / name).directory / "metadata.sqlite"
        os.utime(metadata, (time, time))
    assert find_output(checkout=tmp_path) == tmp_path / "output"
    os.utime(tmp_path / "runs" / "b" / "metadata.sqlite", (4000, 4000))
    assert find_output(checkout=tmp_path) == tmp_path / "runs" / "b"
    assert find_output(tmp_path / "runs" / "a", checkout=tmp_path) == tmp_path / "runs" / "a"


def test_the_environment_variable_names_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunRecorder(tmp_path / "output")
    elsewhere = RunRecorder(tmp_path / "elsewhere").directory
    monkeypatch.setenv(OUTPUT_VARIABLE, str(elsewhere))
    assert find_output(checkout=tmp_path) == elsewhere
    monkeypatch.setenv(OUTPUT_VARIABLE, str(tmp_path / "nowhere"))
    message = (
        f"{tmp_path / 'nowhere'}: this output directory has no run. Run `ordained run` first, or "
        f"name another output directory: --output DIR, or {OUTPUT_VARIABLE}=DIR."
    )
    with pytest.raises(UserError, match=re.escape(message)):
        find_output(checkout=tmp_path)


def test_without_a_run_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has no run.*{OUTPUT_VARIABLE}=DIR"):
        find_output(checkout=tmp_path)


def test_the_report_of_a_moved_output_directory_names_its_old_place(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path / "output")
    uri = str(recorder.directory / "artifacts" / "ModelReport" / "report" / "1")
    report = recorder.add_artifact("ModelReport", uri)
    recorder.add_execution("ModelReport", "run", {"report": report})
    moved = recorder.directory.rename(tmp_path / "moved")
    message = f"{moved}: this output directory was moved from {recorder.directory},"
    with pytest.raises(UserError, match=re.escape(message)):
        newest_report(moved)
