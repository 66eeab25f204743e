"""Which folders are versions, as TensorFlow Serving reads their names."""

import os
from pathlib import Path

import pytest

from schema.versions import LARGEST, folders, number


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("1", 1),
        ("007", 7),
        (str(LARGEST), LARGEST),
        (str(LARGEST + 1), None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        (".staging-1", None),
        ("", None),
    ],
)
def test_the_version_of_a_name(name: str, version: int | None) -> None:
    assert number(name) == version


def test_versions_are_the_folders_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert folders(tmp_path / "nowhere") == {}
    for name in ("10", "9", "model", str(LARGEST + 1)):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert list(folders(tmp_path).items()) == [(9, tmp_path / "9"), (10, tmp_path / "10")]


@pytest.mark.skipif(os.getuid() == 0, reason="root may enter every folder")
def test_a_link_into_a_closed_folder_is_no_version(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    base = tmp_path / "base"
    (base / "1").mkdir(parents=True)
    (base / "2").symlink_to(closed / "2")
    assert list(folders(base)) == [1]
    closed.chmod(0o700)
