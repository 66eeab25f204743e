"""Replace the contents of an output directory atomically."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from schema.errors import UserError
from schema.files import durable_rename, fsync, lock
from schema.names import INGEST_SUMMARY_FILE, MOVIES_SHARD, REJECTS_FILE, UNLABELLED_SHARD

_OUTPUT_FILES: Final = (
    INGEST_SUMMARY_FILE,
    "report.json",  # the summary of earlier versions
    REJECTS_FILE,
    *(shard.replace("{:05}", "[0-9]" * 5) for shard in (MOVIES_SHARD, UNLABELLED_SHARD)),
)


@dataclass(frozen=True)
class StagedOutput:
    """Output directory whose next contents are prepared in a directory beside it.

    Attributes:
        output: Output directory.
        staging: Directory of the next contents.
        scratch: Directory of temporary files.
        saved_rejects: File beside `output` that keeps the rejected lines of a failed build.
    """

    output: Path
    staging: Path
    scratch: Path
    saved_rejects: Path

    def recover(self) -> None:
        """Restore the old contents if a process was killed between the renames of a replacement."""
        old = self.staging.with_name("old")
        if old.exists() and not self.output.exists():
            durable_rename(old, self.output)
        shutil.rmtree(self.staging.parent, ignore_errors=True)
        self.staging.mkdir(parents=True)
        self.scratch.mkdir()

    def replace_output(self) -> None:
        """Replace the contents of the output directory by the staged files.

        If the staged files cannot be renamed, the old contents stay.
        """
        for path in self.staging.iterdir():
            fsync(path)
        fsync(self.staging)
        old = self.staging.with_name("old")
        if self.output.exists():
            durable_rename(self.output, old)
        try:
            durable_rename(self.staging, self.output)
        except BaseException:
            if old.exists() and not self.output.exists():
                durable_rename(old, self.output)
            raise
        self.saved_rejects.unlink(missing_ok=True)

    def save_rejects(self) -> None:
        """Keep the rejects file of a failed build."""
        if (self.staging / REJECTS_FILE).exists():
            durable_rename(self.staging / REJECTS_FILE, self.saved_rejects)


@contextmanager
def staged_output(output: Path) -> Iterator[StagedOutput]:
    """Lock an output directory, delete what a killed process left and prepare the staging area.

    Args:
        output: Output directory. Its parents are created if necessary.

    Yields:
        The staged output. Nothing in `output` changes unless the block calls
        `replace_output`.

    Raises:
        TryAgainError: Another process is writing to the directory.
        UserError: The directory contains files that ingest did not write.
    """
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    saved_rejects = output.with_name(f"{output.name}.{REJECTS_FILE}")
    lock_file = output.with_name(f".{output.name}.lock")
    message = f"{output}: another build is writing to this directory. Wait until it has finished."
    with lock(lock_file, message):
        try:
            staged = StagedOutput(output, partial / "staging", partial / "scratch", saved_rejects)
            staged.recover()
            _check_contents(output)
            yield staged
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            lock_file.unlink()


def _check_contents(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: expected a directory, got a file. Choose another directory.")
    names = sorted(path.name for path in output.glob("*"))
    others = [name for name in names if not any(fnmatch(name, own) for own in _OUTPUT_FILES)]
    if others:
        raise UserError(
            f"{output}: contains files that ingest did not write ({', '.join(others[:5])}). "
            "They would be deleted: move them, or choose another directory."
        )
