"""Builds from a single table: public forms, ids, genres, counts and messages."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ingest import IngestConfig, IngestSummary, build, rebuild_reasons
from ingest.join import allowed_rejects
from ingest.summary import summary_tables
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


def build_from(
    table: Path, *, for_training: bool = True, **settings: Any
) -> tuple[IngestSummary, list[dict[str, str]]]:
    output = table.parent / "movies"
    config = IngestConfig.model_validate(ALL_GENRES | settings | {"table": table})
    summary = build(None, output, config, for_training=for_training)
    rejected = sum(summary.rejected.get(summary.source, {}).values())
    assert summary.titles == summary.movies + sum(summary.dropped.values()) + rejected
    movies = []
    for path in sorted(output.glob("movies-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            movies += csv.DictReader(file)
    return summary, sorted(movies, key=lambda movie: movie["title"])


def read_unlabelled(directory: Path) -> list[dict[str, str]]:
    """Return the movies without genres that `build_table` has written, in their order."""
    movies = []
    for path in sorted((directory / "movies").glob("unlabelled-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            movies += csv.DictReader(file)
    return movies


def rejects(output: Path) -> list[list[str]]:
    """Return the rows of the rejects file, without the header."""
    return [line.split("\t") for line in (output / "rejects.tsv").read_text().splitlines()[1:]]


def printed(summary: IngestSummary) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary_tables(summary))
    return console.export_text()


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


def write_corpus(directory: Path) -> Path:
    """Write the files of the CMU Movie Summary Corpus with three plots and two movies."""
    directory.mkdir()
    movies = [
        ("23", "/m/1", "Low Water", "1931-05-01", "", "95.0", '{"/m/02l7c8": "Romance Film"}'),
        (
            "7",
            "/m/2",
            "Relay",
            "2011",
            "1000",
            "",
            '{"/m/01jfsb": "Thriller", "/m/06n90": "Opera"}',
        ),
    ]
    (directory / "movie.metadata.tsv").write_text(
        "".join(
            "\t".join([*cells[:6], '{"/m/02h40lc": "English Language"}', "{}", cells[6]]) + "\n"
            for cells in movies
        )
    )
    (directory / "plot_summaries.txt").write_text(
        f"23\t{PLOTS[0]}\n99\t{PLOTS[1]}\n7\t{PLOTS[3]}\n"
    )
    return directory


@pytest.mark.parametrize("name", ["", "plot_summaries.txt"])
def test_the_cmu_corpus_is_a_table(tmp_path: Path, name: str) -> None:
    summary, movies = build_from(write_corpus(tmp_path / "corpus") / name)
    assert (summary.source, summary.titles) == ("plot_summaries.txt", 3)
    assert summary.dropped == {"no genre": 1}
    columns = ("tconst", "title", "plot", "genres", "year", "runtime_minutes")
    assert [[movie[column] for column in columns] for movie in movies] == [
        ["id23", "Low Water", PLOTS[0], "Romance Film", "1931", "95"],
        ["id7", "Relay", PLOTS[3], "Opera|Thriller", "2011", ""],
    ]


def test_each_row_of_the_corpus_is_counted(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    with (corpus / "plot_summaries.txt").open("a") as file:
        file.write("A plot without its id.\n")
    with (corpus / "movie.metadata.tsv").open("a") as file:
        cells = ["8", "/m/4", "Unseen", "1950", "", "", "{}", "{}", "{}"]
        file.write("5\t/m/3\tCut\n" + "\t".join(cells) + "\n\n23" + "\t" * 8 + "\n")
    summary, movies = build_from(corpus)
    assert [movie["title"] for movie in movies] == ["Low Water", "Relay"]
    assert summary.lines == {"plot_summaries.txt": 4, "movie.metadata.tsv": 5}
    assert summary.blank_lines == {"movie.metadata.tsv": 1}
    assert summary.without_plot == {"movie.metadata.tsv": 1}
    assert summary.rejected == {
        "movie.metadata.tsv": {"duplicate id": 1, "expected 9 columns, got 3": 1},
        "plot_summaries.txt": {"expected 2 columns, got 1": 1},
    }
    assert "not used: no plot (1)" in printed(summary)
    assert rejects(tmp_path / "movies") == [
        ["plot_summaries.txt", "4", "expected 2 columns, got 1", "A plot without its id."],
        ["movie.metadata.tsv", "3", "expected 9 columns, got 3", r"5\t/m/3\tCut"],
        ["movie.metadata.tsv", "6", "duplicate id", "23"],
    ]
    config = IngestConfig(table=corpus, min_genre_movies=1)
    assert rebuild_reasons(None, tmp_path / "movies", config) == []


def test_metadata_of_another_format_stops_the_build(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "movie.metadata.tsv").write_text("1\t/m/1\tGhosts\t2001\n" * 3)
    with pytest.raises(UserError, match=r"movie\.metadata\.tsv: 3 of 3 lines are malformed"):
        build_from(corpus)


def rows_of(*rows: tuple[object, ...], header: str = "Title,Plot,Genre") -> str:
    return as_csv(tuple(header.split(",")), *rows)


def test_an_id_is_the_same_in_every_table_with_the_row(tmp_path: Path) -> None:
    rows = [("Low Water", PLOTS[0], "Drama"), ("Relay", PLOTS[3], "Opera")]
    _, first = build_table(tmp_path / "one", "movies.csv", rows_of(*rows))
    more = [("Cooks", PLOTS[1], "Opera"), (" Relay", PLOTS[3].upper(), "Drama"), rows[0]]
    _, second = build_table(tmp_path / "two", "movies.csv", rows_of(*more))
    ids = [{movie["title"]: movie["tconst"] for movie in movies} for movies in (first, second)]
    assert ids[0].items() < ids[1].items()
    assert len(set(ids[1].values())) == 3
    dated = rows_of(*((*row, 1990) for row in rows), header="Title,Plot,Genre,Year")
    _, third = build_table(tmp_path / "three", "movies.csv", dated)
    assert {movie["tconst"] for movie in third}.isdisjoint(ids[0].values())


def test_duplicate_ids_are_rejected_and_copies_are_counted(tmp_path: Path) -> None:
    content = rows_of(
        ("tt0000007", PLOTS[0], "Drama"),
        ("tt0000008", PLOTS[1], "Opera"),
        ("tt0000007", PLOTS[2], "Drama"),
        ("tt0000008", PLOTS[1], "Opera"),
        ("tt0000009", f"{PLOTS[0]}..", "Opera"),
        header="imdb_id,Plot,Genre",
    )
    summary, movies = build_table(tmp_path, "movies.csv", content, max_reject_share=0.3)
    assert summary.dropped == {"plot of an earlier movie": 2}
    assert summary.rejected == {"movies.csv": {"duplicate id": 1}}
    assert rejects(tmp_path / "movies") == [["movies.csv", "4", "duplicate id", "tt0000007"]]
    assert {movie["tconst"]: movie["plot"] for movie in movies} == {
        "tt0000007": PLOTS[0],
        "tt0000008": PLOTS[1],
    }


def test_a_copy_of_a_row_that_is_no_movie_is_kept(tmp_path: Path) -> None:
    content = rows_of(
        ("a1", PLOTS[0], "Opera"),
        ("a2", PLOTS[0], "Drama"),
        ("a3", PLOTS[1], "Drama"),
        ("a4", PLOTS[2], "War"),
        ("a5", PLOTS[3], "Drama, War"),
        ("a6", "An heir counts the spoons.", "Drama"),
        ("a7", PLOTS[1], "Opera"),
        header="id,Plot,Genre",
    )
    for settings in ({"min_genre_movies": 2}, {"genres": ["Drama", "War"]}):
        summary, movies = build_table(tmp_path, "movies.csv", content, **settings)
        assert sorted(movie["tconst"] for movie in movies) == ["a2", "a3", "a4", "a5", "a6"]
        assert summary.dropped == {"only genres outside the list": 2}
        assert summary.other_genres == {"Opera": 2}
    assert read_unlabelled(tmp_path) == []


def test_an_id_is_labelled_once(tmp_path: Path) -> None:
    content = rows_of(
        ("a1", PLOTS[0], ""),
        ("a1", PLOTS[1], ""),
        ("a1", PLOTS[0], ""),
        ("a2", PLOTS[0], ""),
        ("a3", PLOTS[2], ""),
        ("a3", PLOTS[3], "Drama"),
        ("a4", PLOTS[2], "Drama, War"),
        ("a4", PLOTS[2], ""),
        ("a5", "", ""),
        ("a5", "", ""),
        header="id,Plot,Genre",
    )
    summary, movies = build_table(tmp_path, "movies.csv", content, max_reject_share=0.2)
    assert [(movie["tconst"], movie["plot"]) for movie in read_unlabelled(tmp_path)] == [
        ("a1", PLOTS[0]),
        ("a2", PLOTS[0]),
    ]
    assert sorted(movie["tconst"] for movie in movies) == ["a3", "a4"]
    # A row with the same id and plot is a copy.
    assert summary.dropped == {"no genre": 4, "plot of an earlier movie": 2}
    rejects = (tmp_path / "movies" / "rejects.tsv").read_text().splitlines()[1:]
    assert rejects == [
        f"movies.csv\t{line}\tduplicate id\t{id_}" for line, id_ in [(3, "a1"), (6, "a3")]
    ]


def test_rows_without_plot_have_one_id_as_well(tmp_path: Path) -> None:
    content = rows_of(
        ("a1", "Low", "", "", "Ann Holt"),
        ("a1", "Low", PLOTS[0], "", "Ann Holt"),
        ("a2", "Two", PLOTS[1], "Drama", ""),
        ("a3", "Six", PLOTS[2], "War", ""),
        header="id,Title,Plot,Genre,Director",
    )
    settings = {"max_reject_share": 0.3, "unlabelled_without_plot": True}
    summary, _ = build_table(tmp_path, "movies.csv", content, **settings)
    assert [movie["plot"] for movie in read_unlabelled(tmp_path)] == [PLOTS[0]]
    assert summary.rejected == {"movies.csv": {"duplicate id": 1}}


@pytest.mark.parametrize(
    ("content", "settings", "labelled"),
    [
        (rows_of(("A", PLOTS[0]), ("B", PLOTS[1]), header="Title,Plot"), {}, "AB"),
        (rows_of(("A", PLOTS[0], ""), ("B", PLOTS[1], "unknown")), {}, "AB"),
        (rows_of(("A", PLOTS[0], "")), {}, "A"),
        (rows_of(("A", PLOTS[0], "Drama")), {}, ""),
        (rows_of(("A", PLOTS[0], "War"), ("B", PLOTS[1], "")), {"min_genre_movies": 2}, "B"),
        (rows_of(("A", PLOTS[0], "War"), ("B", PLOTS[1], "")), {"genres": ["Opera", "Spy"]}, "B"),
        (rows_of(("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "")), {"columns": {"genres": ""}}, "AB"),
    ],
)
def test_movies_are_labelled_that_cannot_train_a_model(
    tmp_path: Path, content: str, settings: dict[str, Any], labelled: str
) -> None:
    with pytest.raises(UserError):
        build_table(tmp_path, "movies.csv", content, **settings)
    build_table(tmp_path, "movies.csv", content, for_training=False, **settings)
    assert "".join(sorted(movie["title"] for movie in read_unlabelled(tmp_path))) == labelled
    # A model is not trained on what such a build has left.
    with pytest.raises(UserError):
        build_table(tmp_path, "movies.csv", content, **settings)


def test_a_table_without_plots_cannot_be_labelled(tmp_path: Path) -> None:
    content = rows_of(("A", "", ""), ("B", "", "Drama"))
    with pytest.raises(
        UserError, match=r"expected movies with plot, found 0 in 2 rows\. The other rows: no genre"
    ):
        build_table(tmp_path, "movies.csv", content, for_training=False)


def test_corrections_beside_a_table_are_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = rows_of(("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "War"))
    with caplog.at_level("INFO", logger="ingest"):
        build_table(tmp_path, "movies.csv", content)
        assert "is not read" not in caplog.text
        (tmp_path / "corrections.csv").write_text("tconst,genres,when\n")
        build_table(tmp_path, "movies.csv", content)
    assert [
        record.getMessage() for record in caplog.records if "is not read" in record.message
    ] == [
        f"{tmp_path / 'corrections.csv'} is not read: corrections are only read with dumps. "
        f"Correct the genres in {tmp_path / 'movies.csv'}."
    ]
    # A table may have the same name.
    caplog.clear()
    build_table(tmp_path / "other", "corrections.csv", content)
    assert "is not read" not in caplog.text


def test_a_cell_that_is_not_understood_keeps_its_row(tmp_path: Path) -> None:
    content = rows_of(
        ("Low Water", PLOTS[0], "Drama", "57", "85"),
        ("Relay", PLOTS[3], "Opera", "1990", "7.5"),
        header="Title,Plot,Genre,Year,Rating",
    )
    summary, movies = build_table(tmp_path, "movies.csv", content)
    assert summary.unreadable == {"Year": 1, "Rating": 1}
    assert summary.rejected == {}
    assert [(movie["year"], movie["average_rating"]) for movie in movies] == [
        ("", ""),
        ("1990", "7.5"),
    ]
    assert [
        (row[1], row[2].partition(": ")[0], row[3]) for row in rejects(tmp_path / "movies")
    ] == [
        ("2", "kept without Year", "57"),
        ("2", "kept without Rating", "85"),
    ]


def test_malformed_rows_stop_the_build_above_their_share(tmp_path: Path) -> None:
    rows = [(f"Title {n}", f"{PLOTS[0]} {n}", ("Drama", "Opera")[n % 2]) for n in range(30)]
    content = rows_of(*rows) + "a,b\n" * 11
    with pytest.raises(UserError, match=r"11 of 41 lines are malformed.*`ingest.max_reject_share`"):
        build_table(tmp_path, "movies.csv", content)
    assert (tmp_path / "movies.rejects.tsv").read_text().startswith("file\tline\treason\ttext\n")
    summary, movies = build_table(tmp_path, "movies.csv", content, max_reject_share=0.4)
    assert len(movies) == 30
    assert summary.rejected == {"movies.csv": {"expected 3 columns, got 2": 11}}
    config = IngestConfig(table=tmp_path / "movies.csv", min_genre_movies=1)
    assert rebuild_reasons(None, tmp_path / "movies", config) == [
        "movies.csv has more malformed lines than max_reject_share now allows"
    ]


def test_one_bad_row_of_a_small_table_costs_itself_only(tmp_path: Path) -> None:
    content = rows_of(("Low Water", PLOTS[0], "Drama"), ("Relay", PLOTS[3], "Opera"))
    content += f'"Never closed,{PLOTS[1]},Drama\n' + as_csv(("Ledger", PLOTS[2], "Drama"))
    summary, movies = build_table(tmp_path, "movies.csv", content)
    assert [movie["title"] for movie in movies] == ["Ledger", "Low Water", "Relay"]
    assert summary.rejected == {"movies.csv": {"unclosed quote": 1}}
    config = IngestConfig(table=tmp_path / "movies.csv", min_genre_movies=1)
    assert rebuild_reasons(None, tmp_path / "movies", config) == []
    with pytest.raises(UserError, match="1 of 4 lines are malformed, more than the allowed share"):
        build_table(tmp_path, "movies.csv", content, max_reject_share=0)


@pytest.mark.parametrize(
    ("lines", "share", "allowed"),
    [(1, 0.01, 0.5), (4, 0.01, 2), (300, 0.01, 10), (5000, 0.01, 50), (4, 0.75, 3), (4, 0, 0)],
)
def test_a_few_lines_may_be_malformed(lines: int, share: float, allowed: float) -> None:
    assert allowed_rejects(lines, share) == allowed


def test_a_value_that_is_too_long_keeps_its_row(tmp_path: Path) -> None:
    content = rows_of(
        ("Low Water", PLOTS[0], "Drama", ""),
        ("Long " * 20_000, PLOTS[1], "Opera", "Ada Lind"),
        ("Relay", PLOTS[3], "Opera", "Bo Sund, " * 10 + ", ".join(f"A {n}" for n in range(20_000))),
        ("Long", "word " * 300_000, "Opera", ""),
        ("Genres", PLOTS[2], ", ".join(f"Genre {n}" for n in range(20_000)), ""),
        header="Title,Plot,Genre,Stars",
    )
    summary, movies = build_table(tmp_path, "movies.csv", content)
    assert [(movie["title"], movie["cast"]) for movie in movies] == [
        ("", "Ada Lind"),
        ("Low Water", ""),
        ("Relay", ""),
    ]
    assert summary.unreadable == {"Title": 1, "Stars": 1}
    assert summary.rejected == {
        "movies.csv": {
            "Genre: longer than 65,536 characters": 1,
            "Plot: longer than 1,048,576 characters": 1,
        }
    }
    found = [(line, reason, text[:9]) for _, line, reason, text in rejects(tmp_path / "movies")]
    assert found == [
        ("3", "kept without Title: longer than 65,536 characters", "Long Long"),
        ("4", "kept without Stars: longer than 65,536 characters", "Bo Sund|A"),
        ("5", "Plot: longer than 1,048,576 characters", "word word"),
        ("6", "Genre: longer than 65,536 characters", "Genre 0|G"),
    ]


@pytest.mark.parametrize(
    ("settings", "genres", "other_genres", "dropped"),
    [
        ({}, {"Comedy": 2, "Drama": 2, "Opera": 1}, {}, {}),
        (
            {"min_genre_movies": 2},
            {"Comedy": 2, "Drama": 2},
            {"Opera": 1},
            {"only genres outside the list": 1},
        ),
        (
            {"genre_map": {" OPERA": "Drama", "comedy": "Farce"}},
            {"Drama": 3, "Farce": 2},
            {},
            {},
        ),
        (
            {"genres": ["opera", "Drama"], "min_genre_movies": 2},
            {"opera": 1, "Drama": 2},
            {"Comedy": 2},
            {"only genres outside the list": 1},
        ),
    ],
)
def test_genres_are_those_of_the_table(
    tmp_path: Path,
    settings: dict[str, Any],
    genres: dict[str, int],
    other_genres: dict[str, int],
    dropped: dict[str, int],
) -> None:
    content = rows_of(
        ("A", PLOTS[0], "Drama, Comedy"),
        ("B", PLOTS[1], "comedy"),
        ("C", PLOTS[2], "Opera"),
        ("D", PLOTS[3], "Drama"),
    )
    summary, _ = build_table(tmp_path, "movies.csv", content, **settings)
    assert summary.genres == genres
    assert summary.other_genres == other_genres
    assert summary.dropped == dropped


def test_names_of_the_genre_map_that_no_movie_has_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = rows_of(
        ("A", PLOTS[0], "science  fiction"), ("B", PLOTS[1], "Opera"), ("C", PLOTS[2], "Noir")
    )
    genre_map = {"Science Fiction": "Sci-Fi", "Suspence": "Thriller", "Noire": ""}
    summary, _ = build_table(tmp_path, "movies.csv", content, genre_map=genre_map)
    assert summary.genres == {"Noir": 1, "Opera": 1, "Sci-Fi": 1}
    assert summary.unused_genre_map == ["Suspence", "Noire"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "movies.csv: no title has a genre that ingest.genre_map names: Suspence, Noire. Correct "
        "the names."
    ]
    assert "Names in genre_map that no title has" in printed(summary)


def test_of_too_many_genres_the_most_frequent_are_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    genres = [f"Genre {number:03}" for number in range(203)]
    rows = [(f"Title {n}", f"{PLOTS[0]} {n}", genre) for n, genre in enumerate(genres)]
    rows += [(f"More {n}", f"{PLOTS[1]} {n}", genre) for n, genre in enumerate(genres[3:])]
    summary, movies = build_table(tmp_path, "movies.csv", rows_of(*rows))
    assert list(summary.genres) == genres[3:]
    assert summary.other_genres == dict.fromkeys(genres[:3], 1)
    assert summary.dropped == {"only genres outside the list": 3}
    assert len(movies) == 400
    # A share would be of movies of which these genres have none.
    left_out = printed(summary).partition("Genres left out")[2].splitlines()[2]
    assert left_out.replace("│", "").split() == ["Genre", "000", "1"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "movies.csv: 203 genres have 1 movie or more, but a model has at most 200 genres. The 3 "
        "least frequent are left out, such as Genre 000, Genre 001, Genre 002. The setting "
        "ingest.genres names others."
    ]


def test_types_of_titles_are_chosen(tmp_path: Path) -> None:
    content = rows_of(
        ("A", PLOTS[0], "Drama", "Movie"),
        ("B", PLOTS[1], "Opera", "TV Show"),
        ("C", PLOTS[2], "Opera", ""),
        header="Title,Plot,Genre,Type",
    )
    summary, movies = build_table(tmp_path, "movies.csv", content)
    assert [movie["title"] for movie in movies] == ["A", "C"]
    summary, movies = build_table(
        tmp_path, "movies.csv", content, title_types=["movie", "tvSeries"]
    )
    assert (len(movies), summary.dropped) == (3, {})


def test_chosen_columns(tmp_path: Path) -> None:
    content = rows_of(
        ("A", "Drama", "1", "Bad", PLOTS[0]),
        ("B", "Opera", "1", "Good", PLOTS[1]),
        header="Name,Shelf,id,Plot,Blurb",
    )
    columns = {"plot": "blurb", "genres": "Shelf", "id": ""}
    summary, movies = build_table(tmp_path, "movies.csv", content, columns=columns)
    assert [(movie["title"], movie["plot"], movie["genres"]) for movie in movies] == [
        ("A", PLOTS[0], "Drama"),
        ("B", PLOTS[1], "Opera"),
    ]
    assert all(movie["tconst"].startswith("row") for movie in movies)
    assert summary.columns == {"title": "Name", "plot": "Blurb", "genres": "Shelf"}
    assert summary.unknown_columns == {"id": "", "Plot": ""}


def test_columns_that_are_known_but_not_read_are_named(tmp_path: Path) -> None:
    content = rows_of(
        ("A", "en", PLOTS[0], "Drama", "a"),
        ("B", "de", PLOTS[1], "Opera", "b"),
        header="Title,Language,Plot,Genre,split_key",
    )
    summary, _ = build_table(tmp_path, "movies.csv", content)
    assert summary.unknown_columns == {"Language": "", "split_key": ""}


def test_a_column_without_a_name_is_listed(tmp_path: Path) -> None:
    rows = [(0, PLOTS[0], "Drama"), (1, PLOTS[1], "Opera")]
    summary, _ = build_table(tmp_path, "movies.csv", rows_of(*rows, header=",Plot,Genre"))
    assert "not used │ (no name)" in printed(summary)
    with pytest.raises(UserError, match=r"Columns: \(no name\), Blurb, Genre\."):
        build_table(tmp_path, "movies.csv", rows_of(*rows, header=",Blurb,Genre"))


def test_a_number_is_the_same_id_as_text_and_as_a_fraction(tmp_path: Path) -> None:
    rows = [("862.0", PLOTS[0], "Drama"), (863, PLOTS[1], "Opera"), ("0", PLOTS[2], "Opera")]
    _, movies = build_table(tmp_path, "movies.csv", rows_of(*rows, header="id,Plot,Genre"))
    lines = [json.dumps({"id": 862.0, "plot": PLOTS[0], "genre": "Drama"})]
    lines += [json.dumps({"id": 0, "plot": PLOTS[2], "genre": "Opera"})]
    _, others = build_table(tmp_path / "other", "movies.jsonl", "\n".join(lines))
    ids = [{movie["plot"]: movie["tconst"] for movie in found} for found in (movies, others)]
    assert (ids[0][PLOTS[0]], ids[0][PLOTS[1]]) == ("id862", "id863")
    assert ids[0][PLOTS[2]].startswith("row")
    assert ids[1].items() < ids[0].items()


def test_genres_come_from_one_column(tmp_path: Path) -> None:
    content = rows_of(
        ("A", PLOTS[0], "sea", "Drama"),
        ("B", PLOTS[1], "coast", "Opera"),
        ("C", PLOTS[2], "hills", ""),
        header="Title,Plot,Tags,Genre",
    )
    summary, _ = build_table(tmp_path, "movies.csv", content)
    assert (summary.genres, summary.dropped) == ({"Drama": 1, "Opera": 1}, {"no genre": 1})
    assert summary.unknown_columns == {"Tags": ""}
    columns = {"genres": "tags"}
    summary, _ = build_table(tmp_path, "movies.csv", content, columns=columns)
    assert summary.genres == {"coast": 1, "hills": 1, "sea": 1}


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (
            rows_of(("A", PLOTS[0], "Drama"), header="Title,Polt,Genre"),
            {},
            r"movies.csv: found no column for plot. Columns: Title, Polt, Genre. Polt looks like "
            r'plot. Name the column with `--column "plot=NAME"`, or the setting `ingest.columns: '
            r"\{plot: NAME\}`.",
        ),
        (
            rows_of(("A", "x", "y"), header="Title,A,B"),
            {},
            "found no column for plot and genres. Columns: Title, A, B. Name the column",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama")),
            {"columns": {"plot": "Text"}},
            "found no column Text, which `ingest.columns` or `--column` names for plot. Columns: "
            "Title, Plot, Genre",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama")),
            {},
            "expected several hundred movies with plot and genre, found 1 in 1 row. Read were",
        ),
        (
            rows_of(("A", "", "Drama"), ("B", PLOTS[1], ""), ("C", PLOTS[2], "Drama")),
            {},
            r"found 1 in 3 rows. The other rows: no genre \(1\), no plot \(1\)",
        ),
        (
            rows_of(*((name, PLOTS[0], "Drama") for name in "ABC")),
            {"min_genre_movies": 10},
            r"found 1 in 3 rows. The other rows: plot of an earlier movie \(2\)\. Read",
        ),
        (
            rows_of(("A", PLOTS[0], "X", "TV Show"), header="Title,Plot,Genre,Type"),
            {},
            r"found 0 in 1 row.*another title type \(1\).* Types in the table: TV Show. .*types",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "Crime")),
            {"genres": ["Opera", "Ballet"]},
            "no movie has the genres that the settings name, Opera, Ballet. The most frequent are "
            r"Crime \(1\), Drama \(1\). Correct `ingest.genres`",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "drama")),
            {},
            "movies.csv: a single genre was found, Drama",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama, War"), ("B", PLOTS[1], "War, Drama")),
            {},
            "movies.csv: all 2 movies have the same genres, Drama, War",
        ),
        (
            rows_of(("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "War")),
            {"min_genre_movies": 2},
            r"fewer than two genres have 2 movies or more. The most frequent are Drama \(1\), War "
            r"\(1\). Add movies, merge genres or lower the number: `ingest.genre_map` and "
            r"`ingest.min_genre_movies` in ordained.yaml beside the data \(or `--genre-map` and "
            r"`--min-genre-movies` of `ordained ingest build`\)\.",
        ),
        ("", {}, "movies.csv: expected a header and rows, got an empty file"),
    ],
)
def test_a_table_from_which_nothing_can_be_learned(
    tmp_path: Path, content: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        build_table(tmp_path, "movies.csv", content, **settings)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "movies").exists()


def test_a_missing_table_and_a_directory_that_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.csv: no such file"):
        build_from(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="expected a file, got a directory"):
        build_from(tmp_path)


def test_a_build_is_repeated_only_if_something_changed(tmp_path: Path) -> None:
    rows = [("A", PLOTS[0], "Drama"), ("B", PLOTS[1], "War")]
    build_table(tmp_path, "movies.csv", rows_of(*rows))
    table, output = tmp_path / "movies.csv", tmp_path / "movies"
    config = IngestConfig(table=table, min_genre_movies=1)
    assert rebuild_reasons(None, output, config) == []
    assert build(None, output, config).reused
    mapped = config.model_copy(update={"genre_map": {"War": "History"}})
    assert rebuild_reasons(None, output, mapped) == ["settings changed"]
    table.write_text(rows_of(*rows, ("C", PLOTS[2], "War")))
    assert rebuild_reasons(None, output, config) == ["movies.csv changed"]
    assert build(None, output, config).movies == 3


def test_remakes_are_in_one_split(tmp_path: Path) -> None:
    content = rows_of(("The Relay", PLOTS[0], "Drama"), ("Relay II", PLOTS[1], "War"))
    _, movies = build_table(tmp_path, "movies.csv", content)
    assert [movie["split_key"] for movie in movies] == ["relay", "relay"]
