import gzip
import zipfile

import pytest

from ingest import lines
from ingest.lines import Reject, RejectLog, blocks, decompressed_bytes, prefetch
from schema.errors import UserError
from tables import source


def read(path, size=1 << 20):
    """Return all lines with their numbers, and all rejects, read in blocks of `size` bytes."""
    numbered, rejects = [], []
    for block in blocks(path, lambda count: None, size):
        rejects += block.rejects
        assert block.count == len(block.data.splitlines())
        numbered += enumerate(block.data.decode().split("\n")[:-1], block.first)
    return [(number, line) for number, line in numbered if line != lines.REJECTED_LINE], rejects


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_line_numbers_do_not_depend_on_the_block_size(tmp_path, size, compress, monkeypatch):
    monkeypatch.setattr(source, "READ_BYTES", 5)
    path = tmp_path / "f.tsv"
    data = b"\xef\xbb\xbfone\r\ntwo\rhalf\n\nf\xe9ur\nfi\x00ve\n\x1fsix\nse\xc3\xa9ven"
    path.write_bytes(compress(data))
    kept, rejects = read(path, size)
    assert kept == [(1, "one"), (2, "two half"), (7, "seéven")]
    assert rejects == [
        Reject("f.tsv", 3, "empty line", ""),
        Reject("f.tsv", 4, "invalid UTF-8", "f\ufffdur"),
        Reject("f.tsv", 5, "control character", "fi\x00ve"),
        Reject("f.tsv", 6, "control character", "\x1fsix"),
    ]


def test_a_line_that_is_too_long_is_rejected(tmp_path):
    path = tmp_path / "f.tsv"
    fits = b"y" * lines.MAX_LINE_BYTES
    path.write_bytes(b"a\n" + b"x" + fits + b"\n" + fits + b"\nb\n")
    kept, rejects = read(path)
    assert kept == [(1, "a"), (3, fits.decode()), (4, "b")]
    assert [(line, reason) for _, line, reason, _ in rejects] == [
        (2, "longer than 1,048,576 bytes")
    ]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("length", [1 << 20, (1 << 20) + 1, 5 << 20])
def test_of_a_long_line_only_the_beginning_is_kept(tmp_path, size, length, monkeypatch):
    path = tmp_path / "f.tsv"
    path.write_bytes(b"a\n" + b"x" * length + b"\nb\n\nlast" + b"y" * length)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1 << 20)
    data = b"".join(lines._shorten_lines(decompressed_bytes(path)))
    assert [len(line) for line in data.split(b"\n")] == [
        1,
        min(length, (1 << 20) + 1),
        1,
        0,
        min(length + 4, (1 << 20) + 1),
    ]
    kept, rejects = read(path, size)
    assert [number for number, _ in kept] == [1, 2, 3][:: 1 if length == 1 << 20 else 2]
    assert [reject.line for reject in rejects] == [2, 4, 5][length == 1 << 20 :]
    assert rejects[-1].text == "last" + "y" * 796


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize("piece", [1, 2, 100])
def test_blank_lines_are_rejected_unless_at_the_end(tmp_path, size, piece, monkeypatch):
    monkeypatch.setattr(source, "READ_BYTES", 2)
    monkeypatch.setattr(lines, "_PIECE_LINES", piece)
    path = tmp_path / "f.tsv"
    path.write_bytes(b"\none\n\n\r\n\n\ntwo\r\n\n\r\n\n")
    kept, rejects = read(path, size)
    assert kept == [(2, "one"), (7, "two")]
    assert [(line, reason) for _, line, reason, _ in rejects] == [
        (number, "empty line") for number in (1, 3, 4, 5, 6)
    ]
    *_, last = blocks(path, lambda count: None, size)
    assert (last.first, last.data, last.blank_lines) == (8, b"", 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_utf_16_is_converted(tmp_path, encoding, compress, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "f.tsv"
    text = "id\tname of a person\nn1\tÅse \U0001d160\n\nhalf \ud8ff\n\n"
    path.write_bytes(compress(text.encode(encoding, "surrogatepass")))
    kept, rejects = read(path)
    assert kept == [(1, "id\tname of a person"), (2, "n1\tÅse \U0001d160")]
    assert [(line, reason) for _, line, reason, _ in rejects] == [
        (3, "empty line"),
        (4, "invalid UTF-8"),
    ]
    assert "f.tsv: UTF-16" in caplog.messages


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            ["[Content_Types].xml", "xl/workbook.xml"],
            "expected a table, got an Excel workbook. Exp",
        ),
        (["a.tsv", "b.tsv"], r"expected a zip file with one table, got 2 files \(a.tsv, b.tsv\)"),
    ],
)
def test_a_zip_file_with_something_else_is_named(tmp_path, members, message):
    with zipfile.ZipFile(tmp_path / "f.tsv", "w") as archive:
        for name in members:
            archive.writestr(name, "a\tb\n")
    with pytest.raises(UserError, match=f"f.tsv: {message}"):
        list(blocks(tmp_path / "f.tsv", lambda count: None))


