"""Lines of large text files, gzip or plain: exact line numbers, nothing lost, damage told.

A file goes through memory once, in blocks of whole lines. What no table could hold (bytes that are
not UTF-8, control characters) is taken out and rejected by line number; a damaged gzip stops the
build.
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
CountBytes = Callable[[int], None]
"""Called with the bytes of a file that are read from disk so far."""
Progress = Callable[[str, int, int], None]
"""Called with what is being done, its bytes that are done, and its bytes in all (0: unknown)."""

LONGEST_LINE: Final = 1 << 20
"""Bytes; a longer line is rejected."""

TAKEN_OUT: Final = "\x1f"
"""Stands in a block for a rejected line, so that the others keep their numbers."""

FIELD_FREE: Final = "\x1e"
"""A character that no line of a block contains."""

_READ: Final = 1 << 18
_BLOCK: Final = 1 << 26
_GZIP_MAGIC: Final = b"\x1f\x8b"
_CONTROL: Final = (b"\0", FIELD_FREE.encode(), TAKEN_OUT.encode())


class Reject(NamedTuple):
    """A malformed line or record."""

    file: str
    line: int
    reason: str
    text: str


class RejectLog:
    """The rejects file: tab-separated `file`, `line`, `reason`, `text` (the line's beginning).

    Attributes:
        shown_path: Where a user will find the file.
        counts: The number of rejects so far, by file and reason.
    """

    def __init__(self, path: Path, shown_path: Path) -> None:
        """Starts the file at `path`."""
        self.shown_path = shown_path
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.write("file\tline\treason\ttext\n")

    def add(self, rejects: Iterable[Reject]) -> None:
        """Writes rejects of one block, in the order of their lines."""
        for file, line, reason, text in sorted(rejects):
            shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:200])
            self._file.write(f"{file}\t{line}\t{reason}\t{shown}\n")
            self.counts[file][reason] += 1

    def close(self) -> None:
        """Ends the file."""
        self._file.close()


def raw_bytes(path: Path, count_bytes: CountBytes = lambda _: None) -> Iterator[bytes]:
    """The decompressed bytes of a file, gzip (known by its first bytes) or plain.

    Raises:
        UserError: The file cannot be read, or its gzip is damaged or cut short.
    """
    try:
        with path.open("rb") as file:
            is_compressed = file.peek(2).startswith(_GZIP_MAGIC)
            content = gzip.GzipFile(fileobj=file) if is_compressed else file
            while data := content.read(_READ):
                count_bytes(file.tell())
                yield data
    except EOFError as error:
        raise UserError(f"{path}: the gzip is cut short; fetch or copy the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path}: the gzip is damaged ({error}); fetch or copy the file again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


@dataclass
class Block:
    """Whole lines of a file.

    Attributes:
        first: Number of the first line, counted from 1.
        data: UTF-8 text, each line ended by one line feed, none empty.
        rejects: The lines that were taken out, `TAKEN_OUT` in their place.
    """

    first: int
    data: bytes
    rejects: list[Reject] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of lines."""
        return self.data.count(b"\n")


def blocks(path: Path, count_bytes: CountBytes, size: int = _BLOCK) -> Iterator[Block]:
    """The lines of a file, in blocks of about `size` bytes.

    Line ends may be LF or CR LF; a lone CR becomes a space and a leading byte order mark goes.

    Raises:
        UserError: As `raw_bytes`, or there are no lines to be found in the file.
    """
    first, pieces, held = 1, [b""], 0
    for piece in raw_bytes(path, count_bytes):
        pieces.append(piece)
        held += len(piece)
        if held < size:
            continue
        data, _, rest = b"".join(pieces).rpartition(b"\n")
        if len(rest) > 16 * LONGEST_LINE:
            number = first + data.count(b"\n") + bool(data)
            raise UserError(
                f"{path}: line {number:,} has no end in sight; expected one record a line"
            )
        pieces, held = [rest], len(rest)
        if data:
            block = _judged(path.name, first, data + b"\n")
            first += block.count
            yield block
    if last := b"".join(pieces):
        yield _judged(path.name, first, last if last.endswith(b"\n") else last + b"\n")


def _judged(file: str, first: int, data: bytes) -> Block:
    if first == 1:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if _sound(data):
        return Block(first, data)
    kept, rejects = [], []
    for number, line in enumerate(data[:-1].split(b"\n"), first):
        if reason := _fault(line):
            rejects.append(Reject(file, number, reason, line[:800].decode("utf-8", "replace")))
            line = TAKEN_OUT.encode()
        kept.append(line)
    return Block(first, b"\n".join(kept) + b"\n", rejects)


def _sound(data: bytes) -> bool:
    """Whether no line has a fault, by a few fast passes over all lines."""
    half = LONGEST_LINE // 2
    return not (
        data.startswith(b"\n")
        or any(odd in data for odd in (b"\n\n", *_CONTROL))
        or any(data.find(b"\n", at, at + half) < 0 for at in range(0, len(data) - half, half))
        or not _is_utf8(data)
    )


def _fault(line: bytes) -> str | None:
    if not line:
        return "empty line"
    if any(odd in line for odd in _CONTROL):
        return "control character"
    if len(line) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE:,} bytes"
    return None if _is_utf8(line) else "invalid UTF-8"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in another thread while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes as they lie on disk, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_gzip(path: Path) -> bool:
    """Whether a file begins as a gzip does."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC
