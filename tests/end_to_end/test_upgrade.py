"""What users of the commit e0087b2 meet: their output directory, configuration and served model."""

import sqlite3
import tarfile
from pathlib import Path
from typing import Final

import pytest
import tensorflow as tf

from schema import names
from schema.errors import ExitStatus
from tests.end_to_end.project import Project

KEPT: Final = Path(__file__).parents[1] / "data" / "output_e0087b2.tar.xz"
"""The output directory of a run of the small catalogue, and its settings, as that commit wrote
them."""

FORMER_PLACE: Final = "/srv/movies/output"
"""Where the output directory was; ML Metadata has absolute paths."""


@pytest.fixture
def upgraded(tmp_path: Path) -> Project:
    """Today's sources and settings with the output directory of e0087b2."""
    project = Project(tmp_path)
    project.make()
    with tarfile.open(KEPT) as archive:
        archive.extractall(tmp_path, [one for one in archive if one.name.startswith("output")])
    with sqlite3.connect(project.output / names.METADATA_FILE) as metadata:
        for table, column in (
            ("Artifact", "uri"),
            ("ArtifactProperty", "string_value"),
            ("ExecutionProperty", "string_value"),
        ):
            metadata.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (FORMER_PLACE, str(project.output)),
            )
    metadata.close()
    return project


def former_settings(folder: Path) -> Path:
    with tarfile.open(KEPT) as archive:
        archive.extract("data/ordained.yaml", folder)
    return folder / "data" / "ordained.yaml"


def test_settings_of_e0087b2_are_refused_with_their_new_names(
    upgraded: Project, tmp_path: Path
) -> None:
    settings = former_settings(tmp_path / "former")

    run = upgraded.run_here("--config", str(settings))

    assert run.status == ExitStatus.USER_ERROR
    lines = run.errors.removeprefix("error: ").splitlines()
    assert (
        f"{settings}: gate.baseline_tolerance is now called gate.simple_baseline_tolerance" in lines
    )
    assert (
        f"{settings}: hparams.text_encoder is now word_encoder and sentence_encoder: write "
        "`word_encoder: cnn` and `sentence_encoder: none`"
    ) in lines
    # One line for each setting, with its new name or the reason why it is gone.
    assert len(lines) == 8
    assert all(" is now " in line or " is gone: " in line for line in lines)


def test_a_served_model_of_e0087b2_answers(upgraded: Project) -> None:
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
def test_an_output_directory_of_e0087b2_is_continued(upgraded: Project) -> None:
    [former] = upgraded.served

    run = upgraded.run_here()

    assert run.status == ExitStatus.OK, run.output + run.errors
    assert "macro-F1" in run.output
    served = upgraded.served
    assert former in served
    assert max(served) > former
