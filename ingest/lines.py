"""Read large text files, compressed or not, in blocks of lines with exact line numbers.

Lines that no table could hold (invalid UTF-8, control characters) are rejected by line number. A
corrupt gzip file raises an error.
"""

import gzip
import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from schema.errors import UserError

Item = TypeVar("Item")
OnBytes = Callable[[int], None]
"""Callback for progress within a file: number of bytes read from disk so far."""
Progress = Callable[[str, int, int], None]
"""Callback for progress: name of the step, bytes done, and bytes in total (0 if unknown)."""

MAX_LINE_BYTES: Final = 1 << 20
"""Maximum length of a line, in bytes. A longer line is rejected."""

REJECTED_LINE: Final = "\x1f"
"""Replaces a rejected line in a block, so that the other lines keep their numbers."""

UNUSED_CHARACTER: Final = "\x1e"
"""Character that no line of a block contains; serves as delimiter for lines without columns."""

_READ_BYTES: Final = 1 << 18
_BLOCK_BYTES: Final = 1 << 26
_GZIP_MAGIC: Final = b"\x1f\x8b"
_CONTROL: Final = (b"\0", UNUSED_CHARACTER.encode(), REJECTED_LINE.encode())


class Reject(NamedTuple):
    """Malformed line or record."""

    file: str
    line: int
    reason: str
    text: str


class RejectLog:
    """Writer of the rejects file.

    The columns, separated by tabs, are `file`, `line`, `reason` and `text`, the start of the line.

    Attributes:
        final_path: Path of the file after the build, for messages.
        counts: Number of rejects so far, by file and reason.
    """

    def __init__(self, path: Path, final_path: Path) -> None:
        """Create the file at `path`."""
        self.final_path = final_path
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write("file\tline\treason\ttext\n")

    def add(self, rejects: Iterable[Reject]) -> None:
        """Write the rejects of one block, in the order of their lines."""
        for reject in sorted(rejects):
            self.note(reject)
            self.counts[reject.file][reject.reason] += 1

    def note(self, reject: Reject) -> None:
        """Write a row that is not counted: it says what is wrong with a row that is kept."""
        file, line, reason, text = reject
        start = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:200])
        self._file.write(f"{file}\t{line}\t{reason}\t{start}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def decompressed_bytes(path: Path, on_bytes: OnBytes = lambda _: None) -> Iterator[bytes]:
    """Read a file, which is decompressed if it starts like a gzip file.

    Args:
        path: File to read.
        on_bytes: Function that is called with the number of bytes read so far.

    Yields:
        The next bytes of the content.

    Raises:
        UserError: The file cannot be read, or its gzip data are corrupt or truncated.
    """
    try:
        with path.open("rb") as file:
            is_compressed = file.peek(2).startswith(_GZIP_MAGIC)
            content = gzip.GzipFile(fileobj=file) if is_compressed else file
            while data := content.read(_READ_BYTES):
                on_bytes(file.tell())
                yield data
    except EOFError as error:
        raise UserError(
            f"{path}: the gzip file is truncated. Download or copy it again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path}: the gzip file is corrupt ({error}). Download or copy it again."
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


@dataclass
class Block:
    """Consecutive lines of a file.

    Attributes:
        first: Number of the first line, from 1.
        data: Valid UTF-8. Every line ends with a line feed and none is empty.
        rejects: Rejected lines, each replaced by `REJECTED_LINE` in `data`.
    """

    first: int
    data: bytes
    rejects: list[Reject] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of lines."""
        return self.data.count(b"\n")


def blocks(path: Path, on_bytes: OnBytes, size: int = _BLOCK_BYTES) -> Iterator[Block]:
    """Read a file in blocks of lines.

    Lines end with LF or CR LF. Other CRs are replaced by spaces, and a byte order mark is removed.

    Args:
        path: File to read, compressed or not.
        on_bytes: Function that is called with the number of bytes read so far.
        size: Integer, in bytes. Approximate size of a block; 64 MiB by default.

    Yields:
        The next block.

    Raises:
        UserError: The file cannot be read, or a line is too long for a text file.
    """
    first, chunks, buffered = 1, [b""], 0
    for chunk in decompressed_bytes(path, on_bytes):
        chunks.append(chunk)
        buffered += len(chunk)
        if buffered < size:
            continue
        data, _, rest = b"".join(chunks).rpartition(b"\n")
        if len(rest) > 16 * MAX_LINE_BYTES:
            number = first + data.count(b"\n") + bool(data)
            raise UserError(
                f"{path}: line {number}: expected one record per line, got a line of more than "
                f"{16 * MAX_LINE_BYTES:,} bytes. Check that this is a text file."
            )
        chunks, buffered = [rest], len(rest)
        if data:
            block = _validated_block(path.name, first, data + b"\n")
            first += block.count
            yield block
    if last := b"".join(chunks):
        yield _validated_block(path.name, first, last if last.endswith(b"\n") else last + b"\n")


def _validated_block(file: str, first: int, data: bytes) -> Block:
    """Return the lines of `data`, from line number `first`, as a block without invalid lines."""
    if first == 1:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if _has_no_invalid_line(data):
        return Block(first, data)
    lines, rejects = [], []
    for number, line in enumerate(data[:-1].split(b"\n"), first):
        if reason := _reject_reason(line):
            rejects.append(Reject(file, number, reason, line[:800].decode("utf-8", "replace")))
            line = REJECTED_LINE.encode()
        lines.append(line)
    return Block(first, b"\n".join(lines) + b"\n", rejects)


def _has_no_invalid_line(data: bytes) -> bool:
    """Check all lines at once, which is faster than line by line; False if any may be invalid."""
    half = MAX_LINE_BYTES // 2
    return not (
        data.startswith(b"\n")
        or any(invalid in data for invalid in (b"\n\n", *_CONTROL))
        or any(
            data.find(b"\n", start, start + half) < 0 for start in range(0, len(data) - half, half)
        )
        or not _is_utf8(data)
    )


def _reject_reason(line: bytes) -> str | None:
    """Return why a line is invalid; None if it is valid."""
    if not line:
        return "empty line"
    if any(character in line for character in _CONTROL):
        return "control character"
    if len(line) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES:,} bytes"
    return None if _is_utf8(line) else "invalid UTF-8"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Iterate over items, computing the next one in a thread while the current one is in use."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, items, None)
            yield item


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, which is not decompressed, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_gzip(path: Path) -> bool:
    """Return whether a file starts like a gzip file."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC
