"""The directory for the temporary files of a command."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.temporary import PREFIX, temporary_directory

COMMAND = """
import sys, tempfile
from pipeline.temporary import temporary_directory
with temporary_directory() as directory:
    tempfile.mkdtemp()
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty directory as the one for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def start() -> tuple[subprocess.Popen[str], Path]:
    """Start a command; return it and its directory."""
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    return command, Path(command.stdout.readline().strip())


def test_temporary_files_of_a_command_and_its_children_are_deleted(base: Path) -> None:
    with temporary_directory() as directory:
        assert directory.parent == base
        assert Path(tempfile.mkdtemp()).parent == directory
        child = "import tempfile; print(tempfile.mkdtemp())"
        printed = subprocess.check_output([sys.executable, "-c", child], text=True)
        assert Path(printed.strip()).parent == directory
    assert list(base.iterdir()) == []
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(base), str(base))


def test_what_a_killed_command_left_is_deleted_by_the_next(base: Path) -> None:
    living, kept = start()
    killed, left = start()
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    others = base / "ordained-other"
    others.mkdir()
    assert list(left.iterdir())
    with temporary_directory() as directory:
        assert {*base.iterdir()} == {kept, others, directory}
        assert directory.name.startswith(PREFIX)
    assert list(kept.iterdir())
    living.communicate("")
    assert list(base.iterdir()) == [others]
