"""Test of the script that serves a model, run on the packages of this checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from schema.names import MODEL_NAME, SERVING_DIRECTORY
from tests.data.tiny_model import save_tiny_model

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_script_serves_a_model(tmp_path: Path) -> None:
    script = ROOT / "bootstrap" / "check_serving.py"
    command = [sys.executable, script, tmp_path]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().returncode != 0
    save_tiny_model(tmp_path / SERVING_DIRECTORY / MODEL_NAME / "1")
    completed = run()
    assert completed.returncode == 0, completed.stderr
    assert "starting the embedded server" in completed.stdout
    assert "Genre(name=" in completed.stdout
