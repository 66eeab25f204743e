"""Decode bytes to text and split it into lines, as a stream."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Any, Final

from tables.record import MAX_RECORD_CHARACTERS

_NAMES: Final = {
    "": "ASCII",
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16 with a byte order mark",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
}

Line = tuple[int, str]
"""Number of a line, from 1, and its text without the line break."""


class Decoder:
    """Decode the bytes of one file, whose encoding is found from its content.

    The encoding is UTF-16 or UTF-8, with or without a byte order mark; a file of UTF-8 may have
    lines in cp1252, or only such lines. As long as all bytes are ASCII, it is open. Bytes that the
    encoding does not allow become surrogates.
    """

    def __init__(self) -> None:
        self._encoding = ""
        self._utf8 = _Utf8OrCp1252()

    @property
    def encoding(self) -> str:
        """Name of the encoding of what has been decoded so far, with the bytes read as cp1252."""
        if not self._utf8.cp1252_bytes:
            return _NAMES[self._encoding]
        if not self._utf8.continuation_bytes:
            return "cp1252"
        return f"{_NAMES[self._encoding]} (bytes read as cp1252: {self._utf8.cp1252_bytes:,})"

    def decode(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Yield the text of each chunk of bytes."""
        decoder: codecs.IncrementalDecoder | None = None
        for chunk in chunks:
            if decoder is None and (encoding := find_encoding(chunk)):
                self._encoding = encoding
                if encoding.startswith("utf-16"):
                    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
                else:
                    decoder = self._utf8
                    chunk = chunk.removeprefix(codecs.BOM_UTF8)
            yield decoder.decode(chunk) if decoder else chunk.decode("ascii")
        if decoder:
            try:
                yield decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                # Half a UTF-16 unit is left. Its record is malformed, like one with invalid bytes.
                yield "\udcff"


class _Utf8OrCp1252(codecs.BufferedIncrementalDecoder):
    """Decoder of lines in UTF-8, and of those in cp1252.

    A line of valid UTF-8 is UTF-8. Another line is cp1252 if it has more invalid bytes than bytes
    that continue a valid character, and so has the file up to the end of the chunk. Otherwise, its
    invalid bytes become surrogates.

    Attributes:
        continuation_bytes: Int. Number of bytes read as UTF-8 that continue a character.
        cp1252_bytes: Int. Number of bytes beyond ASCII read as cp1252.
    """

    def __init__(self) -> None:
        super().__init__("surrogateescape")
        self.continuation_bytes = self.cp1252_bytes = 0

    def _buffer_decode(self, data: Any, errors: str, final: bool) -> tuple[str, int]:
        # What is not consumed is the beginning of a character that the next chunk continues.
        text, consumed = codecs.utf_8_decode(data, errors, final)
        invalid, valid = _count_bytes(text, consumed)
        if not invalid:
            self.continuation_bytes += valid
            return text, consumed
        is_cp1252 = self.cp1252_bytes + invalid > self.continuation_bytes + valid
        lines = data[:consumed].splitlines(keepends=True)
        return "".join([self._line(line, is_cp1252) for line in lines]), consumed

    def _line(self, line: bytes, is_cp1252: bool) -> str:
        text = line.decode("utf-8", "surrogateescape")
        invalid, valid = _count_bytes(text, len(line))
        if is_cp1252 and invalid > valid:
            self.cp1252_bytes += len(line) - len(line.decode("ascii", "ignore"))
            return line.decode("cp1252", "surrogateescape")
        self.continuation_bytes += valid
        return text


def _count_bytes(text: str, size: int) -> tuple[int, int]:
    """Return how many bytes of a text in UTF-8 are invalid, and continue a valid character.

    Args:
        text: Text in which invalid bytes are surrogates.
        size: Int. Number of its bytes.
    """
    if size == len(text) and text.isascii():
        return 0, 0
    return len(text) - len(text.encode("utf-8", "ignore").decode()), size - len(text)


def find_encoding(data: bytes) -> str:
    """Return the encoding of the first bytes of a file; "" if all of them are ASCII.

    "utf-8" stands for all encodings but UTF-16; some or all lines may be in cp1252.
    """
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = data[: 1 << 12]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if 3 * max(even, odd) > len(sample) and not min(even, odd):
        return "utf-16-be" if even else "utf-16-le"
    return "" if data.isascii() else "utf-8"


def split_lines(texts: Iterable[str]) -> Iterator[Line]:
    """Yield the lines of a text.

    A line ends with LF or CR LF, or with CR if the start of the text has no LF. Other CRs are
    replaced by spaces. Of a line that is longer than `MAX_RECORD_CHARACTERS`, one more character
    than that is kept.
    """
    return enumerate(_lines(texts), 1)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    newline = ""
    parts: list[str] = []
    size = 0
    for text in texts:
        newline = newline or ("\r" if "\r" in text and "\n" not in text else "\n")
        first, *lines = text.split(newline)
        if size <= MAX_RECORD_CHARACTERS:
            parts.append(first)
            size += len(first)
        if lines:
            yield _join(parts)
            *complete, last = lines
            yield from map(_without_returns, complete) if "\r" in text else complete
            parts, size = [last], len(last)
    if last := _join(parts):
        yield last


def _join(parts: list[str]) -> str:
    return _without_returns("".join(parts)[: MAX_RECORD_CHARACTERS + 1])


def _without_returns(line: str) -> str:
    return line.removesuffix("\r").replace("\r", " ")
