"""Name what is in place of a text file, for messages."""

import stat
from pathlib import Path
from typing import Final

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_SIGNATURES: Final = {
    b"PK\x03\x04": "a zip archive. Unpack it",
    b"PK\x05\x06": "an empty zip archive. Replace the file",
    b"\xd0\xcf\x11\xe0": "an Excel or Word file. Save its table as text",
    b"\x1f\x8b": "data that gzip compressed twice. Unpack the file once",
    b"BZh": "data compressed by bzip2. Unpack the file",
    b"\xfd7zXZ": "data compressed by xz. Unpack the file",
    b"\x28\xb5\x2f\xfd": "data compressed by zstd. Unpack the file",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive. Unpack it",
    b"Rar!": "a RAR archive. Unpack it",
    b"%PDF": "a PDF file. Save its table as text",
    b"PAR1": "a Parquet file. Save its table as text",
    b"SQLite format 3": "an SQLite database. Export its table as text",
    b"\x89PNG": "an image. Replace the file",
    b"\xff\xd8\xff": "an image. Replace the file",
    b"GIF8": "an image. Replace the file",
    b"\xff\xfe": "text in UTF-16. Save it as UTF-8",
    b"\xfe\xff": "text in UTF-16. Save it as UTF-8",
}
"""First bytes of formats that are no text in UTF-8, with the name of the format and the remedy."""

_MARKUP: Final = {
    b"<!doctype html": "an HTML page. Download the file again",
    b"<html": "an HTML page. Download the file again",
    b"<?xml": "an XML file. Save its table as text",
}
_UTF16_BYTES: Final = 40
"""Number of bytes at the start in which every second byte of UTF-16 text in English is zero."""


def special_file(path: Path) -> str:
    """Return what a path is if it is no regular file; "" if it is one, or if there is nothing.

    The path is not opened, so a FIFO does not block.

    Raises:
        OSError: The directory of the path cannot be read.
    """
    if path.is_file():
        return ""
    if path.exists():
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "a special file")
    return "a broken link" if path.is_symlink() else ""


def foreign_format(head: bytes) -> str:
    """Return the format of a file that is no text in UTF-8, and what to do; "" for other files.

    Args:
        head: First bytes of the file, after decompression.

    >>> foreign_format(b"%PDF-1.7")
    'a PDF file. Save its table as text'
    """
    if head.startswith(b"PK") and b"xl/" in head:
        return "an Excel workbook. Save its table as text"
    start = head[:_UTF16_BYTES]
    if len(start) > 1 and (not any(start[0::2]) or not any(start[1::2])) and any(start):
        return _SIGNATURES[b"\xff\xfe"]
    markup = head[:200].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((name for sign, name in _SIGNATURES.items() if head.startswith(sign)), "") or next(
        (name for sign, name in _MARKUP.items() if markup.startswith(sign)), ""
    )
