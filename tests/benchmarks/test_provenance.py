"""Provenance of benchmark figures."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.provenance import provenance

ROOT = Path(__file__).parents[2]


def output_of(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_command_has_no_paths_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--data", "/home/me/imdb", "../other", "runs/imdb"])
    line = provenance("benchmarks.some")
    assert line.startswith("`python -m benchmarks.some --data imdb other runs/imdb`, ")


def test_date_commit_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x"])
    before = datetime.now(UTC).date()
    found = re.fullmatch(
        r"`python -m benchmarks\.some`, (?P<day>\d{4}-\d\d-\d\d), commit (?P<commit>[0-9a-f]{7,40})"
        r"(?P<dirty>-dirty)?, (?P<processor>.+) in (?:float32|bfloat16), (?P<cores>\d+) cores, "
        r"(?P<memory>\d+) GB, Linux, Python (?P<python>\S+)",
        provenance("benchmarks.some"),
    )
    assert found is not None
    assert found["day"] in {str(before), str(before + timedelta(days=1))}
    assert output_of("git", "rev-parse", "HEAD").startswith(found["commit"])
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no") != ""
    assert bool(found["dirty"]) == changed
    processors = Path("/proc/cpuinfo").read_text()
    if names := re.findall(r"^model name\s*: (.*)$", processors, re.M):
        assert found["processor"] == names[0].strip()
    assert int(found["cores"]) == len(re.findall(r"^processor\s*:", processors, re.M))
    [kilobytes] = re.findall(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    assert abs(int(found["memory"]) - int(kilobytes) * 1024 / 1e9) < 1
    assert output_of(sys.executable, "--version").strip() == f"Python {found['python']}"
