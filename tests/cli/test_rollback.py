"""`ordained rollback` prints the versions before and after, and explains errors."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cli.app import main
from components.pusher import versions
from pipeline.config import RunConfig
from schema import manifest


@pytest.fixture
def model_directory(tmp_path: Path) -> Path:
    """The model directory of the output directory `tmp_path`, with the versions 10, 20 and 30."""
    directory = RunConfig(data=tmp_path, output=tmp_path).model_directory
    for number in (10, 20, 30):
        model = tmp_path / f"model {number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"model {number}")
        manifest.write(model)
        versions.push(model, directory, clock=partial(float, number))
    return directory


def test_the_previous_version_is_served_again(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollback", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{model_directory}: from version 30 to version 20\n"
    assert versions.current(model_directory) == 20


def test_rollback_to_a_version_and_back(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to in ("10", "10", "30"):
        assert main(["rollback", "--output", str(tmp_path), "--to", to]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{model_directory}: from version 30 to version 10",
        f"{model_directory}: version 10 is already served",
        f"{model_directory}: from version 10 to version 30",
    ]
    assert list(versions.served(model_directory)) == [10, 30]
    assert list(versions.rolled_back(model_directory)) == [20]


def test_a_version_of_an_earlier_release_is_served_with_a_note(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model_directory / "20" / "assets.extra" / "manifest.json").unlink()
    assert main(["rollback", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{model_directory}: version 20 has no manifest, so its files were not compared",
        f"{model_directory}: from version 30 to version 20",
    ]


def test_a_damaged_version_is_not_served(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model_directory / "20" / "saved_model.pb").write_text("cut")
    assert main(["rollback", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {model_directory}/20 is damaged: saved_model.pb has changed. Name another version "
        "with --to, or push a model with `ordained run`\n"
    )
    assert versions.current(model_directory) == 30


def test_a_version_is_restored_to_an_empty_directory(
    model_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["rollback", "--output", str(tmp_path), "--to", "10"])
    for version in versions.served(model_directory).values():
        version.rename(tmp_path / version.name)
    capsys.readouterr()
    assert main(["rollback", "--output", str(tmp_path), "--to", "20"]) == 0
    assert capsys.readouterr().out == f"{model_directory}: from version none to version 20\n"


def test_a_user_error_has_status_2_and_no_stack_trace(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "cli", "rollback", "--output", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout) == (2, "")
    assert completed.stderr == (
        f"error: {tmp_path}/serving/movie_genres holds no version. Push a model first with "
        "`ordained run`, or name another output directory with --output.\n"
    )
