"""Files that are whole or not there, and locks between processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import TryAgainError

_POLL_SECONDS = 0.05


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's entries, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(path: Path, target: Path) -> None:
    """Rename within one file system and wait until the rename is on disk."""
    path.replace(target)
    for parent in {path.parent, target.parent}:
        sync(parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file that is either whole or as it was before.

    Args:
        path: the file to write; its folder exists. An existing file passes its permissions on.

    Yields:
        Where to write, beside `path`. At the end of the block this file is flushed to disk and
        takes the place of `path`; if the block raises, it is deleted.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        sync(part)
        move(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 that is either whole or as it was before."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def lock(path: Path, held: str, *, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold an exclusive lock on a file or folder; it ends with the process, however that ends.

    Args:
        path: an existing folder, or a file, which is created if it does not exist. Whoever holds
            the lock may rename or delete it.
        held: the message of the error if another process holds the lock.
        wait_seconds: how long to wait for the other process.

    Yields:
        The descriptor of the locked file.

    Raises:
        TryAgainError: another process holds the lock.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    deadline = time.monotonic() + wait_seconds
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            if _locked(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= deadline:
            raise TryAgainError(held)
        time.sleep(_POLL_SECONDS)


def _locked(descriptor: int, path: Path) -> bool:
    """Lock an open file; False if another process holds it, or has just renamed or deleted it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except (BlockingIOError, FileNotFoundError):
        return False
