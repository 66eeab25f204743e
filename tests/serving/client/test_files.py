"""Tests of reading files of movies: malformed rows and values are reported by number and line."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schema.errors import UserError
from serving.client.files import MovieTable, Row, open_movies


def read_rows(path: Path, content: str | bytes, keep: tuple[str, ...] = ()) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_movies(path, keep) as movies:
        return list(movies.rows)


def note(path: Path, content: str, keep: tuple[str, ...] = ()) -> str:
    path.write_text(content)
    with open_movies(path, keep) as movies:
        assert isinstance(movies, MovieTable)
        return movies.note


def test_a_csv_is_read(tmp_path: Path) -> None:
    text = '\ufefftconst,title,year\ntt1,"A\nmovie",1927\n\ntt2,,\n'
    assert read_rows(tmp_path / "f.csv", text) == [
        Row(1, 2, {"tconst": "tt1"}, {"title": "A\nmovie", "year": 1927.0}),
        Row(2, 5, {"tconst": "tt2"}, {}),
    ]


def test_malformed_rows_and_values(tmp_path: Path) -> None:
    lines = [b"title,year", b"A,1927", b"B,last", b"C", b"D\xff,1931", b'"E,1', b"F,1932"]
    rows = read_rows(tmp_path / "f.csv", b"\n".join([*lines, "é,1933\nè,1934".encode()]))
    assert [(r.number, r.line, r.reason, r.text) for r in rows] == [
        (1, 2, "", ""),
        (2, 3, "", ""),
        (3, 4, "expected 2 columns, got 1", "C"),
        (4, 5, "invalid bytes", "D?,1931"),
        (5, 6, "unclosed quote", '"E,1'),
        (6, 7, "", ""),
        (7, 8, "", ""),
        (8, 9, "", ""),
    ]
    assert [row.movie is None for row in rows] == [bool(row.reason) for row in rows]
    assert rows[1].movie == {"title": "B"}
    [cell] = rows[1].unreadable
    assert (cell.column, cell.value) == ("year", "last")
    assert rows[1].note == f"year: {cell.reason}, got 'last'"


def test_columns_by_meaning(tmp_path: Path) -> None:
    text = (
        "IMDb ID\tMovie Title\tRelease-Date\tVOTES\tImdb Rating\tStar1\tStar2\tGenre\n"
        "https://www.imdb.com/title/tt0000071/\tTide, The\t06/15/1990\t1.2K\t8,5\tAda Lind\t\t\n"
        "tt0000072\tReef (1991)\t\\N\tN/A\t0\tBo Sund\tCy Moe\t\n"
    )
    assert read_rows(tmp_path / "f.dat", text) == [
        Row(
            1,
            2,
            {"tconst": "tt0000071"},
            {
                "title": "The Tide",
                "year": 1990.0,
                "average_rating": 8.5,
                "num_votes": 1200.0,
                "cast": "Ada Lind",
            },
        ),
        Row(
            2,
            3,
            {"tconst": "tt0000072"},
            {"title": "Reef", "year": 1991.0, "cast": "Bo Sund|Cy Moe"},
        ),
    ]


def test_an_id_of_any_form_is_copied_as_written(tmp_path: Path) -> None:
    rows = read_rows(tmp_path / "f.csv", "Show ID,Original Title\ns 81,Tide\n,Reef\n")
    assert rows == [
        Row(1, 2, {"tconst": "s 81"}, {"title": "Tide"}),
        Row(2, 3, {}, {"title": "Reef"}),
    ]


def test_values_out_of_range_are_not_understood(tmp_path: Path) -> None:
    text = "title,year,average_rating,runtime_minutes\nTide,57,85,soon\n"
    [row] = read_rows(tmp_path / "f.csv", text)
    assert row.movie == {"title": "Tide"}
    assert {(cell.column, cell.value) for cell in row.unreadable} == {
        ("year", "57"),
        ("average_rating", "85"),
        ("runtime_minutes", "soon"),
    }


@pytest.mark.parametrize("word", ["\\N", "N/A", "None", "null", "nan", "", "0"])
def test_null_words(tmp_path: Path, word: str) -> None:
    text = f"title,year,runtime_minutes,directors\nTide,{word},{word},\nReef,1990,81,{word}\n"
    rows = read_rows(tmp_path / "f.csv", text.replace(",0\n", ",\n"))
    assert [row.movie for row in rows] == [
        {"title": "Tide"},
        {"title": "Reef", "year": 1990.0, "runtime_minutes": 81.0},
    ]
    assert not any(row.unreadable for row in rows)


def test_json_lines_are_read(tmp_path: Path) -> None:
    text = (
        '\ufeff{"tconst": "tt1", "cast": ["A", "B"]}\n\n{"title": "Ü", "shelf": [7]}\n{"plot": [1]}'
    )
    assert read_rows(tmp_path / "f.csv", text, ("shelf",)) == [
        Row(1, 1, {"tconst": "tt1"}, {"cast": "A|B"}),
        Row(2, 3, {"shelf": "[7]"}, {"title": "Ü"}),
        Row(3, 4, {}, None, "plot: expected text", "[1]"),
    ]


def packed(form: str, directory: Path) -> bytes:
    rows = [{"title": "Tide", "year": 1990}, {"title": "Zoë", "year": None}]
    text = "Title;Year\r\nTide;1990\r\nZoë;\r\n"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), directory / "table")
        return (directory / "table").read_bytes()
    if form == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("any.txt", text)
        return file.getvalue()
    return {
        "array": json.dumps(rows, indent=1).encode(),
        "gzip": gzip.compress(text.encode("utf-16")),
        "cp1252": text.encode("cp1252"),
    }[form]


@pytest.mark.parametrize("form", ["array", "gzip", "zip", "cp1252", "parquet"])
def test_the_name_of_the_file_makes_no_difference(tmp_path: Path, form: str) -> None:
    rows = read_rows(tmp_path / "f.jsonl", packed(form, tmp_path))
    assert [row.movie for row in rows] == [{"title": "Tide", "year": 1990.0}, {"title": "Zoë"}]


def test_unknown_columns_are_named_once(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    text = ",title,polt,shelf,genres,split_key\n0,A,b,c,d,e\n"
    assert note(path, text) == (
        f"{path}: these columns are not read: 'polt' (did you mean plot?), 'shelf'"
    )
    assert note(path, text, ("shelf", "polt")) == ""
    many = ",".join(f"column {n}" for n in range(50))
    assert note(path, f"title,{many}\n").endswith("'column 19', and 30 more")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a header and rows, got an empty file"),
        ("title,title\n", "column 'title' appears 2 times. Rename or remove"),
        ("titel\n", "expected at least one of the columns plot, "),
        ("titel,shelf\n", "expected at least one of the columns plot, "),
        ("tconst,genres\n", "expected at least one of the columns plot, "),
        ('{"shelf": 1}\n', "expected at least one of the columns plot, "),
    ],
)
def test_files_without_movies(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_rows(tmp_path / "f.csv", content)
    assert str(caught.value).startswith(f"{tmp_path / 'f.csv'}: {message}")
    assert ("did you mean title?" in str(caught.value)) == content.startswith("titel")


def test_a_missing_file(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"none\.csv: no such file"),
        open_movies(tmp_path / "none.csv"),
    ):
        pass


def test_columns_of_keep_must_exist(tmp_path: Path) -> None:
    rows = read_rows(tmp_path / "f.csv", "title,shelf\nA,12\n", ("shelf",))
    assert rows[0].copied == {"shelf": "12"}
    with pytest.raises(
        UserError,
        match=r"--keep shelf: the file has no such column\. Its columns are 'title', 'Year'\.",
    ):
        read_rows(tmp_path / "f.csv", "title,Year\nA,\n", ("shelf",))
