"""Atomic file writes, and locks between processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import TryAgainError

_POLL_SECONDS = 0.05


def fsync(path: Path) -> None:
    """Wait until the contents of a file, or the entries of a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def durable_rename(path: Path, target: Path) -> None:
    """Rename within one file system and wait until the rename is on disk."""
    path.replace(target)
    for parent in {path.parent, target.parent}:
        fsync(parent)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Replace a file as a whole, or leave it unchanged on an error.

    Args:
        path: File to write, in an existing directory. The permissions of an existing file are kept.

    Yields:
        Path of a temporary file in the same directory, to be written in the block. It replaces
        `path` at the end of the block and is deleted if the block raises an exception.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        fsync(part)
        durable_rename(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def atomic_write_text(path: Path, text: str) -> None:
    """Replace a file by UTF-8 text as a whole, or leave it unchanged on an error."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def lock(path: Path, message: str, *, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold an exclusive lock on a file or directory, which also ends when the process ends.

    Args:
        path: Existing directory, or a file, which is created if it does not exist. The process
            that holds the lock may rename or delete it.
        message: Message of the error if another process holds the lock.
        wait_seconds: Float, in seconds. Time to wait for the other process; 0 by default.

    Yields:
        File descriptor of the locked file.

    Raises:
        TryAgainError: Another process holds the lock.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    deadline = time.monotonic() + wait_seconds
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            if _try_lock(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= deadline:
            raise TryAgainError(message)
        time.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int, path: Path) -> bool:
    """Lock an open file; return False if it is locked, or is no longer the file at `path`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except (BlockingIOError, FileNotFoundError):
        return False
