"""An output directory that is there whole or not at all."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from schema.errors import UserError
from schema.files import lock, move, sync
from schema.names import INGEST_SUMMARY_FILE, MOVIES_SHARD, REJECTS_FILE

_OURS: Final = (INGEST_SUMMARY_FILE, REJECTS_FILE, MOVIES_SHARD.replace("{:05}", "[0-9]" * 5))


@dataclass(frozen=True)
class Workplace:
    """Folders beside an output directory, held by one process at a time.

    Attributes:
        output: The directory as the user sees it.
        fresh: Its next contents.
        spool: For files that nobody needs afterwards.
        kept_rejects: Where the rejects file is kept if the build stops.
    """

    output: Path
    fresh: Path
    spool: Path
    kept_rejects: Path

    def recover(self) -> None:
        """Brings the old contents back if a process was killed between `publish`'s two renames."""
        old = self.fresh.with_name("old")
        if old.exists() and not self.output.exists():
            move(old, self.output)
        shutil.rmtree(self.fresh.parent, ignore_errors=True)
        self.fresh.mkdir(parents=True)
        self.spool.mkdir()

    def publish(self) -> None:
        """Puts the fresh contents in place of the old.

        Files whose bytes did not change keep their time of modification, since caches go by it.
        """
        for path in self.fresh.iterdir():
            before = self.output / path.name
            if before.is_file() and filecmp.cmp(before, path, shallow=False):
                os.utime(path, ns=(before.stat().st_atime_ns, before.stat().st_mtime_ns))
            sync(path)
        sync(self.fresh)
        if self.output.exists():
            move(self.output, self.fresh.with_name("old"))
        move(self.fresh, self.output)
        self.kept_rejects.unlink(missing_ok=True)

    def keep_rejects(self) -> None:
        """Saves the rejects file of a build that stopped."""
        if (self.fresh / REJECTS_FILE).exists():
            move(self.fresh / REJECTS_FILE, self.kept_rejects)


@contextmanager
def workplace(output: Path) -> Iterator[Workplace]:
    """Holds the workplace of an output directory, cleaned of what a killed process left.

    Raises:
        TryAgainError: Another process holds it.
        UserError: The output directory holds files of somebody else.
    """
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f".{output.name}.partial")
    rejects = output.with_name(f"{output.name}.{REJECTS_FILE}")
    lock_file = output.with_name(f".{output.name}.lock")
    with lock(lock_file, f"{output}: another build is writing there; wait for its end"):
        try:
            place = Workplace(output, folder / "fresh", folder / "spool", rejects)
            place.recover()
            _require_ours(output)
            yield place
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock_file.unlink()


def _require_ours(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; name a folder for the movies")
    names = sorted(path.name for path in output.glob("*"))
    others = [name for name in names if not any(fnmatch(name, ours) for ours in _OURS)]
    if others:
        raise UserError(
            f"{output}: holds files that are not of a build ({', '.join(others[:5])}); its "
            "contents would be replaced, so name a new or another folder"
        )
