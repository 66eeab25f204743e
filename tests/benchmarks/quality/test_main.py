"""The command on a small made-up run, and its errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.quality import run
from benchmarks.quality.__main__ import main
from benchmarks.quality.dataset import SPLITS
from components.pusher.versions import push
from pipeline.config import RunConfig
from schema import features as raw
from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import TRAINING_RECORD_FILE
from tests.data.run_recorder import RunRecorder
from tests.data.tiny_model import save_tiny_model, write_genres
from tests.data.tiny_movies import make_movies, serialize, write_examples
from tests.end_to_end.project import Project

DOCUMENT = """\
# Quality

<!-- comparison:begin -->
old numbers
<!-- comparison:end -->
Words between.
<!-- analysis:begin --><!-- analysis:end -->
The end.
"""


def record(recorder: RunRecorder, kind: str, uri: Path, inputs: list[int]) -> int:
    """Record an artifact that a node made from other artifacts."""
    artifact = recorder.add_artifact(kind, str(uri))
    recorder.add_execution(f"Makes{kind}", "run", {"made": artifact}, tuple(inputs))
    return artifact


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Output directory of a run, with a later run on other movies."""
    output = tmp_path / "output"
    config = RunConfig(data=output, output=output)
    splits = {}
    for seed, (split, count) in enumerate(zip(SPLITS, (120, 60, 60), strict=True)):
        rows = make_movies(count, seed=seed)
        # All titles are different, since a common stem would be a leak.
        splits[split] = [{**row, raw.TITLE: f"{row[raw.PLOT]} {row[raw.TCONST]}"} for row in rows]
    examples = write_examples(
        config.artifacts / "CsvExampleGen" / "examples" / "1",
        {split: serialize(rows) for split, rows in splits.items()},
    )
    trained = config.artifacts / "Trainer" / "model" / "7"
    directory = save_tiny_model(trained / "Format-Serving")
    (directory / "assets.extra" / TRAINING_RECORD_FILE).write_text(
        json.dumps({"seconds": 30.0, "cached_finetuning_seconds": 60.0})
    )
    manifest.write(directory)
    push(directory, config.model_directory)

    recorder = RunRecorder(output)
    source = record(recorder, "Examples", Path(examples.uri), [])
    transformed = record(recorder, "Examples", config.artifacts / "Transform" / "2", [source])
    record(recorder, "Model", trained, [transformed])
    later = record(recorder, "Examples", config.artifacts / "CsvExampleGen" / "examples" / "9", [])
    record(recorder, "Model", config.artifacts / "Trainer" / "model" / "10", [later])
    return output


def test_the_examples_of_the_served_model_are_found(output: Path) -> None:
    model = run.served_model(output)
    assert model is not None
    found = run.examples_of(model, output)
    assert found == output / "artifacts" / "CsvExampleGen" / "examples" / "1"


def test_a_model_of_other_genres_is_refused(output: Path) -> None:
    model = run.served_model(output)
    assert model is not None
    write_genres(model, GENRES[1:])
    with pytest.raises(UserError, match="output: the model predicts genres of its own"):
        run.served_model(output)


def test_a_model_of_no_run_is_refused(output: Path) -> None:
    config = RunConfig(data=output, output=output)
    other = save_tiny_model(output / "other", leave_out="examples")
    push(other, config.model_directory)
    model = run.served_model(output)
    assert model is not None
    with pytest.raises(UserError, match="has made this model"):
        run.examples_of(model, output)


def test_the_command_writes_its_tables_into_a_document(
    output: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "quality.md"
    document.write_text(DOCUMENT)
    command = ["--output", str(output), "--report", str(document)]
    command += ["--baselines", "prevalence", "tfidf", "linear"]
    assert main(command) == 0
    first = capfd.readouterr().out
    text = document.read_text()
    assert text.startswith(
        "# Quality\n\n<!-- comparison:begin -->\n\n`python -m benchmarks.quality"
    )
    assert "old numbers" not in text
    assert "<!-- comparison:end -->\nWords between.\n<!-- analysis:begin -->" in text
    assert text.endswith("<!-- analysis:end -->\nThe end.\n")

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    titles = ["prevalence", "TF-IDF words 1-2, characters 3-5, LR (plot)"]
    for title in titles:
        # Three input variants, the table of thresholds, and the table of costs.
        assert sum(row[0] == title for row in rows) == 5
    by_name = {row[0]: row for row in reversed(rows) if len(row) > 1}
    assert set(GENRES) <= set(by_name)
    assert by_name["Western"][1] == str(sum("Western" in row[1] for row in _test_dataset()))
    assert by_name["training: minutes, at most"] == [
        "training: minutes, at most",
        "25.0",
        "1.5",
        "yes",
    ]
    assert "0 split keys, 0 title stems, 0 plots" in text
    # An untrained model is worse than a linear one, since the plots determine the genre.
    leads = [cells for name, cells in by_name.items() if name.startswith("plot and title only: ov")]
    assert float(leads[0][1]) < -0.2
    assert all("cached" not in line for line in first.splitlines())

    assert main(command[:2] + command[4:]) == 0
    again = capfd.readouterr().out
    assert sum(" cached " in line for line in again.splitlines()) == 3
    measured = ("**the pipeline's model**", "movies/s", "`python")
    assert [line for line in _tables(again) if not line.startswith(measured)] == [
        line for line in _tables(first) if not line.startswith(measured)
    ]


def _test_dataset() -> list[tuple[str, str]]:
    return [(row[raw.TCONST], row[raw.GENRES_FIELD]) for row in make_movies(60, seed=2)]


def _tables(printed: str) -> list[str]:
    cells = [line for line in printed.splitlines() if line.startswith("|")]
    return [line.strip("| ") for line in cells if "the pipeline's model" not in line]


def test_a_document_without_markers_is_refused(
    output: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "other.md"
    document.write_text("no markers")
    command = ["--output", str(output), "--report", str(document), "--baselines", "prevalence"]
    assert main(command) == 2
    error = capfd.readouterr().err
    assert f"error: {document}: expected the lines `<!-- comparison:begin -->`" in error
    assert document.read_text() == "no markers"


def test_an_unknown_baseline_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--baselines", "oracle"])
    assert stopped.value.code == 2
    assert "invalid choice: 'oracle'" in capsys.readouterr().err


def test_the_exit_status_is_that_of_a_failed_run(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert main(["--data", str(missing), "--output", str(tmp_path / "output")]) == 2


@pytest.mark.slow
def test_a_real_run_is_compared(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(project.output), "--baselines", "linear"]) == 0
    printed = capfd.readouterr().out
    assert f"version {max(project.served)}" in printed
    assert "| **the pipeline's model** |" in printed


def test_the_console_shows_only_the_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing.md"
    command = [sys.executable, "-m", "benchmarks.quality", "--report", str(missing)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {missing}: cannot be read: No such file or directory\n"
