"""Atomic file writes, copies, checksums, and locks between processes."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import FULL_DISK_ERRNOS, TryAgainError, UserError

_POLL_SECONDS = 0.05


def fsync(path: Path) -> None:
    """Wait until the contents of a file, or the entries of a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with _named_in_errors(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def durable_rename(path: Path, target: Path) -> None:
    """Rename within one file system and wait until the rename is on disk."""
    path.replace(target)
    for parent in {path.parent, target.parent}:
        fsync(parent)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_digest(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and contents of files, in the given order."""
    lines = "".join(f"{sha256(path)}  {path.name}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def files_and_directories(directory: Path) -> list[Path]:
    """Return all files and directories below a directory, sorted by path.

    Raises:
        UserError: There is something else, such as a link to a directory.
    """
    paths = sorted(directory.rglob("*"))
    for path in paths:
        if not path.is_file() and (not path.is_dir() or path.is_symlink()):
            raise UserError(f"{path} is neither a file nor a directory. Remove it from there")
    return paths


def copy_directory(source: Path, target: Path) -> None:
    """Copy a directory to one that is new or empty, and flush the copy to disk.

    The copy has the permissions of new files, not those of `source`, so that a server under another
    user can read a model that was exported to a private directory.

    Raises:
        OSError: The copy failed. If the disk is full, the error names `target`.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in files_and_directories(source):
            copy = target / path.relative_to(source)
            if path.is_dir():
                copy.mkdir(exist_ok=True)
            else:
                shutil.copyfile(path, copy)
        for path in (target, *files_and_directories(target)):
            fsync(path)
    except OSError as error:
        if error.errno in FULL_DISK_ERRNOS:
            # The error of `copyfile` names the file that was read.
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


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
        with _named_in_errors(part):
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
def _named_in_errors(path: Path) -> Iterator[None]:
    """Set the file name of an OSError of the block that has none, as that of a failed write."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


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
