"""Git commit and command line of a run, which ML Metadata records with the run."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from metadata import COMMAND_PROPERTY, COMMIT_PROPERTY

_CHECKOUT: Final = Path(__file__).resolve().parent.parent


def collect(checkout: Path = _CHECKOUT) -> dict[str, str]:
    """Return the git commit of the code and the command line, by name of the property.

    Args:
        checkout: Directory with the code of the project.
    """
    program, *arguments = sys.argv
    return {
        COMMIT_PROPERTY: _commit(checkout),
        COMMAND_PROPERTY: shlex.join([Path(program).name, *arguments]),
    }


def _commit(checkout: Path) -> str:
    """Return the commit of a checkout and whether files differ from it; empty without git."""
    # An installed package may lie inside the checkout of another project.
    if not (checkout / ".git").exists():
        return ""
    commit, changes = (
        _git(checkout, *arguments)
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    return f"{commit}, with changes that are not committed" if commit and changes else commit


def _git(checkout: Path, *arguments: str) -> str:
    """Return the output of git; empty if git is missing or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
