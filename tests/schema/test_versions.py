"""Tests of TensorFlow Serving's rules for the names of version directories."""

import os
from pathlib import Path

import pytest

from schema.versions import MAX_VERSION, parse_version, version_directories


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("1", 1),
        ("007", 7),
        (str(MAX_VERSION), MAX_VERSION),
        (str(MAX_VERSION + 1), None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        (".staging-1", None),
        ("", None),
    ],
)
def test_parse_version(name: str, version: int | None) -> None:
    assert parse_version(name) == version


def test_version_directories_are_in_numeric_order(tmp_path: Path) -> None:
    assert version_directories(tmp_path / "nowhere") == {}
    for name in ("10", "9", "model", str(MAX_VERSION + 1)):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert list(version_directories(tmp_path).items()) == [
        (9, tmp_path / "9"),
        (10, tmp_path / "10"),
    ]


@pytest.mark.skipif(os.getuid() == 0, reason="root has permission for every directory")
def test_a_link_into_a_directory_without_permission_is_not_a_version(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    base = tmp_path / "base"
    (base / "1").mkdir(parents=True)
    (base / "2").symlink_to(closed / "2")
    assert list(version_directories(base)) == [1]
    closed.chmod(0o700)
