"""`ordained rollback` says from which version to which, and what a user did wrong."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cli.app import main
from components.pusher import versions
from pipeline.config import RunConfig


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The model directory of the output directory `tmp_path`, with the versions 10, 20, 30."""
    folder = RunConfig(data=tmp_path, output=tmp_path).model_directory
    for number in (10, 20, 30):
        model = tmp_path / f"model {number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"model {number}")
        versions.publish(model, folder, clock=partial(float, number))
    return folder


def test_the_version_before_becomes_the_served_one(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollback", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{base}: from version 30 to version 20\n"
    assert versions.current(base) == 20


def test_a_chosen_version_and_the_way_back(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to in ("10", "10", "30"):
        assert main(["rollback", "--output", str(tmp_path), "--to", to]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{base}: from version 30 to version 10",
        f"{base}: version 10 is already served",
        f"{base}: from version 10 to version 30",
    ]
    assert list(versions.served(base)) == [10, 30]
    assert list(versions.rolled_back(base)) == [20]


def test_a_version_brought_back_into_an_empty_directory(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["rollback", "--output", str(tmp_path), "--to", "10"])
    for version in versions.served(base).values():
        version.rename(tmp_path / version.name)
    capsys.readouterr()
    assert main(["rollback", "--output", str(tmp_path), "--to", "20"]) == 0
    assert capsys.readouterr().out == f"{base}: from version none to version 20\n"


def test_a_mistake_ends_with_status_2_and_no_stack_trace(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "rollback", "--output", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {tmp_path}/serving/movie_genres holds no version. Push a model first "
        "(`make run`)\n"
    )
