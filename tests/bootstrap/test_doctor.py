"""The doctor calls only what prevents a run a problem."""

import time
from pathlib import Path

import pytest

from bootstrap import doctor


def test_an_environment_that_is_not_yet_made_is_no_problem(tmp_path: Path) -> None:
    [finding] = doctor._check_environment(tmp_path)
    assert finding == (
        "environment",
        f"{tmp_path / '.venv'} is not yet made; `make run` makes it",
        "",
        True,
    )
    (tmp_path / ".venv").mkdir()
    [finding] = doctor._check_environment(tmp_path)
    assert finding.remedy == "run `make setup`"


@pytest.mark.parametrize(
    ("script", "available", "found"),
    [
        ("echo 29.1.3", True, "and its engine responds"),
        ("echo Cannot connect >&2; exit 1", False, "no engine responds"),
        ("echo", False, "no engine responds"),
        ("exec sleep 60", False, "no engine responds"),
    ],
)
def test_docker_is_available_only_if_its_engine_responds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, available: bool, found: str
) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(doctor, "_DOCKER_SECONDS", 1.0)
    started = time.monotonic()
    finding = doctor._check_docker()
    assert time.monotonic() - started < 20
    assert (finding.available, finding.remedy) == (available, "")
    assert finding.found.startswith(str(program))
    assert found in finding.found


def test_no_model_server_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    optional = [
        doctor.Finding("docker", "not found", available=False),
        doctor.Finding("model server", "the embedded server"),
        doctor.Finding("glibc", "2.17", "take another system"),
    ]
    monkeypatch.setattr(doctor, "findings", lambda *_: iter(optional))
    assert doctor.print_findings(Path(), "") == 1
    words = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert words[:3] == [["-", "docker"], ["ok", "model"], ["WRONG", "glibc"]]
