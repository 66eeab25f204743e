"""Output directory, configuration and served model of commit e0087b2 with the present code."""

import sqlite3
import tarfile
from pathlib import Path
from typing import Final

import pytest
import tensorflow as tf

from schema import names
from schema.errors import ExitStatus
from tests.end_to_end.project import Project

ARCHIVE: Final = Path(__file__).parents[1] / "data" / "output_e0087b2.tar.xz"
"""Output directory and settings of a run of the small catalogue with that commit."""

FORMER_OUTPUT: Final = "/srv/movies/output"
"""Path of the output directory in that run; ML Metadata has absolute paths."""


@pytest.fixture
def upgraded(tmp_path: Path) -> Project:
    """Present sources and settings with the output directory of e0087b2."""
    project = Project(tmp_path)
    project.create()
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, [one for one in archive if one.name.startswith("output")])
    with sqlite3.connect(project.output / names.METADATA_FILE) as metadata:
        for table, column in (
            ("Artifact", "uri"),
            ("ArtifactProperty", "string_value"),
            ("ExecutionProperty", "string_value"),
        ):
            metadata.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (FORMER_OUTPUT, str(project.output)),
            )
    metadata.close()
    return project


def extract_former_settings(directory: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extract("data/ordained.yaml", directory)
    return directory / "data" / "ordained.yaml"


def test_settings_of_e0087b2_are_refused_with_upgrade_hints(
    upgraded: Project, tmp_path: Path
) -> None:
    settings = extract_former_settings(tmp_path / "former")

    run = upgraded.run_in_process("--config", str(settings))

    assert run.status == ExitStatus.USER_ERROR
    lines = run.errors.removeprefix("error: ").splitlines()
    assert (
        f"{settings}: gate.baseline_tolerance was renamed to gate.simple_baseline_tolerance"
        in lines
    )
    assert (
        f"{settings}: hparams.text_encoder was replaced by word_encoder and sentence_encoder. "
        "Write `word_encoder: cnn` and `sentence_encoder: none`."
    ) in lines
    # There is one line per setting, with its new name or the reason for its removal.
    assert len(lines) == 8
    assert all(" was re" in line for line in lines)


def test_a_served_model_of_e0087b2_predicts(upgraded: Project) -> None:
    [version] = upgraded.served.values()

    model = tf.saved_model.load(str(version))
    answer = model.serving_default(
        plot=tf.constant(["A sheriff hunts an outlaw through the desert."])
    )

    assert set(answer) == {
        names.GENRES_OUTPUT,
        names.PROBABILITIES_OUTPUT,
        names.PREDICTED_OUTPUT,
    }
    assert answer[names.PREDICTED_OUTPUT].numpy().any()


@pytest.mark.slow
def test_a_run_in_an_output_directory_of_e0087b2(upgraded: Project) -> None:
    [former] = upgraded.served

    run = upgraded.run_in_process()

    assert run.status == ExitStatus.OK, run.output + run.errors
    assert "macro-F1" in run.output
    served = upgraded.served
    assert former in served
    assert max(served) > former
