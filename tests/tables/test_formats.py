import gzip
import io
import json
import os
import re
import tracemalloc
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schema.errors import UserError
from tables import delimited, formats, parquet, record
from tables.formats import Record, open_table, read_table

COLUMNS = ("tconst", "title", "year")


def read(directory, content, name="movies.csv", columns=None):
    """Write a file, and return its columns, records and description."""
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_table(path, columns=columns) as table:
        assert table.name == str(path)
        records = list(table.records())
        # The directory at the end of a zip file is read first.
        is_zip = table.description.endswith("zip")
        assert 0 < table.bytes_read() <= path.stat().st_size
        assert is_zip or table.bytes_read() == path.stat().st_size
        return table.columns, records, table.description


def cells(records):
    return [tuple(record.values.values()) for record in records]


def problems(records):
    return [(r.number, r.line, r.reason) for r in records if r.reason]


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("delimiter", "form"),
    [
        (",", "CSV with commas"),
        (";", "CSV with semicolons"),
        ("|", "CSV with pipes"),
        ("\t", "text with tabs"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_are_found_whatever_the_name(tmp_path, delimiter, form, newline):
    rows = [
        COLUMNS,
        ("tt0000031", "Low Tide", "1987"),
        ("tt0000032", f'"Rope{delimiter} and, ""sand"""', "1988"),
    ]
    text = newline.join(delimiter.join(row) for row in rows)
    columns, records, description = read(tmp_path, text, "movies.xls")
    assert (columns, description) == (COLUMNS, f"{form}, ASCII")
    assert records == [
        Record(1, 2, {"tconst": "tt0000031", "title": "Low Tide", "year": "1987"}),
        Record(
            2,
            3,
            {"tconst": "tt0000032", "title": f'Rope{delimiter} and, "sand"', "year": "1988"},
        ),
    ]


def test_the_delimiter_is_the_one_on_which_the_lines_agree(tmp_path):
    text = "plot;title,in full;year\nA, b, c;Low;1999\nD, e;Tide;1998\n"
    columns, records, _ = read(tmp_path, text)
    assert columns == ("plot", "title,in full", "year")
    assert cells(records) == [("A, b, c", "Low", "1999"), ("D, e", "Tide", "1998")]


def test_a_separator_line_names_the_delimiter(tmp_path):
    columns, records, description = read(tmp_path, "sep=|\r\ntitle|a,b,c\r\nTide|1,2,3\r\n")
    assert (columns, description) == (("title", "a,b,c"), "CSV with pipes, ASCII")
    assert records == [Record(1, 3, {"title": "Tide", "a,b,c": "1,2,3"})]


def test_one_column(tmp_path):
    columns, records, description = read(tmp_path, 'plot\nA man, a dog.\n"Rain, ""again"""\n')
    assert (columns, description) == (("plot",), "text with one column, ASCII")
    assert cells(records) == [("A man, a dog.",), ('Rain, "again"',)]


def test_columns_are_stripped_and_may_have_no_name(tmp_path):
    columns, records, _ = read(tmp_path, ", title ,a,\n0,Tide,1,2\n")
    assert columns == ("", "title", "a", "")
    assert records[0].values == {"": "2", "title": "Tide", "a": "1"}


def test_a_repeated_column_is_refused(tmp_path):
    with pytest.raises(UserError, match="column 'a' appears 2 times"):
        read(tmp_path, "title, a,a\nTide,1,2\n")


def test_given_columns_mean_that_there_is_no_header(tmp_path):
    text = "7\tTide, Low; or so\t1990\n8\tReef, Far; or not\t1991\n"
    columns, records, _ = read(tmp_path, text, columns=("id", "title", "year"))
    assert columns == ("id", "title", "year")
    assert records[0] == Record(1, 1, {"id": "7", "title": "Tide, Low; or so", "year": "1990"})
    assert len(records) == 2


@pytest.mark.parametrize(
    "columns", [("id", "title", "genre", "description"), ("id", "title", "description")]
)
def test_triple_colons(tmp_path, columns):
    rows = [
        ("7", *("Tide (1990)", "drama")[: len(columns) - 2], "A, b; c"),
        ("8", *("Reef (1991)", "crime")[: len(columns) - 2], "A::: b ::: c"),
        ("9", *("Oar (1992)", "sport")[: len(columns) - 2], ""),
    ]
    lines = [" ::: ".join(row).strip() for row in rows]
    found, records, description = read(tmp_path, "\n".join([*lines, "10 ::: x"]), "train_data.txt")
    assert (found, description) == (columns, "text with `:::`, ASCII")
    assert cells(records[:3]) == rows
    assert problems(records) == [(4, 4, f"expected {len(columns)} columns, got 2")]


def test_triple_colons_with_a_header(tmp_path):
    columns, records, _ = read(tmp_path, "ID ::: TITLE\n1 ::: Tide\n")
    assert (columns, cells(records)) == (("ID", "TITLE"), [("1", "Tide")])


def test_triple_colons_without_known_columns(tmp_path):
    with pytest.raises(UserError, match=r"movies\.csv: line 1: .* got 2 cells"):
        read(tmp_path, "1 ::: Tide\n2 ::: Reef\n")


def test_a_cell_with_several_lines(tmp_path):
    text = 'tconst,year,plot\r\ntt0000021,1990,"One,\r\n\r\ntwo, and three"\r\ntt0000022,1991,x\r\n'
    _, records, _ = read(tmp_path, text)
    assert [(r.line, r.values["plot"]) for r in records] == [
        (2, "One,\n\ntwo, and three"),
        (5, "x"),
    ]


def test_a_first_cell_with_several_lines(tmp_path):
    _, records, _ = read(tmp_path, 'plot,title,year\n"One\ntwo",Tide,1990\n"1\n,,\n3",Reef,1991\n')
    assert cells(records[:1]) == [("One\ntwo", "Tide", "1990")]
    assert problems(records)[0] == (2, 4, "unclosed quote")


def test_a_malformed_record_costs_its_first_line(tmp_path):
    rows = [
        "tt0000041,Low,1990",
        "tt0000042,Tide",
        'tt0000043,"Reef,1991,extra',
        "tt0000044,Sand,1992",
        'tt0000045,"Rope"s,1993',
        "",
        "tt0000046,Oar,1994",
        'tt0000047,"Two\nlines",1995',
    ]
    _, records, _ = read(tmp_path, "\n".join([",".join(COLUMNS), *rows]))
    assert [r.values.get("tconst", "")[-2:] for r in records] == [
        *("41", "", "", "44", "", "46", "47")
    ]
    assert problems(records) == [
        (2, 3, "expected 3 columns, got 2"),
        (3, 4, "unclosed quote"),
        (5, 6, "invalid quoting"),
    ]
    assert records[2].text == rows[2]


@pytest.mark.parametrize("closed_at", [2, 3, 700])
def test_rows_within_a_quote_are_not_merged(tmp_path, closed_at):
    rows = [f"tt{n:07},Movie {n},{1900 + n % 99}" for n in range(1500)]
    rows[0] = 'tt0000000,"Movie 0,1950'
    rows[closed_at] = f'tt{closed_at:07},Movie",1950'
    _, records, _ = read(tmp_path, "\n".join([",".join(COLUMNS), *rows]))
    assert len(records) == 1500
    assert problems(records) == [(1, 2, "unclosed quote")]
    assert records[closed_at].values["title"] == 'Movie"'


@pytest.mark.parametrize("count", [5, 3000])
def test_a_quote_that_is_never_closed_costs_one_record(tmp_path, count):
    rows = [f"tt{n:07},Movie {n},{1900 + n % 99}" for n in range(count)]
    rows[1] = 'tt0000001,"Movie 1,1950'
    _, records, _ = read(tmp_path, "\n".join([",".join(COLUMNS), *rows]))
    assert problems(records) == [(2, 3, "unclosed quote")]
    assert len(records) == count


def test_quotes_in_text_with_tabs_may_be_plain_characters(tmp_path):
    rows = [
        'tt0000051\t"Never closed\t1990',
        "tt0000052\tBetween\t1991",
        'tt0000053\tClosed"\t1992',
        'tt0000054\t"Half" a quote\t1993',
        'tt0000055\t"Whole, ""quoted"""\t1994',
        'tt0000056\t"Two\nlines"\t1995',
        'tt0000057\t"Short',
    ]
    _, records, _ = read(tmp_path, "\n".join(["\t".join(COLUMNS), *rows]))
    assert [r.values.get("title") for r in records] == [
        '"Never closed',
        "Between",
        'Closed"',
        '"Half" a quote',
        'Whole, "quoted"',
        "Two\nlines",
        None,
    ]
    assert problems(records) == [(7, 9, "unclosed quote")]


def test_blank_lines_are_counted(tmp_path):
    path = tmp_path / "movies.csv"
    path.write_text("\n\ntitle,year\n\nTide,1990\n  \n,\n\n")
    with open_table(path) as table:
        records = list(table.records())
    assert cells(records) == [("Tide", "1990"), ("", "")]
    assert [r.line for r in records] == [5, 7]
    assert table.blank_lines == 5


def test_blank_lines_of_json_lines_are_counted(tmp_path):
    path = tmp_path / "movies.jsonl"
    path.write_text('\n{"title": "Tide"}\n\n  \n{"title": "Reef"}\n\n')
    with open_table(path) as table:
        assert [(r.number, r.line) for r in table.records()] == [(1, 2), (2, 5)]
    assert table.blank_lines == 4


def test_control_characters_and_invalid_bytes_cost_their_record(tmp_path):
    rows = [
        "Café,1990".encode(),
        b"Ti\0de,1991",
        b"Re\xe9f,1992",
        b'"Sa\nn\x1bd",1993',
        b"\tOar\x7f,1994",
        b"\x1a",
    ]
    _, records, description = read(tmp_path, b"\n".join([b"title,year", *rows]))
    assert description == "CSV with commas, UTF-8"
    assert problems(records) == [
        (2, 3, "control character"),
        (3, 4, "invalid bytes"),
        (4, 5, "control character"),
        (6, 8, "expected 2 columns, got 1"),
    ]
    assert records[2].text == "Re?f,1992"
    assert records[4].values == {"title": "\tOar\x7f", "year": "1994"}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16 with a byte order mark"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("rows", [1, 4000])
def test_encodings(tmp_path, monkeypatch, encoding, name, rows):
    # Chunks end in the middle of characters and line breaks.
    monkeypatch.setattr("tables.source.READ_BYTES", 997)
    text = "title,year\r\n" + "Zoë’s Œuvre,1990\r\n" * rows
    columns, records, description = read(tmp_path, text.encode(encoding))
    assert (columns, description) == (("title", "year"), f"CSV with commas, {name}")
    assert cells(records) == [("Zoë’s Œuvre", "1990")] * rows


def test_the_encoding_of_a_file_that_begins_in_ascii(tmp_path, monkeypatch):
    monkeypatch.setattr("tables.source.READ_BYTES", 100)
    _, records, description = read(tmp_path, b"title\n" + b"Tide\n" * 50 + b"Zo\xeb\n")
    assert description == "text with one column, cp1252"
    assert records[-1].values == {"title": "Zoë"}


@pytest.mark.parametrize("stray", [b"\xa0", b"\x92"])
def test_a_stray_byte_leaves_later_utf_8_as_it_is(tmp_path, monkeypatch, stray):
    monkeypatch.setattr("tables.source.READ_BYTES", 100)
    data = b"title\nTide" + stray + b"s\n" + b"Reef\n" * 99 + "Zoë’s Œuvre\n".encode() * 99
    _, records, description = read(tmp_path, data)
    titles = [f"Tide{stray.decode('cp1252')}s", *["Reef"] * 99, *["Zoë’s Œuvre"] * 99]
    assert [record.values["title"] for record in records] == titles
    assert description == "text with one column, UTF-8 (bytes read as cp1252: 1)"


def test_stray_bytes_among_utf_8_cost_their_records(tmp_path):
    rows = ["Zoë,1".encode(), b"Tide\xa0,2", "Café".encode() + b"\x92s,3", "Œuvre,4".encode()]
    _, records, description = read(tmp_path, b"title,year\n" + b"\n".join(rows))
    assert problems(records) == [(2, 3, "invalid bytes"), (3, 4, "invalid bytes")]
    assert description == "CSV with commas, UTF-8"


def test_cp1252_in_which_characters_look_like_utf_8(tmp_path):
    text = "title,year\nDer Fluß,1\nSüß „Spaß“ für Bär,2\nGrün,3\n"
    _, records, description = read(tmp_path, text.encode("cp1252"))
    assert cells(records)[1] == ("Süß „Spaß“ für Bär", "2")
    assert description == "CSV with commas, cp1252"


def test_bytes_that_cp1252_lacks_cost_their_record(tmp_path):
    _, records, _ = read(tmp_path, b"title,year\nZo\xeb,1\nZo\x8f,2\nTide,3\n")
    assert problems(records) == [(2, 3, "invalid bytes")]


def test_utf_16_that_is_cut_off(tmp_path):
    data = "title,year\nTide,1990\nReef,1991\n".encode("utf-16-le")[:-3]
    _, records, _ = read(tmp_path, data)
    assert cells(records[:1]) == [("Tide", "1990")]
    assert problems(records) == [(2, 3, "invalid bytes")]


def test_a_line_that_is_too_long_costs_one_record_and_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tables.source.READ_BYTES", 1 << 16)
    path = tmp_path / "movies.csv"
    with path.open("w") as file:
        file.write("title,plot\nTide,")
        for _ in range(3 * 16):
            file.write("a plot, " * (1 << 17))
        file.write("\nReef,b\n")
    tracemalloc.start()
    with open_table(path) as table:
        records = list(table.records())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problems(records) == [(1, 2, "longer than 16,777,216 characters")]
    assert (len(records[0].text), cells(records[1:])) == (200, [("Reef", "b")])
    assert peak < 4 * record.MAX_RECORD_CHARACTERS


@pytest.mark.parametrize("compression", ["gzip", "zip"])
@pytest.mark.parametrize(
    "content", ["title;year\nZoë;1990\n", '[{"title": "Zoë", "year": "1990"}]']
)
def test_compressed_files(tmp_path, compression, content):
    data = content.encode("utf-8")
    packed = gzip.compress(data) if compression == "gzip" else zipped({"movies": data})
    columns, records, description = read(tmp_path, packed)
    assert (columns, cells(records)) == (("title", "year"), [("Zoë", "1990")])
    assert description.endswith(f", UTF-8, {compression}")


def test_directories_in_a_zip_file_are_not_members(tmp_path):
    packed = zipped({"a/": "", "a/b.csv": "title,year\nTide,1990", "__MACOSX/a/._b.csv": "x"})
    _, records, _ = read(tmp_path, packed)
    assert cells(records) == [("Tide", "1990")]


def test_json_lines(tmp_path):
    lines = [
        '{"title": "Zo\\u00eb", "cast": ["A", "B"], "year": 1990}',
        "",
        "{broken",
        "[1, 2]",
        "[" * 100_000,
        '{" plot ": "half \\ud800 pair"}',
        '{"plot": ["a", {"b": "NUL \\u0000"}]}',
        '{"plot": "NUL \0"}',
        '{" plot ": "\\ud83d\\ude00"}',
    ]
    columns, records, description = read(tmp_path, "\n".join(lines), "movies.csv")
    assert columns == ("title", "cast", "year", "plot")
    assert description == "JSON lines, ASCII"
    assert records[0] == Record(1, 1, {"title": "Zoë", "cast": ["A", "B"], "year": 1990})
    assert records[-1] == Record(8, 9, {"plot": "😀"})
    assert problems(records) == [
        (2, 3, "invalid JSON"),
        (3, 4, "expected a JSON object"),
        (4, 5, "invalid JSON"),
        (5, 6, "invalid bytes"),
        (6, 7, "control character"),
        (7, 8, "control character"),
    ]


def test_a_json_object_of_columns_is_named(tmp_path):
    of_columns = '{"title": {"0": "Tide", "1": "Reef"}, "year": {"0": 1990}}'
    problem = (
        'expected an object for each row, not for each column (pandas: to_json(orient="records"))'
    )
    with pytest.raises(UserError, match=re.escape(f"movies.csv: {problem}. Write the file again.")):
        read(tmp_path, of_columns)
    _, records, _ = read(tmp_path, f'{{"title": "Oar"}}\n{of_columns}')
    assert problems(records) == [(2, 2, problem)]


def test_json_lines_whose_first_line_is_malformed(tmp_path):
    text = 'broken\n{"title": "Tide"}\n{"title": "Reef"}\n{"title": "Oar"}\n'
    columns, records, _ = read(tmp_path, text)
    assert (columns, problems(records)) == (("title",), [(1, 1, "invalid JSON")])
    assert len(records) == 4


def test_columns_are_those_of_the_first_thousand_objects(tmp_path):
    lines = [json.dumps({"title": str(n)}) for n in range(999)]
    text = "\n".join([*lines, '{"year": 1}', '{"plot": "x"}'])
    columns, records, _ = read(tmp_path, text)
    assert (columns, len(records)) == (("title", "year"), 1001)
    assert records[-1].values == {"plot": "x"}


MOVIES = [
    {
        "id": n,
        "title": f"Movie {n}",
        "genres": [{"id": 18, "name": "Drama"}, {"id": 9, "name": "x"}],
    }
    for n in range(1, 301)
]


@pytest.mark.parametrize(
    "form", [{}, {"indent": 2}, {"indent": 0}, {"separators": (",", ":")}], ids=str
)
@pytest.mark.parametrize("size", [11, 1 << 20])
def test_json_arrays(tmp_path, monkeypatch, form, size):
    monkeypatch.setattr("tables.source.READ_BYTES", size)
    text = f"\n{json.dumps(MOVIES, **form)}\n"
    if size > 11:
        columns, records, description = read(tmp_path, text, "movies.csv")
        assert (columns, description) == (("id", "title", "genres"), "JSON array, ASCII")
    else:
        # The sample is too short to tell the format.
        monkeypatch.setattr("tables.json_records.is_array", lambda start: True)
        _, records, _ = read(tmp_path, text)
    assert [r.values for r in records] == MOVIES
    assert [r.number for r in records] == list(range(1, 301))
    lines = text.split("\n")
    assert all("{" in lines[r.line - 1] for r in records)


@pytest.mark.parametrize("form", [{}, {"indent": 4}, {"separators": (",", ":")}], ids=str)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Movie 7"', '"Movie "7"'),
        ('"Movie 7"', "Movie 7"),
        ('"Movie 7"', '"Movie 7'),
        ('"Movie 7",', '"Movie 7"'),
        ('"Movie 7"', '{"Movie 7"'),
        ('"Movie 7"', '["Movie 7"'),
        ('"Movie 7"', "[" * 100_000),
        ('"Movie 7"', "7" * 5_000),
        ('"Movie 7"', '"NUL \\u0000"'),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_object_in_an_array_costs_itself(tmp_path, form, old, new):
    text = json.dumps(MOVIES, **form)
    assert text.count(old) == 1
    _, records, _ = read(tmp_path, text.replace(old, new))
    assert [r.number for r in records if r.reason] == [7]
    assert [r.values.get("id") for r in records if r.values] == [1, 2, 3, 4, 5, 6, *range(8, 301)]


def test_an_array_that_is_cut_off(tmp_path):
    text = json.dumps(MOVIES[:5], indent=1)
    _, records, _ = read(tmp_path, text[: text.index("Movie 5") + 3])
    assert len(records) == 5
    assert problems(records)[0][::2] == (5, "invalid JSON")


def test_values_in_an_array_that_are_no_objects(tmp_path):
    _, records, _ = read(tmp_path, '[{"a": 1}, 12, "x", {"a": 2}, nul, {"a": 3}]')
    assert [r.reason or r.values["a"] for r in records] == [
        *(1, "expected a JSON object", "expected a JSON object", 2, "invalid JSON", 3)
    ]


def test_objects_of_several_lines_without_an_array(tmp_path):
    text = "\n".join(json.dumps(movie, indent=2) for movie in MOVIES[:3])
    _, records, description = read(tmp_path, text)
    assert [r.values["id"] for r in records] == [1, 2, 3]
    assert description == "JSON array, ASCII"


def write_parquet(path, table, **options):
    pq.write_table(pa.table(table), path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("compression", ["", "gzip", "zip"])
def test_parquet(tmp_path, compression):
    data = write_parquet(
        tmp_path / "movies.parquet",
        {
            " title": ["Zoë", None],
            "year": [1990, None],
            "cast": [["A", "B"], []],
            "genres": [[{"id": 1, "name": "Drama"}], None],
            "released": [date(1990, 6, 15), None],
            "seen": pa.array([datetime(1990, 6, 15, 12, tzinfo=UTC), None], pa.timestamp("ns")),
            "rating": [Decimal("7.50"), None],
            "plot": ["Öl".encode(), None],
        },
    )
    packed = {"": data, "gzip": gzip.compress(data), "zip": zipped({"movies": data})}[compression]
    columns, records, description = read(tmp_path, packed, "movies.csv")
    assert columns[0] == "title"
    assert records[0] == Record(
        1,
        1,
        {
            "title": "Zoë",
            "year": 1990,
            "cast": ["A", "B"],
            "genres": [{"id": 1, "name": "Drama"}],
            "released": "1990-06-15",
            "seen": "1990-06-15 12:00:00.000000000",
            "rating": "7.50",
            "plot": "Öl",
        },
    )
    assert records[1].values["cast"] == []
    assert description == f"Parquet{', ' if compression else ''}{compression}"


def test_parquet_in_several_batches_with_malformed_rows(tmp_path):
    titles = [f"Movie {n}".encode() for n in range(2500)]
    titles[1200], titles[2400] = b"Zo\xeb", b"NUL \0"
    data = write_parquet(tmp_path / "movies.parquet", {"title": titles}, row_group_size=700)
    _, records, _ = read(tmp_path, data)
    assert problems(records) == [
        (1201, 1201, "invalid bytes"),
        (2401, 2401, "control character"),
    ]
    assert records[2499].values == {"title": "Movie 2499"}


def test_long_rows_of_parquet_are_read_in_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("tables.parquet.BATCH_BYTES", 25_000)
    titles = [f"{n} ".ljust(10_000, "x") for n in range(20)]
    path = tmp_path / "movies.parquet"
    write_parquet(path, {"title": titles}, row_group_size=10)
    group = pq.ParquetFile(path).metadata.row_group(1)
    assert parquet.batch_rows(group.num_rows, group.total_byte_size) == 2
    assert cells(read(tmp_path, path.read_bytes())[1]) == [(title,) for title in titles]


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [(50_000, 5_000_000, 1_000), (20, 200_000_000, 3), (5, 500_000_000, 1), (0, 0, 1)],
)
def test_the_rows_of_a_batch_of_parquet(rows, size, expected):
    assert parquet.batch_rows(rows, size) == expected


def test_parquet_with_text_that_is_not_valid(tmp_path):
    texts = pa.array([b"Tide", b"Zo\xeb", None, b"Reef"]).cast(pa.binary()).view(pa.string())
    _, records, _ = read(tmp_path, write_parquet(tmp_path / "movies.parquet", {"title": texts}))
    assert problems(records) == [(2, 2, "invalid bytes")]
    assert [r.values.get("title") for r in records] == ["Tide", None, None, "Reef"]


def test_the_progress_of_parquet(tmp_path):
    path = tmp_path / "movies.parquet"
    write_parquet(path, {"title": ["a", "b", "c", "d"]})
    with open_table(path) as table:
        next(table.records())
        assert table.bytes_read() == round(path.stat().st_size / 4)


def test_corrupt_parquet(tmp_path):
    data = write_parquet(tmp_path / "movies.parquet", {"title": ["a"]})
    with pytest.raises(UserError, match="the Parquet file is corrupt"):
        read(tmp_path, data[:-20])


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    data = write_parquet(tmp_path / "movies.parquet", {"title": ["a"]})
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow. Run `pip install 'ordained\[parquet\]'"):
        read(tmp_path, data)


def test_an_open_file():
    table = read_table("the table", io.BytesIO(b"title\tyear\nTide\t1990\n"))
    assert (table.name, table.columns) == ("the table", ("title", "year"))
    assert cells(table.records()) == [("Tide", "1990")]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("compress", [gzip.compress, lambda data: zipped({"a": data})])
def test_an_open_file_may_be_compressed(tmp_path, form, compress):
    data = b"title\nTide\n"
    if form == "parquet":
        data = write_parquet(tmp_path / "movies", {"title": ["Tide"]})
    table = read_table("the table", io.BytesIO(compress(data)))
    assert cells(table.records()) == [("Tide",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file"),
        (b" \n\r\n", "got an empty file"),
        (
            zipped({"xl/workbook.xml": "x", "docProps/app.xml": "y"}),
            "got an Excel workbook. Export",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1...", "got an Excel workbook or another Office"),
        (b"%PDF-1.7\n%...", "got a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "got an image"),
        (b"\xff\xd8\xff\xe0", "got an image"),
        (b"\n<!DOCTYPE html>\n<html>", "got an HTML page. Download"),
        (b"\xef\xbb\xbf<HTML lang=en>", "got an HTML page"),
        (b'<?xml version="1.0"?><movies/>', "got XML"),
        (b"\0\x05\x16\x07\0\x02", "attributes of a file that macOS"),
        (b"BZh91AY", "compressed by bzip2. Decompress it"),
        (bytes(range(256)) * 9, "got a binary file"),
        (b"\0", "got an empty file"),
        (zipped({"a": "title", "b": "title"}), r"one table, got 2 files \(a, b\)"),
        (zipped({}), "got an empty zip file"),
        (b"\xff\xfe", "got an empty file"),
        (b"\xef\xbb\xbf\n", "got an empty file"),
        (gzip.compress(gzip.compress(b"title")), "got data compressed twice. Decompress"),
        (gzip.compress(zipped({"a": "title"})), "got a zip file within compressed data"),
        (b"PK\x03\x04 and so on", "the compressed file is corrupt"),
        (gzip.compress(b"title,year\n" * 99)[:-9], "the compressed file is truncated"),
        (gzip.compress(b"")[:4] + b"x" * 99, "the compressed file is corrupt"),
        (gzip.compress(b"%PDF-1.7"), "got a PDF document"),
        (b'title,"year\nTide,1990\n', "line 1: unclosed quote in the header"),
        (b"sep=;\n\n", "got blank lines"),
    ],
    # The time in compressed data would give each worker of the tests other names.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_tables(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'movies.csv'}: ")
    assert "\n" not in str(error.value)


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "~$movies.xlsx").write_bytes(b"somebody")
    (tmp_path / "secret").write_text("title\n")
    (tmp_path / "secret").chmod(0)
    expected = {
        ".": "expected a file, got a directory",
        "fifo": "expected a file, got a FIFO",
        "broken": f"a link to {tmp_path / 'nowhere'}, which does not exist",
        "missing": "no such file",
        "~$movies.xlsx": "a lock file that Excel keeps",
    }
    if os.geteuid():
        expected["secret"] = "cannot be read: Permission denied"
    for name, message in expected.items():
        with pytest.raises(UserError) as error, open_table(tmp_path / name):
            pass
        assert message in str(error.value)


def test_every_delimiter_has_a_name():
    assert set(delimited.DELIMITERS) == {",", ";", "|", "\t", ":::"}
    assert formats.Record is record.Record
