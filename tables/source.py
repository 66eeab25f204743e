"""Open a file of any kind, decompress it, and say what it is if it is not a table."""

import gzip
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from schema.errors import UserError
from tables.record import printable

READ_BYTES: Final = 1 << 20
"""Number of bytes that are read and decoded at a time."""

_EXPORT: Final = "Export the table as CSV or Parquet."
_DECOMPRESS: Final = "Decompress it, or compress it with gzip or zip."
_NO_TABLES: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook or another Office document", _EXPORT),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"\x89PNG\r\n", "an image", "Choose another file."),
    (b"\xff\xd8\xff", "an image", "Choose another file."),
    (b"GIF8", "an image", "Choose another file."),
    (b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (b"ARROW1", "an Arrow file", _EXPORT),
    (b"\x1f\x8b", "data compressed twice", _DECOMPRESS),
    (b"PK\x03\x04", "a zip file within compressed data", _DECOMPRESS),
    (b"PK\x05\x06", "an empty zip file", "Choose another file."),
    (b"BZh", "a file compressed by bzip2", _DECOMPRESS),
    (b"\xfd7zXZ\0", "a file compressed by xz", _DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "a file compressed by zstd", _DECOMPRESS),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _DECOMPRESS),
    (b"Rar!", "a RAR archive", _DECOMPRESS),
    (b"\0\x05\x16\x07", "attributes of a file that macOS stores beside it", "Choose that file."),
)
"""First bytes of files that are no tables, what they are, and what to do."""

_KINDS: Final = (
    (stat.S_ISDIR, "a directory", "Choose a file in it."),
    (stat.S_ISFIFO, "a FIFO", "Write its content to a file."),
    (stat.S_ISSOCK, "a socket", "Choose a file."),
    (stat.S_ISCHR, "a device", "Choose a file."),
    (stat.S_ISBLK, "a device", "Choose a file."),
)


@dataclass(frozen=True)
class Source:
    """An open file.

    Attributes:
        name: Path of the file, for messages.
        file: Binary file. The content of the file on disk, decompressed, from its first byte.
        on_disk: Binary file. The file on disk, which may be compressed.
        compression: "gzip", "zip" or "".
        start: First bytes of the content, at most `READ_BYTES`.
    """

    name: str
    file: IO[bytes]
    on_disk: IO[bytes]
    compression: str
    start: bytes

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks of at most `READ_BYTES`.

        Raises:
            UserError: The file cannot be read, or its compressed data are corrupt or truncated.
        """
        yield self.start
        while chunk := read(self, READ_BYTES):
            yield chunk


def read(source: Source, size: int) -> bytes:
    """Return the next bytes of the content.

    Raises:
        UserError: The file cannot be read, or its compressed data are corrupt or truncated.
    """
    with _read_errors(source.name):
        return source.file.read(size)


@contextmanager
def _read_errors(name: str) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise UserError(
            f"{name}: the compressed file is truncated. Download or copy it again."
        ) from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{name}: the compressed file is corrupt ({error}). Download or copy it again."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{name}: the zip file cannot be read ({error}). Compress it again, without a password."
        ) from error
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file, which is decompressed if it starts like a gzip or zip file.

    Raises:
        UserError: The file cannot be read, is empty, or is of a kind that is no table.
    """
    with _read_errors(str(path)):
        check_kind(path)
        on_disk = path.open("rb")
    with on_disk:
        yield source_of(str(path), on_disk)


def check_kind(path: Path) -> None:
    """Check that a path is a regular file, without opening it, so that a FIFO does not block.

    Raises:
        UserError: There is nothing, or something else.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(
            f"{path}: a link to {path.readlink()}, which does not exist. Mend the link."
        )
    if not path.exists():
        raise UserError(f"{path}: no such file. Check the name.")
    if path.name.startswith("~$"):
        raise UserError(
            f"{path}: a lock file that Excel keeps beside an open workbook. "
            "Choose the table itself."
        )
    mode = path.stat().st_mode
    for is_kind, kind, remedy in _KINDS:
        if is_kind(mode):
            raise UserError(f"{path}: expected a file, got {kind}. {remedy}")


def source_of(name: str, on_disk: IO[bytes]) -> Source:
    """Return a source that reads an open file, decompressed if it is a gzip or zip file.

    Raises:
        UserError: The file cannot be read, is empty, or is of a kind that is no table.
    """
    with _read_errors(name):
        magic = on_disk.read(4)
        on_disk.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            return _checked(name, cast(IO[bytes], gzip.GzipFile(fileobj=on_disk)), on_disk, "gzip")
        if magic == b"PK\x03\x04":
            archive = zipfile.ZipFile(on_disk)
            return _checked(name, archive.open(_only_member(name, archive)), on_disk, "zip")
    return _checked(name, on_disk, on_disk, "")


def _only_member(name: str, archive: zipfile.ZipFile) -> str:
    """Return the name of the only file in a zip file."""
    members = [
        member
        for member in archive.namelist()
        if not member.endswith("/") and not member.startswith("__MACOSX/")
    ]
    if any(member.startswith("xl/") for member in members):
        raise UserError(f"{name}: expected a table, got an Excel workbook. {_EXPORT}")
    if len(members) != 1:
        raise UserError(
            f"{name}: expected a zip file with one table, got {len(members):,} files "
            f"({printable(', '.join(members)[:300])}). Extract the table that you need."
        )
    return members[0]


def empty_file(name: str) -> UserError:
    """Return the error of a file without content."""
    return UserError(f"{name}: expected a header and rows, got an empty file. Replace the file.")


def _checked(name: str, file: IO[bytes], on_disk: IO[bytes], compression: str) -> Source:
    with _read_errors(name):
        start = file.read(READ_BYTES)
    if not start.strip():
        raise empty_file(name)
    for magic, kind, remedy in _NO_TABLES:
        if start.startswith(magic):
            raise UserError(f"{name}: expected a table, got {kind}. {remedy}")
    beginning = start[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise UserError(
            f"{name}: expected a table, got an HTML page. Download the file that the page links to."
        )
    if beginning.startswith(b"<"):
        raise UserError(f"{name}: expected a table, got XML. {_EXPORT}")
    return Source(name, file, on_disk, compression, start)
