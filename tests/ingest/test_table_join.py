"""Builds from a single table: public forms, ids, genres, counts and messages."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ingest import IngestConfig, IngestSummary, build
from schema.errors import UserError

PLOTS = (
    "A ferryman learns who paid for his boat.",
    "Two cooks fall out over a recipe and a waiter.",
    "A clerk finds two ledgers, and one of them is false.",
    "The last relay falls silent while the crew is asleep.",
)
ALL_GENRES = {"min_genre_movies": 1}


def build_table(
    directory: Path, name: str, content: str | bytes, **settings: Any
) -> tuple[IngestSummary, list[dict[str, str]]]:
    """Write a table and build from it; return the summary and the movies in the order of title."""
    table = directory / name
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return build_from(table, **settings)


def build_from(table: Path, **settings: Any) -> tuple[IngestSummary, list[dict[str, str]]]:
    output = table.parent / "movies"
    config = IngestConfig.model_validate(ALL_GENRES | settings | {"table": table})
    summary = build(None, output, config)
    rejected = sum(sum(reasons.values()) for reasons in summary.rejected.values())
    assert summary.titles == summary.movies + sum(summary.dropped.values()) + rejected
    movies = []
    for path in sorted(output.glob("movies-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            movies += csv.DictReader(file)
    return summary, sorted(movies, key=lambda movie: movie["title"])


def as_csv(*rows: tuple[object, ...], delimiter: str = ",") -> str:
    lines = []
    for row in rows:
        cells = ('"' + str(cell).replace('"', '""') + '"' for cell in row)
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


WIKIPEDIA = as_csv(
    (
        "Release Year",
        "Title",
        "Origin/Ethnicity",
        "Director",
        "Cast",
        "Genre",
        "Wiki Page",
        "Plot",
    ),
    (
        1931,
        "Low Water",
        "American",
        "Ann Holt",
        "Bo Sund, Cy Moe",
        "drama",
        "https://en.wikipedia.org/wiki/Low",
        PLOTS[0],
    ),
    (1954, "Two Cooks", "British", "Unknown", "", "comedy, drama", "https://w/Two", PLOTS[1]),
    (1955, "No Genre", "British", "Unknown", "", "unknown", "https://w/No", PLOTS[2]),
)
TRIPLE_COLON = (
    f"1 ::: The Ledger (2004) ::: crime ::: {PLOTS[2]}\n"
    f"2 ::: Relay, The (2011) ::: sci-fi ::: {PLOTS[3]}\n"
)
TMDB_5000 = as_csv(
    (
        "budget",
        "genres",
        "homepage",
        "id",
        "keywords",
        "original_language",
        "original_title",
        "overview",
        "popularity",
        "release_date",
        "runtime",
        "tagline",
        "title",
        "vote_average",
        "vote_count",
    ),
    (
        0,
        json.dumps([{"id": 28, "name": "Action"}, {"id": 878, "name": "Science Fiction"}]),
        "",
        19995,
        "[]",
        "en",
        "Relé",
        PLOTS[3],
        1.5,
        "2009-12-10",
        "162.0",
        "",
        "Relay",
        7.2,
        11800,
    ),
    (
        0,
        json.dumps([{"id": 18, "name": "Drama"}]),
        "",
        285,
        "[]",
        "en",
        "Low",
        PLOTS[0],
        1,
        "",
        "",
        "",
        "Low",
        0.0,
        0,
    ),
)
MOVIES_METADATA = as_csv(
    (
        "adult",
        "genres",
        "id",
        "imdb_id",
        "overview",
        "release_date",
        "runtime",
        "title",
        "vote_average",
        "vote_count",
    ),
    (
        "False",
        "[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': 'Comedy'}]",
        862,
        "tt0114709",
        PLOTS[1],
        "1995-10-30",
        "81.0",
        "Cooks",
        "7.7",
        "5415.0",
    ),
    (
        "False",
        "[{'id': 80, 'name': 'Crime'}]",
        863,
        "",
        PLOTS[2],
        "1996-02-01",
        "0.0",
        "Ledger",
        "6",
        "12",
    ),
    ("False", "[]", 864, "tt0114710", PLOTS[0], "", "", "Nothing", "", ""),
)
IMDB_TOP = as_csv(
    (
        "Poster_Link",
        "Series_Title",
        "Released_Year",
        "Certificate",
        "Runtime",
        "Genre",
        "IMDB_Rating",
        "Overview",
        "Meta_score",
        "Director",
        "Star1",
        "Star2",
        "Star3",
        "Star4",
        "No_of_Votes",
        "Gross",
    ),
    (
        "https://m/1.jpg",
        "The Relay",
        "1994",
        "A",
        "142 min",
        "Drama",
        "9.3",
        PLOTS[3],
        "80",
        "Fay Dart",
        "Tim Roe",
        "Mo Free",
        "Bob Gun",
        "Will Sad",
        "2,343,110",
        "28,341,469",
    ),
    (
        "https://m/2.jpg",
        "Waiters",
        "PG",
        "U",
        "88 min",
        "Comedy, Drama",
        "8.0",
        PLOTS[1],
        "",
        "Gus Lane",
        "A B",
        "C D",
        "E F",
        "G H",
        "25,088",
        "",
    ),
)
NETFLIX = as_csv(
    (
        "show_id",
        "type",
        "title",
        "director",
        "cast",
        "country",
        "date_added",
        "release_year",
        "rating",
        "duration",
        "listed_in",
        "description",
    ),
    (
        "s1",
        "Movie",
        "Low Water",
        "Ann Holt",
        "Bo Sund, Cy Moe",
        "Norway",
        "September 25, 2021",
        2020,
        "PG-13",
        "90 min",
        "Dramas, Independent Movies",
        PLOTS[0],
    ),
    (
        "s2",
        "TV Show",
        "Cooks",
        "",
        "Di Ray",
        "Chile",
        "",
        2021,
        "TV-MA",
        "2 Seasons",
        "TV Comedies",
        PLOTS[1],
    ),
    (
        "s3",
        "Movie",
        "Ledger",
        "",
        "",
        "",
        "",
        2018,
        "TV-14",
        "101 min",
        "Thrillers",
        PLOTS[2],
    ),
)
MPST = as_csv(
    ("imdb_id", "title", "plot_synopsis", "tags", "split", "synopsis_source"),
    ("tt0057603", "Low Water", PLOTS[0], "cult, gothic, murder", "train", "imdb"),
    ("tt1733125", "Relay", PLOTS[3], "violence", "test", "wikipedia"),
)

FORMS = {
    "wiki_movie_plots_deduped.csv": (
        WIKIPEDIA,
        {"no genre": 1},
        [
            {
                "title": "Low Water",
                "plot": PLOTS[0],
                "genres": "drama",
                "year": "1931",
                "directors": "Ann Holt",
                "cast": "Bo Sund|Cy Moe",
            },
            {"title": "Two Cooks", "genres": "comedy|drama", "directors": "", "cast": ""},
        ],
    ),
    "train_data.txt": (
        TRIPLE_COLON,
        {},
        [
            {"tconst": "id1", "title": "The Ledger", "year": "2004", "genres": "crime"},
            {"tconst": "id2", "title": "The Relay", "year": "2011", "plot": PLOTS[3]},
        ],
    ),
    "tmdb_5000_movies.csv": (
        TMDB_5000,
        {},
        [
            {"tconst": "id285", "title": "Low", "genres": "Drama", "year": "", "num_votes": ""},
            {
                "tconst": "id19995",
                "title": "Relay",
                "genres": "Action|Science Fiction",
                "year": "2009",
                "runtime_minutes": "162",
                "average_rating": "7.2",
                "num_votes": "11800",
            },
        ],
    ),
    "movies_metadata.csv": (
        MOVIES_METADATA,
        {"no genre": 1},
        [
            {
                "tconst": "tt0114709",
                "title": "Cooks",
                "genres": "Animation|Comedy",
                "year": "1995",
                "runtime_minutes": "81",
                "num_votes": "5415",
            },
            {
                "tconst": "id863",
                "title": "Ledger",
                "runtime_minutes": "",
                "average_rating": "6.0",
            },
        ],
    ),
    "imdb_top_1000.csv": (
        IMDB_TOP,
        {},
        [
            {
                "title": "The Relay",
                "year": "1994",
                "runtime_minutes": "142",
                "average_rating": "9.3",
                "num_votes": "2343110",
                "cast": "Tim Roe|Mo Free|Bob Gun|Will Sad",
            },
            {"title": "Waiters", "year": "", "genres": "Comedy|Drama", "num_votes": "25088"},
        ],
    ),
    "netflix_titles.csv": (
        NETFLIX,
        {"another title type": 1},
        [
            {"tconst": "s3", "title": "Ledger", "genres": "Thrillers", "year": "2018"},
            {
                "tconst": "s1",
                "title": "Low Water",
                "genres": "Dramas|Independent Movies",
                "year": "2020",
                "runtime_minutes": "90",
                "average_rating": "",
                "cast": "Bo Sund|Cy Moe",
            },
        ],
    ),
    "mpst_full_data.csv": (
        MPST,
        {},
        [
            {"tconst": "tt0057603", "title": "Low Water", "genres": "cult|gothic|murder"},
            {"tconst": "tt1733125", "title": "Relay", "genres": "violence", "year": ""},
        ],
    ),
}
"""Content, counts of dropped rows and expected movies of tables in public forms, by file name."""


@pytest.mark.parametrize("name", FORMS)
def test_public_forms(tmp_path: Path, name: str) -> None:
    content, dropped, expected = FORMS[name]
    summary, movies = build_table(tmp_path, name, content)
    assert summary.dropped == dropped
    assert len(movies) == len(expected) == summary.movies
    for movie, values in zip(movies, expected, strict=True):
        assert {column: movie[column] for column in values} == values
