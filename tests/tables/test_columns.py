import time

import pytest

from tables.columns import COLUMN_NAMES, Columns, Field, holds_timestamps, match_columns

F = Field


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "Release Year,Title,Origin/Ethnicity,Director,Cast,Genre,Wiki Page,Plot",
            {
                F.YEAR: "Release Year",
                F.TITLE: "Title",
                F.DIRECTORS: "Director",
                F.CAST: "Cast",
                F.GENRES: "Genre",
                F.PLOT: "Plot",
            },
        ),
        (
            "budget,genres,id,original_language,original_title,overview,popularity,release_date,"
            "runtime,title,vote_average,vote_count",
            {
                F.GENRES: "genres",
                F.ID: "id",
                F.LANGUAGE: "original_language",
                F.ORIGINAL_TITLE: "original_title",
                F.PLOT: "overview",
                F.YEAR: "release_date",
                F.RUNTIME: "runtime",
                F.TITLE: "title",
                F.RATING: "vote_average",
                F.VOTES: "vote_count",
            },
        ),
        (
            "Poster_Link,Series_Title,Released_Year,Runtime,Genre,IMDB_Rating,Overview,Meta_score,"
            "Director,Star2,Star1,Star10,No_of_Votes",
            {
                F.TITLE: "Series_Title",
                F.YEAR: "Released_Year",
                F.RUNTIME: "Runtime",
                F.GENRES: "Genre",
                F.RATING: "IMDB_Rating",
                F.PLOT: "Overview",
                F.DIRECTORS: "Director",
                F.CAST: "Star1,Star2,Star10",
                F.VOTES: "No_of_Votes",
            },
        ),
        (
            "show_id,type,title,director,cast,release_year,duration,listed_in,description",
            {
                F.ID: "show_id",
                F.KIND: "type",
                F.TITLE: "title",
                F.DIRECTORS: "director",
                F.CAST: "cast",
                F.YEAR: "release_year",
                F.RUNTIME: "duration",
                F.GENRES: "listed_in",
                F.PLOT: "description",
            },
        ),
        (
            "imdb_id,title,plot_synopsis,tags,split",
            {F.TCONST: "imdb_id", F.TITLE: "title", F.PLOT: "plot_synopsis", F.GENRES: "tags"},
        ),
        (
            "Const,Title Type,IMDb Rating,Runtime (mins),Num Votes,Directors",
            {
                F.TCONST: "Const",
                F.KIND: "Title Type",
                F.RATING: "IMDb Rating",
                F.RUNTIME: "Runtime (mins)",
                F.VOTES: "Num Votes",
                F.DIRECTORS: "Directors",
            },
        ),
        (
            "ID,TITLE,GENRE,DESCRIPTION",
            {F.ID: "ID", F.TITLE: "TITLE", F.GENRES: "GENRE", F.PLOT: "DESCRIPTION"},
        ),
    ],
)
def test_columns_of_public_tables(header, expected):
    fields = match_columns(header.split(",")).fields
    assert {field: ",".join(names) for field, names in fields.items()} == expected


@pytest.mark.parametrize(
    "name", ["num_votes", "NumVotes", "Num-Votes", " num.votes ", "NUM / VOTES", "num votes"]
)
def test_case_and_separators_make_no_difference(name):
    assert match_columns([name]).fields == {F.VOTES: (name,)}


def test_every_accepted_name_has_one_meaning():
    for field, names in COLUMN_NAMES.items():
        for name in names:
            assert match_columns([name]) == Columns({field: (name,)}, {}), name


def test_columns_are_in_the_order_of_preference():
    names = ["Description", "Release Date", "Plot", "overview", "Year"]
    fields = match_columns(names).fields
    assert fields == {F.PLOT: ("Plot", "overview", "Description"), F.YEAR: ("Year", "Release Date")}


def test_numbered_columns_are_in_one_series():
    names = ["actor_2_name", "Genre 1", "stars", "actor_1_name", "genre2", "year2"]
    columns = match_columns(names)
    assert columns.series(F.CAST) == [("actor_1_name", "actor_2_name"), ("stars",)]
    assert columns.series(F.GENRES) == [("Genre 1", "genre2")]
    assert columns.series(F.PLOT) == []
    assert columns.unknown == {"year2": "year"}


def test_unknown_columns_have_the_nearest_known_name():
    unknown = match_columns(["Titel", "Run time minuts", "poster", "genres_", "", "#"]).unknown
    assert unknown == {
        "Titel": "title",
        "Run time minuts": "runtime_minutes",
        "poster": "",
        "": "",
        "#": "",
    }


def test_only_keeps_the_fields_that_are_named():
    columns = match_columns(["title", "year", "colour"]).only(F.YEAR, F.PLOT)
    assert columns == Columns({F.YEAR: ("year",)}, {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("release_date_ms", True), ("Release Timestamp", True), ("date", True), ("year", False)],
)
def test_columns_of_timestamps(name, expected):
    assert match_columns([name]).fields == {F.YEAR: (name,)}
    assert holds_timestamps(name) == expected


def test_ten_thousand_unknown_columns_take_little_time():
    start = time.process_time()
    assert len(match_columns([f"measurement {n} of it" for n in range(10_000)]).unknown) == 10_000
    assert time.process_time() - start < 5
