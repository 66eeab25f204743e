"""The git commit and the command line of a run."""

import subprocess
from pathlib import Path

import pytest

from metadata import COMMAND_PROPERTY, COMMIT_PROPERTY
from pipeline import provenance


def test_commit_and_changes(tmp_path: Path) -> None:
    assert provenance.collect(tmp_path)[COMMIT_PROPERTY] == ""
    file = tmp_path / "code.py"
    file.write_text("1")
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for arguments in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    commit = provenance.collect(tmp_path)[COMMIT_PROPERTY]
    assert len(commit) == 40
    (tmp_path / "notes.txt").write_text("not part of the code")
    assert provenance.collect(tmp_path)[COMMIT_PROPERTY] == commit
    file.write_text("2")
    changed = provenance.collect(tmp_path)[COMMIT_PROPERTY]
    assert changed == f"{commit}, with changes that are not committed"
    subdirectory = tmp_path / "site-packages"
    subdirectory.mkdir()
    assert provenance.collect(subdirectory)[COMMIT_PROPERTY] == ""


def test_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/bin/ordained", "run", "--table", "my films.csv"])
    command = provenance.collect(tmp_path)[COMMAND_PROPERTY]
    assert command == "ordained run --table 'my films.csv'"
    monkeypatch.setenv("PATH", "")
    (tmp_path / ".git").mkdir()
    assert provenance.collect(tmp_path)[COMMIT_PROPERTY] == ""
