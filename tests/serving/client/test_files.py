"""Tests of reading files: invalid rows are reported by number, line and field."""

from pathlib import Path

import pytest

from schema.errors import UserError
from serving.client import files
from serving.client.files import Row, open_rows


def read_rows(path: Path, content: str | bytes, keep: tuple[str, ...] = ()) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_rows(path, keep) as (rows, _):
        return list(rows)


def test_a_csv_is_read(tmp_path: Path) -> None:
    text = '\ufefftconst,title,year\ntt1,"A\nmovie",1927\n\ntt2,,\n'
    assert read_rows(tmp_path / "f.csv", text) == [
        Row(1, 2, {"tconst": "tt1"}, {"title": "A\nmovie", "year": 1927.0}),
        Row(2, 5, {"tconst": "tt2"}, {}),
    ]


def test_invalid_csv_rows(tmp_path: Path) -> None:
    content = b"title,year\nA,1927\nB,last\nC\nD\xff,1\nE,1\n"
    rows = read_rows(tmp_path / "f.csv", content)
    assert [(r.number, r.line, r.field, r.reason) for r in rows] == [
        (1, 2, "", ""),
        (2, 3, "year", "expected a number, got 'last'"),
        (3, 4, "", "expected 2 cells as in the header, got 1"),
        (4, 5, "title", "is not valid UTF-8"),
        (5, 6, "", ""),
    ]
    assert [r.movie is None for r in rows] == [False, True, True, True, False]


def test_json_lines_are_read(tmp_path: Path) -> None:
    text = '\ufeff{"tconst": "tt1", "cast": ["A", "B"]}\n\n{"title": "Ü", "id": 7}\n'
    assert read_rows(tmp_path / "f.jsonl", text, ("id",)) == [
        Row(1, 1, {"tconst": "tt1"}, {"cast": "A|B"}),
        Row(2, 3, {"id": "7"}, {"title": "Ü"}),
    ]


def test_invalid_json_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_LINE_LENGTH", 60)
    lines = [
        b'{"title": "A"}',
        b"{",
        b"[1]",
        b'{"title": "\xff"}',
        b'{"titel": "A"}',
        b'{"plot": "' + b"a" * 200 + b'"}',
        b'{"year": 1' + b"[" * 40,
        b'{"title": "B"}',
    ]
    rows = read_rows(tmp_path / "f.jsonl", b"\n".join(lines))
    assert [r.number for r in rows] == list(range(1, 9))
    assert [r.number for r in rows if r.movie is not None] == [1, 8]
    assert rows[1].reason.startswith("is not valid JSON: ")
    assert rows[2].reason == "expected a JSON object"
    assert rows[3].reason == "is not valid UTF-8"
    assert (rows[4].field, rows[4].reason) == ("titel", "unknown field. Did you mean title?")
    assert rows[5].reason == "the line is longer than 60 bytes"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.txt", "", "expected a file name that ends in .csv, .jsonl, .ndjson"),
        ("f.csv", "", "expected a header and rows, got an empty file"),
        ("f.csv", "title,title\n", "column 'title' appears twice. Remove one of them."),
        ("f.csv", "titel\n", "column 'titel': unknown field. Did you mean title?"),
        ("f.csv", "tconst\n", "expected at least one of the columns plot, "),
    ],
)
def test_invalid_files(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_rows(tmp_path / name, content)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: No such file or directory"):
        open_rows(tmp_path / "none.csv").__enter__()


def test_columns_of_keep_must_exist(tmp_path: Path) -> None:
    rows = read_rows(tmp_path / "f.csv", "title,shelf\nA,12\n", ("shelf",))
    assert rows[0].copied == {"shelf": "12"}
    with pytest.raises(UserError, match="--keep shelf: the file has no such column"):
        read_rows(tmp_path / "f.csv", "title\nA\n", ("shelf",))
