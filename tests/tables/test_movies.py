import pytest

from tables.columns import Field, match_columns
from tables.formats import Record
from tables.kinds import is_another_kind
from tables.movies import Cell, MovieRecord, read_movies


class Rows:
    """Table of records that are in memory."""

    def __init__(self, *rows):
        self.rows = rows
        self.columns = tuple(dict.fromkeys(name for row in rows for name in row))

    def records(self):
        return (Record(n, n + 1, row) for n, row in enumerate(self.rows, 1))


def read(*rows, **options):
    return list(read_movies(Rows(*rows), **options))


def test_values_by_field():
    row = {
        "IMDb ID": "https://www.imdb.com/title/tt0042876/",
        "Series Title": "Salt Road, The (1938)",
        "Released Year": "1939.0",
        "Runtime": "97 min",
        "Genre": "Drama, Crime",
        "IMDB Rating": "6,4",
        "Overview": " A night on the road. ",
        "Director": "Ada Lind",
        "Star1": "Bo Sund",
        "Star2": "Cy Moe, Jr.",
        "Star3": "",
        "No of Votes": "4,321",
        "Gross": "$7",
    }
    assert read(row) == [
        MovieRecord(
            1,
            2,
            {
                "tconst": "tt0042876",
                "title": "The Salt Road",
                "plot": "A night on the road.",
                "genres": ("Drama", "Crime"),
                "year": 1939,
                "runtime_minutes": 97,
                "average_rating": 6.4,
                "num_votes": 4321,
                "directors": ("Ada Lind",),
                "cast": ("Bo Sund", "Cy Moe, Jr."),
            },
            row,
        )
    ]


def test_a_value_that_is_not_understood_costs_its_cell_only():
    row = {"title": "Salt Road", "year": "57", "rating": 85, "votes": "many", "plot": "A night."}
    (movie,) = read(row)
    assert movie.values == {"title": "Salt Road", "plot": "A night."}
    assert [(cell.column, cell.value) for cell in movie.unreadable] == [
        ("year", "57"),
        ("rating", "85"),
        ("votes", "many"),
    ]
    assert movie.unreadable[1] == Cell("rating", "85", "expected a rating from 0 to 10")
    assert movie.reason == ""


@pytest.mark.parametrize(
    ("row", "reason", "text"),
    [
        (
            {"imdb_id": "nm0000001", "plot": "A night."},
            "imdb_id: expected a title id such as tt0111161",
            "nm0000001",
        ),
        ({"imdb_id": "tt0000007", "Plot": {"a": 1}}, "Plot: expected text", "{'a': 1}"),
        ({"title": "Salt", "plot": "half \ud800 pair"}, "plot: invalid UTF-8", "half ? pair"),
        ({"plot": "A night.", "Genres": [1, 2]}, "Genres: expected genres", "[1, 2]"),
    ],
)
def test_an_id_plot_or_genre_that_is_not_understood_costs_the_record(row, reason, text):
    (movie,) = read(row)
    assert (movie.values, movie.reason, movie.text) == ({}, reason, text)
    assert movie.record is row


def test_malformed_records_keep_their_reason():
    table = Rows({"title": "Salt"})
    table.records = lambda: iter([Record(4, 9, {}, "expected 2 columns, got 1", "Salt")])
    assert list(read_movies(table)) == [
        MovieRecord(4, 9, {}, {}, (), "expected 2 columns, got 1", "Salt")
    ]


def test_the_first_column_with_a_value_is_read():
    first = {"plot": "N/A", "summary": "A night.", "description": "Other."}
    assert [movie.values["plot"] for movie in read(first)] == ["A night."]
    second = {"year": "soon", "release_date": "1938-05-01"}
    (movie,) = read(second)
    assert movie.values == {"year": 1938}
    assert [cell.column for cell in movie.unreadable] == ["year"]
    third = {"imdb_id": "broken", "const": "tt0000007"}
    assert read(third)[0].values == {"tconst": "tt0000007"}


def test_the_year_of_the_title_counts_without_another():
    rows = [{"title": "Salt Road (1938)"}, {"title": "Salt Road (1938)", "year": r"\N"}]
    assert [movie.values for movie in read(*rows)] == [{"title": "Salt Road", "year": 1938}] * 2


@pytest.mark.parametrize(
    ("column", "value", "year"),
    [
        ("release_date", 708307200000, 1992),
        ("Release Timestamp", "708307200", 1992),
        ("date_ms", "-497318400000", 1954),
    ],
)
def test_timestamps(column, value, year):
    assert read({column: value})[0].values == {"year": year}


def test_a_timestamp_in_a_column_of_years_is_not_understood():
    assert read({"year": 708307200000})[0].values == {}


def test_another_id_counts_as_tconst_where_it_is_one_of_imdb():
    rows = [{"id": "tt0000007"}, {"id": 7}, {"id": "tt0000007", "imdb_id": "tt0000009"}]
    assert [movie.values.get("tconst") for movie in read(*rows)] == ["tt0000007", None, "tt0000009"]
    assert [movie.values.get("tconst") for movie in read(*rows, any_id=True)] == [
        "tt0000007",
        "7",
        "tt0000009",
    ]
    assert read({"tconst": "s7"}, any_id=True)[0].values == {"tconst": "s7"}


def test_only_the_columns_that_are_given_are_read():
    row = {"title": "Salt", "genres": 7}
    assert read(row, columns=match_columns(["title"]))[0].values == {"title": "Salt"}
    assert read(row)[0].reason == "genres: expected genres"
    assert Field.TITLE in read(row, columns=match_columns(["title"]))[0].values


@pytest.mark.parametrize(
    ("kind", "title_types", "expected"),
    [
        ("TV Show", ("movie",), True),
        ("tv-series", ("movie",), True),
        ("tvMiniSeries", ("movie", "tvSeries"), True),
        ("Series", ("movie", "tvMiniSeries"), False),
        ("Episode", ("movie",), True),
        ("short", ("short",), False),
        ("Movie", ("movie",), False),
        ("Movie", ("tvSeries", "tvMiniSeries"), True),
        ("Film", ("tvMovie",), False),
        ("TV Movie", ("movie",), False),
        ("Colour", ("movie",), False),
    ],
)
def test_kinds_of_titles(kind, title_types, expected):
    assert is_another_kind(kind, title_types) == expected


def test_columns_of_one_name_are_alternatives():
    rows = [{"Title": "Salt", "title": "Salt Road"}, {"Title": "", "title": "Salt Road"}]
    assert [movie.values["title"] for movie in read(*rows)] == ["Salt", "Salt Road"]
