"""Tests of corrected genres: which rows are used, and what a build makes of them."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest import IngestConfig, build, rebuild_reasons
from ingest.corrections import Correction, find_corrections, read_corrections
from ingest.dumps import BASICS
from ingest.lines import Reject
from schema.errors import UserError
from tests.data import tiny_dumps as tiny

GENRES = ("Comedy", "Drama", "Film-Noir", "Sci-Fi")
HEADER = "tconst,genres,who,when\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return dumps in which the title without genres, tt0000008, has a plot."""
    directory = tiny.write_dumps(tmp_path / "data")
    with (directory / "title.plots.tsv").open("a") as file:
        file.write("tt0000008\tA clerk labels boxes until one of them answers.\n")
    return directory


def write(directory: Path, *rows: str) -> Path:
    path = directory / "corrections.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def read_one(path: Path) -> Correction:
    """Return the only row of a file, which must be a correction."""
    [correction] = read_corrections(path, GENRES)
    assert isinstance(correction, Correction)
    return correction


def read_movies(output: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the CSV by tconst."""
    with (output / "movies-00000-of-00001.csv").open(encoding="utf-8", newline="") as file:
        return {row["tconst"]: row for row in csv.DictReader(file)}


def read_rejects(output: Path) -> list[list[str]]:
    return [line.split("\t") for line in (output / "rejects.tsv").read_text().splitlines()[1:]]


@pytest.mark.parametrize(
    ("cell", "genres"),
    [
        ("Drama", ("Drama",)),
        ("Sci-Fi|Comedy", ("Comedy", "Sci-Fi")),
        ('" sci-fi, COMEDY,"', ("Comedy", "Sci-Fi")),
        ("film-noir|Drama|Drama", ("Drama", "Film-Noir")),
    ],
)
def test_genres_are_joined_by_bars_or_commas(
    tmp_path: Path, cell: str, genres: tuple[str, ...]
) -> None:
    path = write(tmp_path, f"tt0000012,{cell},ada,2026-02-03")
    correction = read_one(path)
    assert (correction.title_id, correction.genres) == (12, genres)


@pytest.mark.parametrize(
    ("cell", "genres"),
    [
        ('"Action, crime"', ("Action, crime",)),
        ('" ACTION,  Crime "', ("Action, crime",)),
        ('"Action, crime|Opera"', ("Opera", "Action, crime")),
        ("|Action; late", ("Action; late",)),
        ("Action; late", ("Action; late",)),
        ('"[""Action, crime"", ""Opera""]"', ("Opera", "Action, crime")),
        ('"Old, name"', ("Opera",)),
        ('"opera, Action"', ("Opera", "Action")),
    ],
)
def test_a_genre_may_have_a_comma(tmp_path: Path, cell: str, genres: tuple[str, ...]) -> None:
    path = write(tmp_path, f"tt0000012,{cell},ada,2026-02-03")
    known = ("Opera", "Action", "Action, crime", "Action; late")
    [correction] = read_corrections(path, known, {"Old, name": "Opera"})
    assert isinstance(correction, Correction)
    assert correction.genres == genres


def test_genres_with_a_comma_are_not_guessed_from_their_parts(tmp_path: Path) -> None:
    path = write(tmp_path, 'tt0000012,"Opera, Action, crime",ada,2026-02-03')
    [reject] = read_corrections(path, ("Opera", "Action, crime"))
    assert isinstance(reject, Reject)
    assert reject.reason == "unknown genre"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("12,Drama,ada,2026-02-03,more", "expected 4 columns, got 5"),
        ("nm0000012,Drama,ada,2026-02-03", "expected a title id such as tt0111161"),
        (",Drama,ada,2026-02-03", "no title id"),
        ("tt0000012, |,ada,2026-02-03", "no genre"),
        ("tt0000012,,ada,2026-02-03", "no genre"),
        ("tt0000012,Drama|Dramedy,ada,2026-02-03", "unknown genre"),
        (
            "tt0000012,Drama,ada,last week",
            "expected a time such as 2026-11-30 or 2026-11-30T18:05",
        ),
        ("tt0000012,Drama,ada,", "expected a time such as 2026-11-30 or 2026-11-30T18:05"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_its_line(
    tmp_path: Path, row: str, reason: str
) -> None:
    path = write(tmp_path, "tt0000011,Comedy,bo,2026-02-03", row, "tt0000013,Comedy,bo,2026-02-03")
    before, reject, after = read_corrections(path, GENRES)
    assert isinstance(reject, Reject)
    assert (reject.file, reject.line, reject.reason) == ("corrections.csv", 3, reason)
    assert (before.line, after.line) == (2, 4)


@pytest.mark.parametrize(
    "content",
    [
        "when;who;genres;tconst\n2026-02-03;Zoë;Drama|Comedy;tt0000012\n".encode("cp1252"),
        "tconst\tgenres\twho\twhen\n12\tdrama,comedy\tZoë\t2026-02-03\n".encode("utf-16"),
        b'{"tconst": "tt0000012", "genres": ["Comedy", "Drama"], "when": "2026-02-03"}\n',
    ],
)
def test_the_file_may_be_any_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(content)
    correction = read_one(path)
    assert (correction.title_id, correction.genres) == (12, ("Comedy", "Drama"))
    assert correction.when == datetime(2026, 2, 3, tzinfo=UTC)


def test_a_file_without_a_column_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("TCONST,Genre,when\n")
    with pytest.raises(UserError, match=r"fixes\.csv: .*got TCONST, Genre, when\. Add genres\.$"):
        list(read_corrections(path, GENRES))


def test_the_file_is_found_beside_the_dumps_or_by_its_setting(tmp_path: Path) -> None:
    assert find_corrections(tmp_path, None) is None
    path = write(tmp_path)
    assert find_corrections(tmp_path, None) == path
    other = tmp_path / "other.csv"
    with pytest.raises(UserError, match=r"other\.csv: no such file.*ingest\.corrections"):
        find_corrections(tmp_path, other)
    other.write_text(HEADER)
    assert find_corrections(tmp_path, other) == other
    path.unlink()
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"corrections\.csv: no such file"):
        find_corrections(tmp_path, None)


def test_only_corrected_movies_change(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "movies"
    build(data, output)
    before = read_movies(output)

    # The genres of tt0000003 are those of the dump, in another order.
    rows = (
        "tt0000001,Thriller|Crime,ada,2026-02-03",
        "tt0000003,Mystery|Drama,ada,2026-02-03",
        "tt0000002,Horror,bo,2026-02-03T10:00",
    )
    write(data, *rows)
    summary = build(data, output)
    assert summary.corrections == {"applied": 2, "unchanged": 1, "superseded": 0}
    after = read_movies(output)
    assert {name: row["genres"] for name, row in after.items() if row != before[name]} == {
        "tt0000001": "Crime|Thriller",
        "tt0000002": "Horror",
    }
    assert [row["corrected"] for row in after.values()] == ["1", "1", "", ""]
    uncorrected = {
        name: row | {"genres": before[name]["genres"], "corrected": ""}
        for name, row in after.items()
    }
    assert uncorrected == before
    assert summary.movies == 4
    assert [summary.genres[name] for name in ("Crime", "Horror", "Comedy")] == [1, 1, 0]

    # A week later a new movie gets its first genres, and no other movie changes its split.
    write(data, *rows, "tt0000008,Drama,bo,2026-02-10")
    summary = build(data, output)
    assert summary.corrections == {"applied": 3, "unchanged": 1, "superseded": 0}
    assert "no genre" not in summary.dropped
    later = read_movies(output)
    new = later.pop("tt0000008")
    assert (new["genres"], new["corrected"]) == ("Drama", "1")
    assert later == after


def test_the_newest_correction_of_a_title_is_used(data: Path, tmp_path: Path) -> None:
    write(
        data,
        "tt0000001,Horror,ada,2026-03-01T12:00+02:00",
        "tt0000001,Comedy,ada,2026-03-01T10:30",
        "tt0000001,War,ada,2026-02-28",
        "tt0000003,Music,ada,2026-03-01",
        "tt0000003,Sport,ada,2026-03-01T00:00:00Z",
        "tt0000003,Unheard,ada,2026-03-02",
    )
    summary = build(data, tmp_path / "movies")
    movies = read_movies(tmp_path / "movies")
    assert movies["tt0000001"]["genres"] == "Comedy"
    assert movies["tt0000003"]["genres"] == "Sport"
    assert summary.corrections == {
        "applied": 2,
        "unchanged": 0,
        "superseded": 3,
        "rejected: unknown genre": 1,
    }


def test_corrections_of_titles_that_are_no_movies_are_listed(data: Path, tmp_path: Path) -> None:
    rows = {
        "tt0000004,Drama,ada,2026-03-01": "title dropped: another title type",
        "tt0000005,Crime,ada,2026-03-01": "title dropped: adult",
        "tt0000006,Drama,ada,2026-03-01": "title dropped: no plot",
        "tt0000009,Drama,ada,2026-03-01": "title dropped: plot of an earlier movie",
        "tt0000042,Drama,ada,2026-03-01": "no such title",
    }
    write(data, *rows)
    output = tmp_path / "movies"
    summary = build(data, output)
    assert read_rejects(output) == [
        ["corrections.csv", str(line), reason, row]
        for line, (row, reason) in enumerate(rows.items(), 2)
    ]
    used = {"applied": 0, "unchanged": 0, "superseded": 0}
    assert summary.corrections == used | {f"rejected: {reason}": 1 for reason in rows.values()}
    # The share of rejected corrections has no limit, and the build is kept.
    assert summary.rejected == {}
    assert rebuild_reasons(data, output, IngestConfig()) == []


def test_a_correction_does_not_keep_an_adult_title(tmp_path: Path) -> None:
    data = tiny.write_dumps(tmp_path / "data")
    title = ("tt0000001", "movie", "Behind", tiny.N, 0, 1999, tiny.N, 80, "Adult,Drama")
    tiny.write_dump(data, BASICS, [title, *tiny.TITLE_ROWS[2:]])
    write(data, "tt0000001,Drama,ada,2026-03-01")
    assert build(data, tmp_path / "without").corrections["rejected: title dropped: adult"] == 1
    summary = build(data, tmp_path / "with", IngestConfig(include_adult=True))
    # The genres in the CSV are the same: Adult is none of them.
    assert summary.corrections["unchanged"] == 1


def test_corrections_name_the_genres_of_the_settings(data: Path, tmp_path: Path) -> None:
    config = IngestConfig(
        genres=("Space", "Laughs", "Drama"),
        genre_map={"Sci-Fi": "Space", "Comedy": "Laughs", "News": "", "funny  film": "Laughs"},
    )
    write(
        data,
        "tt0000003,Drama,ada,2026-03-01",
        "tt0000001,space|News,ada,2026-03-01",
        "tt0000002,Funny Film|Sci-Fi,ada,2026-03-01",
        "tt0000008,Crime,ada,2026-03-01",
        "tt10000000,News,ada,2026-03-01",
    )
    summary = build(data, tmp_path / "movies", config)
    movies = read_movies(tmp_path / "movies")
    assert {name: (row["genres"], row["corrected"]) for name, row in movies.items()} == {
        "tt0000001": ("Space", "1"),
        "tt0000002": ("Space|Laughs", "1"),
        "tt0000003": ("Drama", ""),
        "tt10000000": ("Space", ""),
    }
    assert summary.corrections == {
        "applied": 2,
        "unchanged": 1,
        "superseded": 0,
        "rejected: no genre": 1,
        "rejected: unknown genre": 1,
    }


def test_a_change_of_the_corrections_rebuilds(data: Path, tmp_path: Path) -> None:
    output, config = tmp_path / "movies", IngestConfig()
    assert build(data, output).corrections == {}
    path = write(data, "tt0000001,Drama,ada,2026-03-01")
    assert rebuild_reasons(data, output, config) == ["corrections.csv changed"]
    build(data, output)
    assert rebuild_reasons(data, output, config) == []
    write(data, "tt0000001,Horror,ada,2026-03-01")
    assert rebuild_reasons(data, output, config) == ["corrections.csv changed"]
    build(data, output)
    path.unlink()
    assert rebuild_reasons(data, output, config) == ["corrections.csv is no longer read"]
    build(data, output)
    assert read_movies(output)["tt0000001"]["genres"] == "Crime"
