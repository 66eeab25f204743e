import gzip
import io
import os
import socket
import zipfile

import pytest

from schema.contents import foreign_format, special_file


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "data")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (zipped("movies.tsv"), "a zip archive"),
        (zipped(), "an empty zip archive"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel or Word file"),
        (gzip.compress(b"id\n"), "data that gzip compressed twice"),
        ("id\tname\nÅse".encode("utf-16"), "text in UTF-16"),
        ("id\tname\n".encode("utf-16-le"), "text in UTF-16"),
        ("id\tname\n".encode("utf-16-be"), "text in UTF-16"),
        (b"\xef\xbb\xbf \n<HTML><body>Moved", "an HTML page"),
        (b"<?xml version='1.0'?>", "an XML file"),
        (b"PAR1\x15\x04", "a Parquet file"),
    ],
)
def test_a_foreign_format_is_named(content, found):
    assert foreign_format(content).split(". ")[0] == found


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\0", b"\0\0\0\0", b"id\tname\n", b"\xef\xbb\xbfid\n", b"i\0d\tname\n"]
)
def test_text_and_damaged_text_are_no_foreign_format(content):
    assert foreign_format(content) == ""


def test_special_files_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "directory").mkdir()
    (tmp_path / "broken").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "to-fifo").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    names = ("file", "link", "none", "directory", "broken", "loop", "fifo", "to-fifo", "socket")
    assert [special_file(tmp_path / name) for name in names] == [
        "",
        "",
        "",
        "a directory",
        "a broken link",
        "a broken link",
        "a FIFO",
        "a FIFO",
        "a socket",
    ]
    assert special_file(tmp_path / "file" / "below") == ""
