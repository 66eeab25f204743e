"""Files of movies: bad rows are told by number, line and field, the others read."""

from pathlib import Path

import pytest

from schema.errors import UserError
from serving.client import files
from serving.client.files import Row, opened


def rows(path: Path, content: str | bytes, keep: tuple[str, ...] = ()) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with opened(path, keep) as (read, _):
        return list(read)


def test_a_csv_is_read(tmp_path: Path) -> None:
    text = '\ufefftconst,title,year\ntt1,"A\nmovie",1927\n\ntt2,,\n'
    assert rows(tmp_path / "f.csv", text) == [
        Row(1, 2, {"tconst": "tt1"}, {"title": "A\nmovie", "year": 1927.0}),
        Row(2, 5, {"tconst": "tt2"}, {}),
    ]


def test_bad_rows_of_a_csv_are_told(tmp_path: Path) -> None:
    content = b"title,year\nA,1927\nB,last\nC\nD\xff,1\nE,1\n"
    read = rows(tmp_path / "f.csv", content)
    assert [(r.number, r.line, r.field, r.reason) for r in read] == [
        (1, 2, "", ""),
        (2, 3, "year", "expected a number, not 'last'"),
        (3, 4, "", "expected 2 cells as in the header, not 1"),
        (4, 5, "title", "is not valid UTF-8"),
        (5, 6, "", ""),
    ]
    assert [r.movie is None for r in read] == [False, True, True, True, False]


def test_json_lines_are_read(tmp_path: Path) -> None:
    text = '\ufeff{"tconst": "tt1", "cast": ["A", "B"]}\n\n{"title": "Ü", "id": 7}\n'
    assert rows(tmp_path / "f.jsonl", text, ("id",)) == [
        Row(1, 1, {"tconst": "tt1"}, {"cast": "A|B"}),
        Row(2, 3, {"id": "7"}, {"title": "Ü"}),
    ]


def test_bad_json_lines_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST", 60)
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
    read = rows(tmp_path / "f.jsonl", b"\n".join(lines))
    assert [r.number for r in read] == list(range(1, 9))
    assert [r.number for r in read if r.movie is not None] == [1, 8]
    assert read[1].reason.startswith("is not JSON")
    assert read[2].reason == "expected a JSON object"
    assert read[3].reason == "is not valid UTF-8"
    assert (read[4].field, read[4].reason) == ("titel", "no such field; did you mean title?")
    assert read[5].reason == "the line is longer than 60 bytes"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.txt", "", "expected a name that ends in .csv, .jsonl, .ndjson"),
        ("f.csv", "", "is empty; expected a header and rows"),
        ("f.csv", "title,title\n", "the column 'title' is there twice"),
        ("f.csv", "titel\n", "column 'titel': no such field; did you mean title?"),
        ("f.csv", "tconst\n", "the header has none of the columns plot,"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path / name, content)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: No such file or directory"):
        opened(tmp_path / "none.csv").__enter__()


def test_columns_to_keep_must_be_there(tmp_path: Path) -> None:
    read = rows(tmp_path / "f.csv", "title,shelf\nA,12\n", ("shelf",))
    assert read[0].carried == {"shelf": "12"}
    with pytest.raises(UserError, match="--keep shelf: there is no such column"):
        rows(tmp_path / "f.csv", "title\nA\n", ("shelf",))
