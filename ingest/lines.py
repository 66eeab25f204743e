"""Read large text files, compressed or not, in blocks of lines with exact line numbers.

Lines that no table could hold (invalid UTF-8, control characters) are rejected by line number. A
corrupt gzip file raises an error.
"""

import io
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from tables.record import printable
from tables.source import open_source
from tables.text import Decoder, find_encoding

_log = logging.getLogger(__name__)

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

_BLOCK_BYTES: Final = 1 << 26
_PIECE_LINES: Final = 100_000
"""Maximum number of lines of a block that contains an invalid line."""
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

    The columns, separated by tabs, are `file`, `line`, `reason` and `text`: the start of the line,
    or the cell that was not understood.

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
        self._file.write(f"{file}\t{line}\t{printable(reason)}\t{printable(text[:200])}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def decompressed_bytes(path: Path, on_bytes: OnBytes = lambda _: None) -> Iterator[bytes]:
    """Read a file, which is decompressed if it starts like a gzip or zip file.

    Args:
        path: File to read.
        on_bytes: Function that is called with the number of bytes read so far.

    Yields:
        The next bytes of the content, at most 1 MiB.

    Raises:
        UserError: The file cannot be read, is empty or no table, or its compressed data are corrupt
            or truncated.
    """
    with open_source(path) as source:
        for data in source.chunks():
            on_bytes(source.on_disk.tell())
            yield data


@dataclass
class Block:
    """Consecutive lines of a file.

    Attributes:
        first: Number of the first line, from 1.
        data: Valid UTF-8. Every line ends with a line feed and none is empty.
        rejects: Rejected lines, each replaced by `REJECTED_LINE` in `data`.
        blank_lines: Number of blank lines at the end of the file, which `data` does not contain.
    """

    first: int
    data: bytes
    rejects: list[Reject] = field(default_factory=list)
    blank_lines: int = 0

    @property
    def count(self) -> int:
        """Number of lines."""
        return self.data.count(b"\n")


def text_bytes(path: Path, on_bytes: OnBytes) -> Iterator[bytes]:
    """Read a file like `decompressed_bytes`; UTF-16 is converted to UTF-8."""
    chunks = decompressed_bytes(path, on_bytes)
    head = next(chunks)
    chunks = chain([head], chunks)
    if not find_encoding(head).startswith("utf-16"):
        return chunks
    _log.info("%s: UTF-16", path.name)
    return (text.encode("utf-8", "surrogatepass") for text in Decoder().decode(chunks))


def blocks(path: Path, on_bytes: OnBytes, size: int = _BLOCK_BYTES) -> Iterator[Block]:
    """Read a file in blocks of lines.

    Lines end with LF or CR LF. Other CRs are replaced by spaces, and a byte order mark is removed.

    Args:
        path: File to read, compressed or not.
        on_bytes: Function that is called with the number of bytes read so far.
        size: Integer, in bytes. Approximate size of a block; 64 MiB by default.

    Yields:
        The next block. If the file ends with blank lines, the last block has no line but their
        number.

    Raises:
        UserError: The file cannot be read, is empty or no table, or its compressed data are corrupt
            or truncated.
    """
    first, blank_lines = 1, 0
    for data in _whole_lines(_shorten_lines(text_bytes(path, on_bytes)), size):
        kept, blank_after = _split_off_blank_lines(data)
        if kept:
            blank_before = (
                b"\n" * min(_PIECE_LINES, blank_lines - start)
                for start in range(0, blank_lines, _PIECE_LINES)
            )
            for part in chain(blank_before, [kept]):
                for block in _validated_blocks(path.name, first, part):
                    first += block.count
                    yield block
            blank_lines = 0
        blank_lines += blank_after
    if blank_lines:
        yield Block(first, b"", blank_lines=blank_lines)


def _shorten_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks without the part of each line that exceeds the maximum by two bytes or more.

    The rest of such a line is still too long, so that it is rejected later.
    """
    length = 0
    for chunk in chunks:
        end = chunk.find(b"\n")
        added = len(chunk) if end < 0 else end
        room = max(0, MAX_LINE_BYTES + 1 - length)
        yield chunk if added <= room else chunk[:room] + chunk[added:]
        length = length + added if end < 0 else len(chunk) - 1 - chunk.rfind(b"\n")


def _whole_lines(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Join chunks to about `size` bytes that end with a line feed."""
    buffer, buffered = [b""], 0
    for chunk in chunks:
        buffer.append(chunk)
        buffered += len(chunk)
        if buffered < size:
            continue
        data, newline, rest = b"".join(buffer).rpartition(b"\n")
        buffer, buffered = [rest], len(rest)
        if newline:
            yield data + newline
    if last := b"".join(buffer):
        yield last if last.endswith(b"\n") else last + b"\n"


def _split_off_blank_lines(data: bytes) -> tuple[bytes, int]:
    """Return lines without the blank ones at their end, and the number of these."""
    if not data.endswith((b"\n\n", b"\n\r\n")) and data not in (b"\n", b"\r\n"):
        return data, 0
    text = data.rstrip(b"\r\n")
    end = data.find(b"\n", len(text)) + 1 if text else 0
    return data[:end], data.count(b"\n", end)


def _validated_blocks(file: str, first: int, data: bytes) -> Iterator[Block]:
    """Yield the lines of `data`, from line number `first`, as blocks without invalid lines.

    Lines among which some are invalid are divided into small blocks, because the list of rejects
    takes more memory than the lines.
    """
    if first == 1:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if _has_no_invalid_line(data):
        yield Block(first, data)
        return
    remaining = io.BytesIO(data)
    while piece := [line.removesuffix(b"\n") for line in islice(remaining, _PIECE_LINES)]:
        lines, rejects = [], []
        for number, line in enumerate(piece, first):
            if reason := _reject_reason(line):
                rejects.append(Reject(file, number, reason, line[:800].decode("utf-8", "replace")))
                line = REJECTED_LINE.encode()
            lines.append(line)
        yield Block(first, b"\n".join(lines) + b"\n", rejects)
        first += len(lines)


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


def is_gzip(path: Path) -> bool:
    """Return whether a file starts like a gzip file."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC
