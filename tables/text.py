"""Decode bytes to text and split it into lines, as a stream."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

from tables.record import MAX_RECORD_CHARACTERS

_NAMES: Final = {
    "": "ASCII",
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16 with a byte order mark",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "cp1252",
}

Line = tuple[int, str]
"""Number of a line, from 1, and its text without the line break."""


class Decoder:
    """Decode the bytes of one file, whose encoding is found from its content.

    The encoding is UTF-8 or UTF-16, with or without a byte order mark, or else cp1252. As long as
    all bytes are ASCII, it is open. Bytes that the encoding does not allow become surrogates.
    """

    def __init__(self) -> None:
        self._encoding = ""

    @property
    def encoding(self) -> str:
        """Name of the encoding of what has been decoded so far."""
        return _NAMES[self._encoding]

    def decode(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Yield the text of each chunk of bytes."""
        decoder: codecs.IncrementalDecoder | None = None
        for chunk in chunks:
            if decoder is None and (encoding := find_encoding(chunk)):
                self._encoding = encoding
                errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
                decoder = codecs.getincrementaldecoder(encoding)(errors)
            yield decoder.decode(chunk) if decoder else chunk.decode("ascii")
        if decoder:
            try:
                yield decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                # Half a UTF-16 unit is left. Its record is malformed, like one with invalid bytes.
                yield "\udcff"


def find_encoding(data: bytes) -> str:
    """Return the encoding of the first bytes of a file; "" if all of them are ASCII."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = data[: 1 << 12]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if 3 * max(even, odd) > len(sample) and not min(even, odd):
        return "utf-16-be" if even else "utf-16-le"
    if data.isascii():
        return ""
    # A sequence that is cut off at the end of the data is not counted.
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data)
    invalid = len(text) - len(text.encode("utf-8", "ignore").decode())
    valid = len(text) - len(text.encode("ascii", "ignore")) - invalid
    return "cp1252" if invalid > valid else "utf-8"


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
