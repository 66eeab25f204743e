"""The ablation study on the small run that all tests share."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.quality import ablation, run
from schema.names import Split
from tests.end_to_end.project import Project, Run
from trainer.data import Rows
from transform import features as xf

pytestmark = pytest.mark.slow


def test_each_variant_is_trained_and_compared(
    first_run: tuple[Project, Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project, _ = first_run
    name = "no people"
    document = tmp_path / "quality.md"
    document.write_text("Before.\n<!-- ablation:begin -->\n<!-- ablation:end -->\nAfter.\n")
    arguments = ["--output", str(project.output), "--epochs", "1", "--seeds", "2"]
    arguments += ["--report", str(document), "--only", name]
    assert ablation.main(arguments) == 0
    text = document.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    for split in ("eval", "test"):
        table = text.split(f"On the {split} split:")[1].split("On the ")[0]
        [full] = cells(table, "full model")
        assert len(full) == 6
        assert all(0 < float(cell) < 1 for cell in full)
        [row] = cells(table, name)
        differences = [[float(part) for part in cell.split(" ± ")] for cell in row]
        assert len(differences) == 6
        assert all(-1 < mean < 1 and spread >= 0 for mean, spread in differences)
        # With plot and title only, the full model has no people either.
        assert any(mean != 0 for mean, _ in differences[:3])
    assert capsys.readouterr().err.count("seed 1") == 2


def cells(table: str, name: str) -> list[list[str]]:
    """Return the cells of the rows with a name, without the name."""
    rows = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return [[cell.strip() for cell in row.strip("| ").split("|")[1:]] for row in rows]


def test_differences_are_paired() -> None:
    full = [{Split.EVAL: [0.5, 0.6]}, {Split.EVAL: [0.7, 0.6]}]
    other = [{Split.EVAL: [0.4, 0.6]}, {Split.EVAL: [0.58, 0.6]}]
    table = ablation._table(Split.EVAL, {"full model": full, "other": other})
    assert cells(table, "full model") == [["0.6000", "0.6000"]]
    assert cells(table, "other") == [["-0.1100 ± 0.0141", "+0.0000 ± 0.0000"]]


def test_a_single_seed_has_no_deviation() -> None:
    scores = {"full model": [{Split.EVAL: [0.5]}], "other": [{Split.EVAL: [0.4]}]}
    assert cells(ablation._table(Split.EVAL, scores), "other") == [["-0.1000"]]


def test_movies_with_the_same_split_key_are_in_the_same_half() -> None:
    groups = np.array([4, 7, 4, 9, 12], np.int64)
    inputs = {
        xf.SPLIT_GROUP: tf.constant(groups),
        xf.PLOT_WORDS: tf.ragged.constant([[1], [2, 3], [], [4], [5]], dtype=tf.int32),
    }
    first, second = ablation._halves(Rows(inputs, np.eye(5, 22, dtype=np.float32)))
    assert first.inputs[xf.PLOT_WORDS].to_list() == [[1], [], [5]]
    assert second.inputs[xf.PLOT_WORDS].to_list() == [[2, 3], [4]]
    np.testing.assert_array_equal(second.labels, np.eye(5, 22)[[1, 3]])


def test_the_training_inputs_of_a_model_are_found(
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


def test_a_directory_without_a_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ablation.main(["--output", str(tmp_path)]) == 2
    assert "there is no served model" in capsys.readouterr().err
