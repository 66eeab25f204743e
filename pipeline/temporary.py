"""A directory for the temporary files of one command.

Beam, TensorFlow and Python write temporary files, and a process that is killed leaves its own
behind. A command therefore has a directory for all of them, which it locks and deletes at its end.
The next command deletes those directories that no living process has locked.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schema.errors import TryAgainError
from schema.files import lock

PREFIX: Final = "ordained-temporary-"
_NEW_PREFIX: Final = f".{PREFIX}"
"""Prefix of a directory that is not locked yet."""

log = logging.getLogger(__name__)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """Use a new directory for all temporary files of this process and its children.

    Yields:
        The directory. It is deleted when the block ends.
    """
    base = Path(tempfile.gettempdir())
    _delete_leftovers(base)
    new = Path(tempfile.mkdtemp(prefix=_NEW_PREFIX, dir=base))
    directory = base / f"{PREFIX}{new.name.removeprefix(_NEW_PREFIX)}"
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    with lock(new, f"{new} is in use"):
        new.rename(directory)
        try:
            tempfile.tempdir = os.environ["TMPDIR"] = str(directory)
            yield directory
        finally:
            tempfile.tempdir, variable = before
            os.environ.pop("TMPDIR")
            if variable is not None:
                os.environ["TMPDIR"] = variable
            shutil.rmtree(directory, ignore_errors=True)


def _delete_leftovers(base: Path) -> None:
    """Delete the directories of commands that were killed."""
    for leftover in base.glob(f"{PREFIX}*"):
        if leftover.is_symlink() or not leftover.is_dir() or leftover.stat().st_uid != os.getuid():
            continue
        try:
            with lock(leftover, f"{leftover} is in use"):
                shutil.rmtree(leftover, ignore_errors=True)
                log.info("deleted %s, which a killed command left", leftover)
        except TryAgainError:
            # Its command is still at work.
            continue
