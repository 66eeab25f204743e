"""The model without each of its parts, on the small run of all tests."""

import shutil
from pathlib import Path

import pytest

from benchmarks.quality import ablation, run
from tests.end_to_end.project import Project, Run

pytestmark = pytest.mark.slow


def test_each_variant_is_trained_and_told(
    first_run: tuple[Project, Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project, _ = first_run
    names = ("the whole model", "the wide member alone")
    document = tmp_path / "quality.md"
    document.write_text("Before.\n<!-- ablation:begin -->\n<!-- ablation:end -->\nAfter.\n")
    arguments = ["--output", str(project.output), "--epochs", "1", "--report", str(document)]
    arguments += ["--only", *names]
    assert ablation.main(arguments) == 0
    text = document.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    for name in names:
        [row] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        figures = [float(cell) for cell in row.strip("| ").split("|")[1:]]
        assert len(figures) == 6
        assert all(0 < figure < 1 for figure in figures)
    assert "the wide member alone" in capsys.readouterr().out


def test_the_inputs_of_a_model_are_found_through_its_record(
    first_run: tuple[Project, Run], tmp_path: Path
) -> None:
    project, _ = first_run
    model = run.served_model(project.output)
    assert model is not None
    copied = Path(shutil.copytree(model, tmp_path / model.name))
    inputs = run.trainer_inputs(copied, project.output)
    assert sorted(path.name for path in inputs.examples.iterdir()) == [
        "Split-eval",
        "Split-test",
        "Split-train",
    ]
    assert (inputs.transform_graph / "transform_fn").is_dir()
    assert (inputs.word_vectors / "vectors.npy").is_file()


def test_a_folder_without_a_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ablation.main(["--output", str(tmp_path)]) == 2
    assert "no model is served from there" in capsys.readouterr().err
