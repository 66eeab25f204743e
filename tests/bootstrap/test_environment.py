"""Tests of the stamp, of deleting an environment, and of the tools of the set-up."""

import json
import re
import sys
from pathlib import Path

import pytest

from bootstrap import environment, tools
from bootstrap.process import Log, SetupError, clean_environ

ROOT = Path(__file__).parents[2]
VERSION = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Create a checkout with a finished environment that contains only an interpreter."""
    home = tmp_path / "python" / "bin"
    home.mkdir(parents=True)
    (home / f"python{VERSION}").symlink_to(sys.executable)
    root = tmp_path / "checkout"
    (root / "schema").mkdir(parents=True)
    (root / "schema" / "__init__.py").touch()
    (root / "setup.py").write_text("setup()\n")
    (root / environment.LOCK).write_text("numpy==2.0.0\n")
    venv = root / environment.DIRECTORY
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(home / f"python{VERSION}")
    (venv / "pyvenv.cfg").write_text(f"home = {home}\nversion = {VERSION}.0\n")
    stamp = environment.expected_stamp(root, VERSION)
    (venv / environment.STAMP).write_text(json.dumps(stamp))
    return root


def test_a_finished_environment_is_up_to_date(checkout: Path) -> None:
    assert environment.is_up_to_date(checkout, "")
    assert environment.is_up_to_date(checkout, sys.executable)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (environment.LOCK, "numpy==2.0.1\n"),
        ("setup.py", "setup(name='x')\n"),
        ("transform/__init__.py", ""),
    ],
)
def test_a_change_of_a_source_makes_the_environment_outdated(
    checkout: Path, name: str, content: str
) -> None:
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text(content)
    assert environment.read_stamp(checkout / environment.DIRECTORY) is not None
    assert not environment.is_up_to_date(checkout, "")


@pytest.mark.parametrize("stamp", ["", "{", "[]", "{}"])
def test_an_environment_without_valid_stamp_is_not_finished(checkout: Path, stamp: str) -> None:
    path = checkout / environment.DIRECTORY / environment.STAMP
    path.write_text(stamp) if stamp else path.unlink()
    assert environment.read_stamp(checkout / environment.DIRECTORY) is None
    assert not environment.is_up_to_date(checkout, "")


def test_an_environment_without_interpreter_is_not_finished(checkout: Path) -> None:
    (checkout.parent / "python" / "bin" / f"python{VERSION}").unlink()
    assert environment.read_stamp(checkout / environment.DIRECTORY) is None


def test_an_environment_in_a_moved_checkout_is_outdated(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    assert not environment.is_up_to_date(moved, "")


def test_a_missing_lock_file_raises(checkout: Path) -> None:
    (checkout / environment.LOCK).unlink()
    with pytest.raises(SetupError, match=r"requirements\.lock: the file is missing"):
        environment.is_up_to_date(checkout, "")


def test_remove_deletes_complete_and_incomplete_environments(checkout: Path) -> None:
    venv = checkout / environment.DIRECTORY
    outside = checkout.parent / "python"
    (venv / "lib64").symlink_to(outside)
    environment.remove(venv)
    assert list(venv.iterdir()) == []
    assert (outside / "bin").is_dir()
    (venv / "setup.log").touch()
    (venv / "glibc").mkdir()
    environment.remove(venv)
    assert list(venv.iterdir()) == []
    environment.remove(venv)
    environment.remove(checkout / "missing")


def test_remove_refuses_other_directories(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(SetupError, match="this is not a virtual environment"):
        environment.remove(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("uv 0.9.13", (0, 9, 13)),
        ("uv 0.5.1 (f399a5271 2024-11-08)", (0, 5, 1)),
        ("uvicorn 0.30.0", None),
        ("", None),
    ],
)
def test_parse_uv_version(text: str, version: tuple[int, ...] | None) -> None:
    assert tools.parse_uv_version(text) == version


@pytest.mark.parametrize(
    ("version", "found"), [("0.7.99", False), ("0.8.0", True), ("1.0.0", True)]
)
def test_uv_on_path_ignores_old_versions(tmp_path: Path, version: str, found: bool) -> None:
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\necho uv {version}\n")
    program.chmod(0o755)
    assert tools.uv_on_path({"PATH": str(tmp_path)}) == (program if found else None)


def test_cache_variables_for_a_home_without_permission(tmp_path: Path) -> None:
    moved = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    assert tools.cache_variables({"HOME": "/nonexistent"}, tmp_path / "cache") == moved
    assert tools.cache_variables({"HOME": str(tmp_path)}, tmp_path / "cache") == {}
    configured = {"HOME": "/nonexistent", "UV_CACHE_DIR": "/var/cache/uv"}
    assert tools.cache_variables(configured, tmp_path / "cache") == {}


def test_clean_environ_removes_redirecting_variables() -> None:
    environ = {
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/y",
        "PIP_TARGET": "/z",
        "HTTPS_PROXY": "http://p",
    }
    assert clean_environ(environ) == {
        "HTTPS_PROXY": "http://p",
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def test_the_error_of_a_failed_command_has_the_last_lines_and_the_log(tmp_path: Path) -> None:
    log = Log(tmp_path / "new" / "setup.log")
    with pytest.raises(SetupError) as caught:
        log.run(["sh", "-c", "seq 20; exit 3"], "counting", {"PATH": "/usr/bin:/bin"})
    lines = str(caught.value).splitlines()
    assert lines[0] == "counting failed with status 3:"
    assert lines[1:-1] == [f"    {number}" for number in range(9, 21)]
    assert lines[-1] == f"See the log: {log.path}"
    assert log.path.read_text().splitlines()[1:] == [str(number) for number in range(1, 21)]


def test_a_missing_command_raises(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"counting could not be started: .*nowhere"):
        Log(tmp_path / "log").run(["/nowhere/count"], "counting", {})


def test_lock_files_have_hashes_and_no_index() -> None:
    for name in (environment.LOCK, "bootstrap/tools.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert not re.search(r"^--", text, flags=re.MULTILINE)
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in block for block in blocks)
        assert all("==" in block.splitlines()[0] for block in blocks)
