"""Read damaged tables, of which each line must end as part of a record or as a named reject."""

import io
import json
import os
import re
from contextlib import suppress

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from schema.errors import UserError
from tables.formats import read_table
from tables.movies import read_movies
from tables.text import Decoder, split_lines
from tests.data.damage import DAMAGE, cut_off, damaged, recode

EXAMPLES = int(os.environ.get("ORDAINED_FUZZ_EXAMPLES", "0"))
"""Number of random examples; 0 takes some that are always the same."""

COLUMNS = ("imdb_id", "title", "year", "genres", "plot")
COLON_COLUMNS = ("id", "title", "genre", "description")
ROWS = [
    ("tt0000001", "The Salt Road", "1937", "Drama|Crime", "A road, a cart, a debt."),
    ("tt0000002", "Löwe; und Lamm", "(1940)", "['Comedy']", 'He said "no" twice.'),
    ("tt0000003", "Night", "", "Drama", "One line\nand another, of more words."),
    ("tt0000004", "Tide, The", "1951.0", "Comedy, Drama", "Water \u00a0rises."),
]


def quoted(delimiter, newline="\r\n"):
    """Return the table with quoted cells."""
    rows = (
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row)
        for row in (COLUMNS, *ROWS, *ROWS)
    )
    return newline.join(rows) + newline


RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS * 2]
FLAT = [[cell.replace("\n", " ") for cell in row] for row in (COLUMNS, *ROWS * 2)]
LINES = {
    "csv": quoted(",").encode(),
    "semicolons": quoted(";", "\n").encode("cp1252", "replace"),
    "pipes": quoted("|").encode("utf-16"),
    "tsv": "\n".join(map("\t".join, FLAT)).encode(),
    "colons": "".join(
        f"{number} ::: {row[1]} ::: {row[3]} ::: {row[4]}\n" for number, row in enumerate(FLAT)
    ).encode(),
    "json lines": "".join(json.dumps(record) + "\n" for record in RECORDS).encode(),
}
TABLES = LINES | {
    "json array": json.dumps(RECORDS, indent=2).encode(),
    "one object": json.dumps(RECORDS[0], indent=2).encode(),
}


def read(data):
    """Return the table and its movies, or the error."""
    try:
        table = read_table("movies", io.BytesIO(data))
        return table, list(read_movies(table, any_id=True))
    except UserError as error:
        return error, []


def check(data):
    """Check that a table ends in movies with values or reasons, or in one line; return the end."""
    table, movies = read(data)
    if isinstance(table, UserError):
        assert str(table).startswith("movies: ")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", str(table))
        return "error"
    assert [movie.number for movie in movies] == list(range(1, len(movies) + 1))
    lines = [movie.line for movie in movies]
    assert lines == sorted(lines)
    for movie in movies:
        assert movie.reason.isprintable()
        assert not (movie.reason and movie.values)
        json.dumps([movie.values, movie.text, movie.unreadable], ensure_ascii=False).encode()
    return table.description


def lines_of(record, form):
    """Return the number of lines of a record."""
    if record.reason or form.startswith("JSON"):
        return 1
    return 1 + sum(cell.count("\n") for cell in record.values.values())


def check_lines(first, rest):
    """Check that each line of a table with an intact first line is counted."""
    with suppress(UserError):
        table = read_table("movies", io.BytesIO(first + rest))
        records = list(table.records())
        *_, (count, _) = split_lines(Decoder().decode([first + rest]))
        form = table.description
        if not form.startswith("JSON array"):
            has_header = not form.startswith("JSON") and table.columns != COLON_COLUMNS
            read = table.blank_lines + sum(lines_of(record, form) for record in records)
            # Several lines can be rejected together because of a character in them.
            if not {record.reason for record in records} & {"control character", "invalid bytes"}:
                assert read + has_header == count
            assert read + has_header <= count


FUZZ = settings(
    max_examples=EXAMPLES or 300,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
DAMAGES = st.lists(DAMAGE, min_size=1, max_size=4)


@FUZZ
@example("csv", [(cut_off, 0.0, 0, 0), (recode, 0.0, 0, 0)])  # only a byte order mark
@given(st.sampled_from(sorted(TABLES)), DAMAGES)
def test_damaged_tables_end_in_movies_or_in_one_line(name, damages):
    event(check(damaged(TABLES[name], damages)))


@FUZZ
@given(st.sampled_from(sorted(LINES)), DAMAGES)
def test_each_line_of_a_damaged_table_is_counted(name, damages):
    data = LINES[name]
    end = data.index(b"\n") + (2 if name == "pipes" else 1)
    check_lines(data[:end], damaged(data[end:], damages))
