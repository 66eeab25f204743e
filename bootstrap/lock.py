"""Resolves setup.py into the lock files."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bootstrap import pythons
from bootstrap.environment import LOCK, OVERRIDES
from bootstrap.shell import Log
from bootstrap.tools import Tools


def renew(root: Path, requested: str, upgrade: bool) -> None:
    """Writes requirements.lock and the locks of bootstrap/, for all Pythons and systems at once.

    Args:
        root: the checkout.
        requested: the Python that runs uv; empty to take the first that fits.
        upgrade: take the newest versions that setup.py allows, not those of the present lock.

    Raises:
        SetupError, pythons.NoPython: nothing fits together, or the package index cannot be reached.
    """
    folder = Path(tempfile.mkdtemp(prefix="ordained-lock-"))
    log = Log(folder / "lock.log")
    tools = Tools(folder, pythons.choose(requested), log)
    for source, target in (
        (["setup.py", "--all-extras", "--override", OVERRIDES], LOCK),
        (["bootstrap/tools.in"], "bootstrap/tools.lock"),
        # What these ask for beside themselves is not read, and would be all of PyTorch.
        (["bootstrap/mpnet.in", "--no-deps"], "bootstrap/mpnet.lock"),
    ):
        log.say(f"Resolving {source[0]} into {target}")
        log.run(
            [
                tools.uv,
                *("pip", "compile", "--quiet", *source, "--output-file", target),
                *("--universal", "--python-version", "{}.{}".format(*pythons.SUPPORTED[0])),
                *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"),
                *("--custom-compile-command", "make lock"),
                *(["--upgrade"] if upgrade else []),
            ],
            f"resolving {source[0]}",
            tools.environ,
            cwd=root,
        )
    shutil.rmtree(folder)  # Kept on a failure: the log is in it.