def test_all_members_of_a_gzip_are_read(tmp_path):
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n") + b"\0" * 512)
    assert b"".join(decompressed_bytes(path)) == b"one\ntwo\n"


def test_progress_counts_compressed_bytes(tmp_path):
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(b"one\n" * 1000))
    counts = []
    assert len(b"".join(decompressed_bytes(path, counts.append))) == 4000
    assert counts[-1] == path.stat().st_size


@pytest.mark.parametrize("lost", [1, 8, 9, 40])
def test_a_truncated_gzip_file_raises(tmp_path, lost):
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 4)[:-lost])
    with pytest.raises(UserError, match=r"f.gz: the compressed file is truncated"):
        list(decompressed_bytes(path))


@pytest.mark.parametrize("at", [12, 40, -6, -2])
def test_a_corrupt_gzip_file_raises(tmp_path, at):
    data = bytearray(gzip.compress(b"".join(b"%d\n" % n for n in range(500))))
    data[at] ^= 0xFF
    path = tmp_path / "f.gz"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"f.gz: the compressed file is corrupt"):
        list(decompressed_bytes(path))


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(UserError, match=r"none.tsv: no such file"):
        list(decompressed_bytes(tmp_path / "none.tsv"))


def test_the_reject_log_has_one_line_per_reject(tmp_path):
    log = RejectLog(tmp_path / "rejects.tsv", tmp_path / "final.tsv")
    log.add([Reject("a", 9, "late", "x\ty\nz\x00"), Reject("a", 2, "early", "é" * 300)])
    log.add([Reject("b", 1, "early", "")])
    log.close()
    assert (tmp_path / "rejects.tsv").read_text("utf-8").splitlines() == [
        "file\tline\treason\ttext",
        "a\t2\tearly\t" + "é" * 200,
        "a\t9\tlate\tx\\ty\\nz\\x00",
        "b\t1\tearly\t",
    ]
    assert log.counts == {"a": {"late": 1, "early": 1}, "b": {"early": 1}}


def test_prefetch_yields_the_same_items_and_errors():
    def items():
        yield 1
        yield 2
        raise UserError("at the end")

    seen = []
    with pytest.raises(UserError, match="at the end"):
        seen.extend(prefetch(items()))
    assert list(prefetch(iter([1, 2, 3]))) == [1, 2, 3]


def test_a_row_that_is_kept_is_listed_but_not_counted(tmp_path):
    log = RejectLog(tmp_path / "rejects.tsv", tmp_path / "final.tsv")
    log.note(Reject("p.csv", 2, "kept without ye\n\tar: expected a year", "5\t7"))
    log.add([Reject("p.csv", 3, "invalid JSON", "{")])
    log.close()
    assert (tmp_path / "rejects.tsv").read_text().splitlines()[1:] == [
        "p.csv\t2\tkept without ye\\n\\tar: expected a year\t5\\t7",
        "p.csv\t3\tinvalid JSON\t{",
    ]
    assert log.counts == {"p.csv": {"invalid JSON": 1}}
