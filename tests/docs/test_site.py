"""The documentation site is built without a warning: links, headings and docstrings are right."""

import os
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.project import PROJECT, environment


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    built = subprocess.run(
        [*command, str(PROJECT / "docs"), str(tmp_path / "site")],
        env=environment() | {"PYTHONPATH": os.fspath(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()
