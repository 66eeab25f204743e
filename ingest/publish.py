"""An output directory that is there whole or not at all."""

import fcntl
import filecmp
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schema.errors import UserError

REPORT: Final = "report.json"
REJECTS: Final = "rejects.tsv"
_OURS: Final = re.compile(rf"movies-\d+-of-\d+\.csv|{re.escape(REPORT)}|{re.escape(REJECTS)}")


@dataclass(frozen=True)
class Workplace:
    """Folders beside an output directory, held by one process at a time.

    Attributes:
        output: The directory as the user sees it.
        fresh: Its next contents.
        spool: For files that nobody needs afterwards.
    """

    output: Path
    fresh: Path
    spool: Path

    @property
    def _old(self) -> Path:
        return self.fresh.with_name("old")

    @property
    def kept_rejects(self) -> Path:
        """Where the rejects file is kept if the build stops."""
        return self.output.with_name(f"{self.output.name}.{REJECTS}")

    def recover(self) -> None:
        """Brings the old contents back where a process was killed between the two renames of
        `publish`.
        """
        if self._old.exists() and not self.output.exists():
            self._old.rename(self.output)
        for folder in (self._old, self.fresh, self.spool):
            shutil.rmtree(folder, ignore_errors=True)
        self.fresh.mkdir()
        self.spool.mkdir()

    def publish(self) -> None:
        """Puts the fresh contents in place of the old.

        Files whose bytes did not change keep their time of modification, since caches go by it.
        """
        for path in self.fresh.iterdir():
            before = self.output / path.name
            if before.is_file() and filecmp.cmp(before, path, shallow=False):
                os.utime(path, ns=(before.stat().st_atime_ns, before.stat().st_mtime_ns))
            _sync(path)
        _sync(self.fresh)
        if self.output.exists():
            self.output.rename(self._old)
        self.fresh.rename(self.output)
        _sync(self.output.parent)
        self.kept_rejects.unlink(missing_ok=True)

    def keep_rejects(self) -> None:
        """Saves the rejects file of a build that stopped."""
        if (self.fresh / REJECTS).exists():
            (self.fresh / REJECTS).replace(self.kept_rejects)


@contextmanager
def workplace(output: Path) -> Iterator[Workplace]:
    """Holds the workplace of an output directory, cleaned of what a killed process left.

    Raises:
        UserError: Another process holds it, or the output directory holds files of somebody else.
    """
    output = output.absolute()
    folder = output.with_name(f".{output.name}.partial")
    lock = _locked(folder, output)
    try:
        place = Workplace(output, folder / "fresh", folder / "spool")
        place.recover()
        _require_ours(output)
        yield place
    finally:
        shutil.rmtree(folder)
        os.close(lock)


def _locked(folder: Path, output: Path) -> int:
    """A descriptor that holds the lock of a folder, made if need be."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise UserError(f"{output}: another build is writing there; wait for its end") from None
        # The holder before may have removed the folder between the opening and the locking.
        if folder.exists() and folder.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def _require_ours(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise UserError(f"{output}: is a file; name a folder for the movies")
    others = sorted(path.name for path in output.iterdir() if not _OURS.fullmatch(path.name))
    if others:
        raise UserError(
            f"{output}: holds files that are not of a build ({', '.join(others[:5])}); its "
            "contents would be replaced, so name a new or another folder"
        )


def _sync(path: Path) -> None:
    """Has the file or folder on disk before anything that relies on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
