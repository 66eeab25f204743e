"""The reference of the command line is the one that Typer generates."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "cli.md"
    subprocess.run(
        [
            *(sys.executable, "-m", "typer", "cli.app", "utils", "docs", "--name", "ordained"),
            *("--title", "Command line", "--output", str(page)),
        ],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    committed = (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert committed == page.read_text(encoding="utf-8"), "`make docs` writes docs/cli.md anew"
