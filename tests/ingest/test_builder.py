import csv
import fnmatch
import gzip
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from ingest import IngestConfig, build, lines, rebuild_reasons
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS
from ingest.summary import summary_tables
from schema.errors import ExitStatus, NothingJoinedError, UserError
from schema.features import CSV_COLUMNS
from schema.names import MOVIES_PATTERN
from tests.data import tiny_dumps as tiny

REAL_DUMPS = Path(__file__).parents[3] / "shared" / "data" / "imdb"
OLD_TIME = 1_000_000_000


@pytest.fixture
def data(tmp_path):
    return tiny.write_dumps(tmp_path / "data")


def rows(output):
    """Return all rows of the shards, in order."""
    found = []
    for path in sorted(output.glob("movies-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            assert tuple(reader.fieldnames) == CSV_COLUMNS
            found += reader
    return found


def rejects(path):
    """Return the rows of a rejects file, without the header."""
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]


def test_contents_of_the_csv(data, tmp_path):
    build(data, tmp_path / "movies")
    assert (tmp_path / "movies" / "movies-00000-of-00001.csv").read_text("utf-8") == (
        "tconst,title,plot,genres,year,runtime_minutes,average_rating,num_votes,directors,writers,"
        "cast,split_key,corrected\n"
        'tt0000001,Harbour  of\u00a0Salt,"The ""salt"" baron\'s clerk finds two ledgers, one of '
        'them false",Crime,1948,,6.0,120,Bo Sund,Ada  Lind,Eli Rask|Dora Hjelm,harbour of salt,\n'
        'tt0000002,"Cafe\u0301 ""Nord"", Part 2",Two cooks fall out over a recipe &amp; a waiter. '
        "—Ola Norman,Comedy|Romance,,,,,,,Ada  Lind,cafe nord,\n"
        "tt0000003,The Quiet Lighthouse,A keeper <i>waits</i> for ships that never come.... See "
        "full summary\u00a0»,Drama|Mystery,"
        '1931,95,7.4,2000000,"Cy \'X"" Moe|Ada  Lind",Ada  Lind,,quiet lighthouse,\n'
        "tt10000000,Far Orbit,A crew drifts beyond the last relay.,Sci-Fi,2021,101,,,,,,far orbit,"
        "\n"
    )


def test_summary(data, tmp_path):
    summary = build(data, tmp_path / "movies")
    assert (summary.source, summary.titles) == ("title.basics.tsv.gz", 10)
    assert summary.movies == 4
    assert summary.dropped == {
        "another title type": 1,
        "adult": 1,
        "only genres outside the list": 1,
        "no genre": 1,
        "no plot": 1,
        "plot of an earlier movie": 1,
    }
    assert summary.lines == {
        "title.basics.tsv.gz": 10,
        "title.plots.tsv": 7,
        "title.ratings.tsv.gz": 3,
        "title.crew.tsv.gz": 3,
        "title.principals.tsv.gz": 9,
        "name.basics.tsv": 6,
    }
    assert summary.rejected == {}
    assert summary.plots == {"joined by id": 5, "title was not kept": 1, "empty": 1}
    assert summary.credits == {
        "directors": 3,
        "writers": 2,
        "cast": 4,
        "person not in name.basics": 1,
    }
    assert summary.filled == {
        "title": 4,
        "plot": 4,
        "genres": 4,
        "year": 3,
        "runtime_minutes": 2,
        "average_rating": 2,
        "num_votes": 2,
        "directors": 2,
        "writers": 2,
        "cast": 2,
    }
    assert {name: count for name, count in summary.genres.items() if count} == {
        "Comedy": 1,
        "Crime": 1,
        "Drama": 1,
        "Mystery": 1,
        "Romance": 1,
        "Sci-Fi": 1,
    }
    assert summary.other_genres == {"News": 1}
    assert summary.split_groups == {"groups": 4, "largest": 1, "movies in groups of two or more": 0}
    assert summary.shards == ["movies-00000-of-00001.csv"]
    written = json.loads((tmp_path / "movies" / "summary.json").read_text("utf-8"))
    assert written["summary"] == asdict(summary)


def test_shards_hold_the_rows_in_order(data, tmp_path):
    build(data, tmp_path / "one")
    summary = build(data, tmp_path / "many", IngestConfig(rows_per_shard=3))
    assert summary.shards == ["movies-00000-of-00002.csv", "movies-00001-of-00002.csv"]
    assert fnmatch.filter(summary.shards, MOVIES_PATTERN) == summary.shards
    assert rows(tmp_path / "many") == rows(tmp_path / "one")
    assert [row["tconst"] for row in rows(tmp_path / "many")] == [
        "tt0000001",
        "tt0000002",
        "tt0000003",
        "tt10000000",
    ]


def test_title_types_and_include_adult(data, tmp_path):
    with (data / "title.plots.tsv").open("a") as file:
        file.write("tt0000005\tA locksmith opens one door too many.\n")
    config = IngestConfig(title_types=("movie", "short"), include_adult=True)
    summary = build(data, tmp_path / "movies", config)
    assert summary.dropped == {
        "only genres outside the list": 1,
        "no genre": 1,
        "no plot": 1,
        "plot of an earlier movie": 1,
    }
    assert [row["tconst"] for row in rows(tmp_path / "movies")][3:5] == ["tt0000004", "tt0000005"]


def test_title_types_that_no_title_has(data, tmp_path):
    with pytest.raises(UserError) as error:
        build(data, tmp_path / "movies", IngestConfig(title_types=("film",)))
    assert str(error.value) == (
        "title.basics.tsv.gz: no title has the type film. Types in the file: movie, short. Choose "
        "other types with `ingest.title_types` in ordained.yaml beside the data (or "
        "`--title-types` of `ordained ingest build`)."
    )


BAD_BASICS = [
    (
        "tt000001\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama",
        "tconst: expected a title id such as tt0111161",
    ),
    (
        "tt00000012\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama",
        "tconst: expected a title id such as tt0111161",
    ),
    ("tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90", "expected 9 columns, got 8"),
    ("tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama\t", "expected 9 columns, got 10"),
    (
        "tt0000021\tmovie 2\tA\tA\t0\t1950\t\\N\t9\tDrama",
        "titleType: expected a title type such as movie",
    ),
    ("tt0000021\tmovie\tA\tA\t1950\t0\t\\N\t90\tDrama", "isAdult: expected 0 or 1"),
    (
        "tt0000021\tmovie\tA\tA\t0\t195O\t\\N\t90\tDrama",
        "startYear: expected a year from 1800 to 2099",
    ),
    (
        "tt0000021\tmovie\tA\tA\t0\t1950\t50\t90\tDrama",
        "endYear: expected a year from 1800 to 2099",
    ),
    (
        "tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t1.5h\tDrama",
        "runtimeMinutes: expected a whole number of minutes",
    ),
    (
        "tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90\t90",
        "genres: expected a list of genres such as Crime,Drama",
    ),
    ("tt0000003\tmovie\tTwin\tA\t0\t1950\t\\N\t90\tDrama", "duplicate tconst"),
    ("", "empty line"),
    ("tt0000021\tmovie\tA\x00\tA\t0\t1950\t\\N\t90\tDrama", "control character"),
    ("tt0000021\tmovie\tA\udce9\tA\t0\t1950\t\\N\t90\tDrama", "invalid UTF-8"),
]


@pytest.mark.parametrize("size", [50, 1 << 26])
def test_malformed_titles_are_rejected_with_line_and_reason(data, tmp_path, size, monkeypatch):
    monkeypatch.setattr(lines, "blocks", partial(lines.blocks, size=size))
    good = tiny.format_tsv(BASICS.header, tiny.TITLE_ROWS)
    bad = "\n".join(line for line, _ in BAD_BASICS).encode("utf-8", "surrogateescape")
    after = b"\ntt0000030\tmovie\tLast\tLast\t0\t1950\t\\N\t90\tDrama\n"
    tiny.write_file(data / "title.basics.tsv.gz", good + bad + after)
    summary = build(data, tmp_path / "movies", IngestConfig(max_reject_share=1))
    found = rejects(tmp_path / "movies" / "rejects.tsv")
    assert sorted((file, int(line), reason) for file, line, reason, _ in found) == [
        ("title.basics.tsv.gz", number, reason) for number, (_, reason) in enumerate(BAD_BASICS, 12)
    ]
    assert found[0][3] == BAD_BASICS[0][0].replace("\t", "\\t")
    assert summary.lines["title.basics.tsv.gz"] == 10 + len(BAD_BASICS) + 1
    assert sum(summary.rejected["title.basics.tsv.gz"].values()) == len(BAD_BASICS)
    assert (summary.movies, summary.dropped["no plot"]) == (4, 2)
    assert summary.titles == 4 + sum(summary.dropped.values()) + len(BAD_BASICS)
    assert rows(tmp_path / "movies")[2]["title"] == "The Quiet Lighthouse"


@pytest.mark.parametrize(
    ("dump", "line", "reason"),
    [
        (RATINGS, "tt0000001\t11\t5", "averageRating: expected a number from 0 to 10"),
        (RATINGS, "tt0000001\t7,5\t5", "averageRating: expected a number from 0 to 10"),
        (RATINGS, "tt0000001\t7.5\t-5", "numVotes: expected a whole number"),
        (RATINGS, "tt0000001\t7.5\t5", "duplicate tconst"),
        (
            CREW,
            "tt0000001\tnm0000001;nm0000002\t\\N",
            "directors: expected a list of person ids such",
        ),
        (CREW, "tt0000001\t\\N\tnm1", "writers: expected a list of person ids such as"),
        (CREW, "tt0000001\t\\N\t\\N", "duplicate tconst"),
        (
            PRINCIPALS,
            "tt0000001\tfirst\tnm0000001\tactor\t\\N\t\\N",
            "ordering: expected a whole number",
        ),
        (
            PRINCIPALS,
            "tt0000001\t7\ttt0000001\tactor\t\\N\t\\N",
            "nconst: expected a person id such as",
        ),
        (
            PRINCIPALS,
            "tt0000001\t7\tnm0000001\tActor!\t\\N\t\\N",
            "category: expected a category such as",
        ),
        (
            NAMES,
            "nm0000001\tAda\tsoon\t\\N\twriter\t\\N",
            "birthYear: expected a year such as 1937",
        ),
        (NAMES, "nm0000001\tAda\t\\N\t\\N\twriter\t\\N", "duplicate nconst"),
    ],
)
def test_malformed_lines_of_the_other_dumps(data, tmp_path, dump, line, reason):
    build(data, tmp_path / "good")
    path = dump.find(data)
    body = {
        RATINGS: tiny.RATINGS_ROWS,
        CREW: tiny.CREW_ROWS,
        PRINCIPALS: tiny.PRINCIPALS_ROWS,
        NAMES: tiny.NAME_ROWS,
    }[dump]
    tiny.write_file(path, tiny.format_tsv(dump.header, body) + line.encode() + b"\n")
    build(data, tmp_path / "movies", IngestConfig(max_reject_share=0.5))
    ((file, number, found, _),) = rejects(tmp_path / "movies" / "rejects.tsv")
    assert (file, int(number)) == (path.name, len(body) + 2)
    assert found.startswith(reason)
    assert rows(tmp_path / "movies") == rows(tmp_path / "good")


def test_too_many_malformed_lines_stop_the_build(data, tmp_path):
    build(data, tmp_path / "movies")
    before = rows(tmp_path / "movies")
    good = tiny.format_tsv(RATINGS.header, tiny.RATINGS_ROWS)
    bad = [b"tt0000002\tgood\t5\n"] * 4
    tiny.write_file(data / "title.ratings.tsv.gz", good + b"".join(bad))
    with pytest.raises(UserError) as error:
        build(data, tmp_path / "movies")
    assert str(error.value) == (
        "title.ratings.tsv.gz: 4 of 7 lines are malformed, more than the allowed share of 0.01. "
        "Most frequent reason: averageRating: expected a number from 0 to 10. "
        f"{tmp_path}/movies.rejects.tsv lists all of them. "
        "Correct the file, or raise `ingest.max_reject_share` in ordained.yaml beside the data (or "
        "`--max-reject-share` of `ordained ingest build`)."
    )
    assert rejects(tmp_path / "movies.rejects.tsv") == [
        [
            "title.ratings.tsv.gz",
            str(line),
            "averageRating: expected a number from 0 to 10",
            r"tt0000002\tgood\t5",
        ]
        for line in range(5, 9)
    ]
    assert rows(tmp_path / "movies") == before
    build(data, tmp_path / "movies", IngestConfig(max_reject_share=0.6))
    assert not (tmp_path / "movies.rejects.tsv").exists()


def test_another_file_stops_the_build_early(data, tmp_path):
    line_count = 300_000
    bad = b"tt0000001\tnobody\t1\n" * line_count
    tiny.write_file(data / "title.ratings.tsv.gz", RATINGS.header.encode() + b"\n" + bad)
    with pytest.raises(UserError, match=r"200,000 of 300,000 lines are malformed"):
        build(data, tmp_path / "movies")
    found = rejects(tmp_path / "movies.rejects.tsv")
    assert [int(line) for _, line, _, _ in found] == list(range(2, 200_002))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "title.crew.tsv.gz",
            b"tconst\tdirector\ttt0000001\n",
            r"title.crew.tsv.gz: line 1: expected the header of title.crew "
            r"\(tconst \| directors \| writers\), got tconst \| director \| tt0000001\.",
        ),
        (
            "title.crew.tsv.gz",
            b"",
            "title.crew.tsv.gz: expected a header and rows, got an empty file",
        ),
        (
            "title.crew.tsv.gz",
            b"\r\n\n",
            r"title.crew.tsv.gz: .* got an empty file\. Replace the file",
        ),
        (
            "title.crew.tsv.gz",
            b"\n" + CREW.header.encode() + b"\n",
            r"expected the header of title.crew .*, got a malformed line \(empty line\)\. Down",
        ),
        (
            "title.crew.tsv.gz",
            b"\n<!DOCTYPE HTML>\n<p>Not found",
            "title.crew.tsv.gz: expected a table, got an HTML page. Download",
        ),
        (
            "title.plots.tsv",
            b"id\tstory\n",
            "title.plots.tsv: expected columns for the plot",
        ),
    ],
)
def test_a_file_of_another_format_raises(data, tmp_path, name, content, message):
    tiny.write_file(data / name, content)
    with pytest.raises(UserError, match=message):
        build(data, tmp_path / "movies")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (Path.mkdir, "expected a file, got a directory"),
        (os.mkfifo, "expected a file, got a FIFO"),
        (lambda path: path.symlink_to("gone"), "a link to gone, which does not exist"),
    ],
)
@pytest.mark.parametrize("name", ["title.ratings.tsv.gz", "title.plots.tsv"])
def test_something_else_in_place_of_a_file_is_named(data, tmp_path, name, make, found):
    (data / name).unlink()
    make(data / name)
    with pytest.raises(UserError, match=f"{name}: {found}"):
        build(data, tmp_path / "movies")


def test_chosen_plots_that_are_no_file_are_named(data, tmp_path):
    os.mkfifo(tmp_path / "story.csv")
    with pytest.raises(UserError, match=r"story.csv: expected a file, got a FIFO"):
        build(data, tmp_path / "movies", IngestConfig(plots=tmp_path / "story.csv"))


def test_blank_lines_at_the_end_are_no_malformed_lines(data, tmp_path):
    expected = build(data, tmp_path / "good")
    for dump in (BASICS, NAMES):
        path = dump.find(data)
        whole = path.read_bytes()
        path.write_bytes(whole + (gzip.compress(b"\n\r\n") if path.suffix == ".gz" else b"\n"))
    with (data / "title.plots.tsv").open("a") as file:
        file.write("\n\n\n")
    summary = build(data, tmp_path / "movies")
    assert summary.blank_lines == {
        "title.basics.tsv.gz": 2,
        "name.basics.tsv": 1,
        "title.plots.tsv": 3,
    }
    assert (summary.lines, summary.rejected) == (expected.lines, {})
    assert rows(tmp_path / "movies") == rows(tmp_path / "good")


def test_a_title_of_megabytes_counts_as_unknown(data, tmp_path):
    record = {"title": "x" * (9 << 20), "year": 1950, "plot": "A long name."}
    (data / "title.plots.tsv").unlink()
    (data / "plots.jsonl").write_text(
        json.dumps(record) + '\n{"tconst": "tt0000009", "plot": "Short."}\n'
    )
    summary = build(data, tmp_path / "movies", IngestConfig(max_reject_share=0))
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["Short."]
    assert (summary.rejected, summary.unreadable) == ({}, {"title": 1})
    assert summary.plots == {"joined by id": 1, "record identifies no title": 1}


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("dump", [BASICS, PRINCIPALS])
def test_a_corrupt_gzip_file_stops_the_build(data, tmp_path, dump, cut):
    path = dump.find(data)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] if cut else whole[:-6] + b"xxxxxx")
    problem = "truncated" if cut else "corrupt"
    with pytest.raises(UserError, match=f"{path.name}: the compressed file is {problem}"):
        build(data, tmp_path / "movies")
    assert not (tmp_path / "movies").exists()


def test_a_missing_or_ambiguous_input_raises(data, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such directory"):
        build(tmp_path / "nowhere", tmp_path / "movies")
    with pytest.raises(UserError, match=r"name.basics.tsv: not a directory"):
        build(data / "name.basics.tsv", tmp_path / "movies")
    shutil.copy(data / "name.basics.tsv", data / "name.basics.tsv.gz")
    with pytest.raises(UserError, match=r"found both name.basics.tsv.gz and name.basics.tsv"):
        build(data, tmp_path / "movies")
    (data / "name.basics.tsv").unlink()
    assert build(data, tmp_path / "movies").movies == 4
    (data / "name.basics.tsv.gz").unlink()
    with pytest.raises(
        UserError, match=r"expected name.basics.tsv.gz or name.basics.tsv, found neither"
    ):
        build(data, tmp_path / "movies")


def test_plots_by_title_and_year(data, tmp_path):
    (data / "title.plots.tsv").unlink()
    twin = ("tt0000031", "movie", "Far Orbit!", tiny.N, 0, 2021, tiny.N, 99, "Sci-Fi")
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, twin])
    (data / "plots.csv").write_text(
        "title,year,plot\n"
        "leuchtturm,1931,By its original title.\n"
        "The Quiet Lighthouse,1931,A second plot of the movie.\n"
        "HARBOUR OF SALT,1999,By its year.\n"
        "Harbour of Salt,1950,Of another year.\n"
        "Far Orbit,2021,Of one of two movies.\n"
        "Untold,1999,\n"
        "Untold,,Without a year.\n",
        "utf-8",
    )
    summary = build(data, tmp_path / "movies")
    assert [(row["tconst"], row["plot"]) for row in rows(tmp_path / "movies")] == [
        ("tt0000003", "By its original title."),
        ("tt0000009", "By its year."),
    ]
    assert summary.plots == {
        "joined by title and year": 2,
        "title already has a plot": 1,
        "title was not kept": 1,
        "several titles match": 1,
        "empty": 1,
        "record identifies no title": 1,
    }
    assert summary.dropped["no plot"] == 5


def write_plots(data, *records):
    """Replace the plots by JSON lines."""
    (data / "title.plots.tsv").unlink(missing_ok=True)
    (data / "plots.jsonl").write_text("\n".join(map(json.dumps, records)))


def test_the_surest_match_joins_and_then_the_first(data, tmp_path):
    write_plots(
        data,
        {"title": "Far Orbit", "year": 2020, "plot": "One year off."},
        {"title": "Far Orbit", "year": 2021, "plot": ""},
        {"title": "Far Orbit", "year": 2021, "plot": "By title."},
        {"title": "Far Orbit", "year": 2021, "plot": "By title again."},
        {"title": "Untold", "year": 1998, "plot": "One year off."},
    )
    summary = build(data, tmp_path / "movies")
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["One year off.", "By title."]
    assert summary.plots == {
        "title already has a plot": 2,
        "empty": 1,
        "joined by title and year": 1,
        "joined by title, one year off": 1,
    }
    with (data / "plots.jsonl").open("a") as file:
        file.write('\n{"tconst": "tt10000000", "plot": "By id."}')
    build(data, tmp_path / "movies")
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["One year off.", "By id."]


def test_a_title_one_year_off_joins_if_it_is_unique_or_a_person_agrees(data, tmp_path):
    twins = [
        ("tt0000031", "movie", "The Salt Road", tiny.N, 0, year, tiny.N, 99, "Crime")
        for year in (1937, 1939)
    ]
    twins[1] = ("tt0000032", *twins[1][1:])
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, *twins])
    tiny.write_dump(data, CREW, [*tiny.CREW_ROWS, ("tt0000032", "nm0000003", tiny.N)])
    road = {"title": "The Salt Road", "year": 1938}
    write_plots(
        data,
        {"title": "Untold", "year": 2000, "director": "Somebody Else", "plot": "A unique title."},
        {"title": "Untold", "year": 2001, "plot": "Two years off."},
        {**road, "plot": "Without people."},
        {**road, "director": "Ada Lind", "plot": "With a person of neither title."},
        {**road, "Star1": "Ada Lind", "Star2": "CY X MOE", "plot": "With the director."},
    )
    summary = build(data, tmp_path / "movies")
    assert [(row["tconst"], row["plot"]) for row in rows(tmp_path / "movies")] == [
        ("tt0000007", "A unique title."),
        ("tt0000032", "With the director."),
    ]
    assert summary.plots == {
        "several titles match": 2,
        "joined by title, one year off": 2,
        "title was not kept": 1,
    }
    assert summary.credits == {"directors": 1}


@pytest.mark.parametrize(
    ("count", "result"), [(10, "joined by title, one year off"), (11, "several")]
)
def test_of_many_titles_one_year_off_none_matches(data, tmp_path, count, result):
    namesakes = [
        (f"tt00000{31 + i}", "movie", "The Salt Road", tiny.N, 0, 1937, tiny.N, 99, "Crime")
        for i in range(count)
    ]
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, *namesakes])
    tiny.write_dump(data, CREW, [*tiny.CREW_ROWS, ("tt0000036", "nm0000003", tiny.N)])
    road = {"title": "The Salt Road", "year": 1938, "director": "Cy X Moe", "plot": "A road."}
    write_plots(data, road, {"tconst": "tt0000007", "plot": "A night."})
    summary = build(data, tmp_path / "movies")
    assert summary.plots.pop("joined by id") == 1
    assert [name[: len(result)] for name in summary.plots] == [result]
    assert [row["tconst"] for row in rows(tmp_path / "movies")][1:] == ["tt0000036"] * (count == 10)


def test_a_title_of_the_same_year_is_no_title_one_year_off(data, tmp_path):
    twin = ("tt0000031", "movie", "Untold", tiny.N, 0, 2000, tiny.N, 99, "Crime")
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, twin])
    write_plots(data, {"title": "Untold", "year": 2000, "plot": "A night."})
    assert build(data, tmp_path / "movies").plots == {"joined by title and year": 1}
    assert [row["tconst"] for row in rows(tmp_path / "movies")] == ["tt0000031"]


def test_the_id_of_a_title_that_was_not_kept_does_not_fall_back_on_the_title(data, tmp_path):
    untold = {"title": "Untold", "year": 1999, "plot": "A night."}
    far = {"tconst": "tt10000000", "plot": "Another night."}
    write_plots(data, {**untold, "tconst": "tt0000099"}, far)
    assert build(data, tmp_path / "movies").plots == {"title was not kept": 1, "joined by id": 1}
    write_plots(data, {**untold, "tconst": "N/A"}, far)
    assert build(data, tmp_path / "movies").plots == {
        "joined by title and year": 1,
        "joined by id": 1,
    }


def test_the_text_of_a_tv_show_joins_no_movie(data, tmp_path):
    untold = {"title": "Untold", "year": 1999}
    write_plots(
        data,
        {**untold, "type": "TV Show", "description": "Ten episodes."},
        {**untold, "type": "Movie", "description": "A night."},
    )
    summary = build(data, tmp_path / "movies")
    assert summary.plots == {"another kind of title": 1, "joined by title and year": 1}
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["A night."]


def test_records_on_one_line_are_different_records(data, tmp_path):
    (data / "title.plots.tsv").unlink()
    records = [
        {"title": "Untold", "year": 1998, "plot": "One year off."},
        {"title": "Far Orbit", "year": 2021, "plot": "By title."},
        {"title": "Elsewhere", "year": 2021, "plot": "Of no title."},
    ]
    (data / "plots.json").write_text(json.dumps(records))
    assert sum(build(data, tmp_path / "movies").plots.values()) == 3
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["One year off.", "By title."]


def test_values_that_are_not_understood_are_listed_but_no_rejects(data, tmp_path):
    write_plots(
        data,
        {"tconst": "tt0000007", "year": 57, "plot": "A night."},
        {"tconst": "tt0000009", "year": "57", "director": [3], "plot": "Another night."},
    )
    summary = build(data, tmp_path / "movies", IngestConfig(max_reject_share=0))
    assert summary.plots == {"joined by id": 2}
    assert summary.rejected == {}
    assert summary.unreadable == {"year": 2, "director": 1}
    listed = rejects(tmp_path / "movies" / "rejects.tsv")
    assert [(line, text) for _, line, _, text in listed] == [("1", "57"), ("2", "57"), ("2", "[3]")]
    assert listed[2][2] == "kept without director: expected names"
    assert "Cells that were not understood" in " ".join(printed(summary).split())


def printed(summary):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary_tables(summary))
    return console.export_text()


def test_no_plot_joins(data, tmp_path):
    build(data, tmp_path / "movies")
    before = file_states(tmp_path / "movies")
    write_plots(
        data,
        {"title": "Elsewhere", "year": 1990, "plot": "A night."},
        {"title": "Nowhere", "plot": "Another night."},
        {"tconst": "nm0000001", "plot": "A third night."},
    )
    with pytest.raises(NothingJoinedError) as error:
        build(data, tmp_path / "movies", IngestConfig(max_reject_share=0.5))
    assert str(error.value) == (
        "plots.jsonl: 0 of 3 records joined one of the 6 kept titles (record identifies no title: "
        "1, title was not kept: 1, malformed: 1). For example, a record has Elsewhere, 1990, and a "
        "title has The Quiet Lighthouse, 1931, tt0000003. Correct ids, titles and years, or choose "
        "other plots with `ingest.plots` in ordained.yaml beside the data (or `--plots` of "
        "`ordained ingest build`)."
    )
    assert error.value.exit_status == ExitStatus.NOTHING_JOINED == 5
    assert file_states(tmp_path / "movies") == before


def test_a_table_without_rows_joins_nothing(data, tmp_path):
    (data / "title.plots.tsv").write_text("tconst\tplot\n")
    with pytest.raises(NothingJoinedError, match=r"0 of 0 records .*\(there are no records\)\. C"):
        build(data, tmp_path / "movies")


@pytest.mark.parametrize(("titles", "joins"), [(20, True), (300, False)])
def test_almost_no_plot_joins(data, tmp_path, titles, joins):
    """Few records of many may join if these are many of few titles, but not few of many."""
    extra = [
        (f"tt{n:07}", "movie", f"Title {n}", tiny.N, 0, 1990, tiny.N, 90, "Drama")
        for n in range(1000, 1000 + titles)
    ]
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, *extra])
    others = [{"tconst": f"tt{n:07}", "plot": f"Night {n}."} for n in range(2000, 2300)]
    write_plots(data, {"tconst": "tt0000007", "plot": "A night."}, *others)
    if joins:
        assert build(data, tmp_path / "movies").movies == 1
    else:
        with pytest.raises(NothingJoinedError, match="1 of 301 records joined one of the 306 kept"):
            build(data, tmp_path / "movies")


def test_remakes_and_near_duplicate_plots_share_the_split_key(data, tmp_path):
    long = "a watchman counts the trains that pass his window and one evening counts one too few"
    titles = [
        ("tt0000040", "Last Train"),
        ("tt0000041", "The Last Train II"),
        ("tt0000042", "Window"),
        ("tt0000043", "Other"),
    ]
    plots = [
        f"In Bergen {long}.",
        "Another story.",
        f"Retold: {long.upper()}, in colour.",
        " ".join(long.split()[:11]) + " differently",
    ]
    tiny.write_dump(
        data,
        BASICS,
        [
            (
                tconst,
                "movie",
                name,
                tiny.N,
                0,
                1950,
                tiny.N,
                90,
                "War" if name == "Other" else "Drama",
            )
            for tconst, name in titles
        ],
    )
    ids = [tconst for tconst, _ in titles]
    (data / "title.plots.tsv").write_bytes(
        tiny.format_tsv("tconst\tplot", list(zip(ids, plots, strict=True)))
    )
    summary = build(data, tmp_path / "movies")
    assert [row["split_key"] for row in rows(tmp_path / "movies")] == ["last train"] * 3 + ["other"]
    assert summary.split_groups == {"groups": 2, "largest": 3, "movies in groups of two or more": 3}


def test_a_common_phrase_is_not_a_near_duplicate(data, tmp_path):
    phrase = "this picture was restored by the archive of the town from two prints"
    for count, groups in ((20, 1), (21, 21)):
        ids = [f"tt{n:07}" for n in range(1, count + 1)]
        names = [f"movie{n} unlike" for n in range(1, count + 1)]
        tiny.write_dump(
            data,
            BASICS,
            [
                (tconst, "movie", name, tiny.N, 0, 1950, tiny.N, 90, genre)
                for tconst, name, genre in zip(
                    ids, names, itertools.cycle(["Drama", "War"]), strict=False
                )
            ],
        )
        plots = [f"{name} story. {phrase}." for name in names]
        (data / "title.plots.tsv").write_bytes(
            tiny.format_tsv("tconst\tplot", list(zip(ids, plots, strict=True)))
        )
        assert build(data, tmp_path / "movies").split_groups["groups"] == groups


def test_genres_are_renamed_merged_dropped_and_chosen(data, tmp_path):
    config = IngestConfig(
        genre_map={"Mystery": "Crime", "Romance": "", "Sci-Fi": "Rockets 'n' Robots"},
        genres=("Rockets 'n' Robots", "Crime", "Comedy", "Opera"),
    )
    summary = build(data, tmp_path / "movies", config)
    assert {row["title"]: row["genres"] for row in rows(tmp_path / "movies")} == {
        "Harbour  of\u00a0Salt": "Crime",
        'Cafe\u0301 "Nord", Part 2': "Comedy",
        "The Quiet Lighthouse": "Crime",
        "Far Orbit": "Rockets 'n' Robots",
    }
    assert list(summary.genres.items()) == [
        ("Rockets 'n' Robots", 1),
        ("Crime", 2),
        ("Comedy", 1),
        ("Opera", 0),
    ]
    assert summary.other_genres == {"Drama": 1, "News": 1}


def test_the_default_genres_take_the_names_of_the_map(data, tmp_path):
    config = IngestConfig(genre_map={"Drama": "Play", "Musical": "Music", "Western": ""})
    summary = build(data, tmp_path / "movies", config)
    assert list(summary.genres)[6:8] == ["Documentary", "Play"]
    assert len(summary.genres) == 20
    assert summary.genres["Play"] == 1
    assert {row["genres"] for row in rows(tmp_path / "movies")} > {"Play|Mystery"}


def test_adult_titles_are_known_by_their_given_genre(data, tmp_path):
    tiny.write_dump(
        data,
        BASICS,
        [(*row[:-1], "Adult,Drama") if row[0] == "tt0000003" else row for row in tiny.TITLE_ROWS],
    )
    build(data, tmp_path / "movies", IngestConfig(genre_map={"Adult": "Romance"}))
    assert "The Quiet Lighthouse" not in {row["title"] for row in rows(tmp_path / "movies")}


def test_movies_with_the_same_genres_stop_the_build(data, tmp_path):
    genre_map = dict.fromkeys(["Comedy", "Drama", "Mystery", "Romance", "Sci-Fi"], "Crime")
    with pytest.raises(UserError, match=r"title\.basics: a single genre was found, Crime"):
        build(data, tmp_path / "movies", IngestConfig(genre_map=genre_map))
    assert not (tmp_path / "movies").exists()


def test_columns_and_genre_map_with_dumps(data, tmp_path):
    (data / "title.plots.tsv").rename(data / "plots.tsv")
    text = (data / "plots.tsv").read_text().replace("tconst\tplot", "tconst\tWhat happens", 1)
    (data / "plots.tsv").write_text(text)
    columns = {"plot": "What happens"}
    genre_map = {"sci-fi": "Space", "Thrillers": "Thriller"}
    summary = build(data, tmp_path / "movies", IngestConfig(columns=columns, genre_map=genre_map))
    assert summary.plots["joined by id"] == 5
    assert summary.genres["Space"] == 1
    assert summary.unused_genre_map == ["Thrillers"]


def file_states(directory):
    """Return inode and modification time of the files in a directory, by name."""
    stats = {path.name: path.stat() for path in directory.iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def test_an_unchanged_build_keeps_the_files(data, tmp_path):
    output = tmp_path / "movies"
    first = build(data, output, IngestConfig(max_reject_share=0.5))
    before = file_states(output)
    second = build(data, output, IngestConfig(memory_limit="1GB", threads=1))
    assert second.reused
    assert not first.reused
    assert (second.movies, second.dropped) == (first.movies, first.dropped)
    assert file_states(output) == before


def test_a_lower_max_reject_share_rebuilds(data, tmp_path):
    bad = [("tt0000004", "x", 1)] * 4
    tiny.write_dump(data, RATINGS, [*tiny.RATINGS_ROWS, *bad])
    share = len(bad) / (len(tiny.RATINGS_ROWS) + len(bad))
    output = tmp_path / "movies"
    build(data, output, IngestConfig(max_reject_share=share))
    assert build(data, output, IngestConfig(max_reject_share=share)).reused
    lower = IngestConfig(max_reject_share=share - 0.01)
    assert rebuild_reasons(data, output, lower) == [
        "title.ratings.tsv.gz has more malformed lines than max_reject_share now allows"
    ]
    with pytest.raises(UserError, match=r"4 of 7 lines are malformed, more than the allowed share"):
        build(data, output, lower)


def test_a_new_modification_time_of_an_input_does_not_rebuild(data, tmp_path):
    build(data, tmp_path / "movies")
    for path in data.iterdir():
        os.utime(path, (OLD_TIME, OLD_TIME))
    assert build(data, tmp_path / "movies").reused


@pytest.mark.parametrize("changed", ["input", "settings", "shard", "bit", "summary"])
def test_a_change_rebuilds(data, tmp_path, changed):
    output = tmp_path / "movies"
    build(data, output)
    shard = output / "movies-00000-of-00001.csv"
    expected = shard.read_bytes()
    os.utime(shard, (OLD_TIME, OLD_TIME))
    config = IngestConfig()
    if changed == "input":
        tiny.write_dump(data, CREW, [*tiny.CREW_ROWS, ("tt0000008", tiny.N, tiny.N)])
    elif changed == "settings":
        config = IngestConfig(rows_per_shard=20_000)
    elif changed == "shard":
        shard.write_text("truncated")
    elif changed == "bit":
        shard.write_bytes(bytes([*expected[:-2], expected[-2] ^ 1, expected[-1]]))
        os.utime(shard, (OLD_TIME, OLD_TIME))
    else:
        (output / "summary.json").write_text("{truncated")
    assert not build(data, output, config).reused
    assert shard.read_bytes() == expected


def test_the_output_depends_on_neither_directory_nor_threads(data, tmp_path):
    build(data, tmp_path / "one", IngestConfig(threads=1))
    build(data, tmp_path / "two", IngestConfig(threads=2, memory_limit="500MB"))
    for name in ("movies-00000-of-00001.csv", "rejects.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_progress_reports_the_end_of_each_file(data, tmp_path):
    seen = {}
    build(
        data,
        tmp_path / "movies",
        None,
        lambda step, done, total: seen.update({step: (done, total)}),
    )
    sizes = {f"reading {path.name}": (path.stat().st_size,) * 2 for path in data.iterdir()}
    assert {step: value for step, value in seen.items() if value[1]} == sizes
    assert set(seen) - set(sizes) == {
        "joining plots",
        "grouping remakes and sequels",
        "joining",
        "writing",
    }


def test_an_output_directory_without_permission_raises(data):
    with pytest.raises(UserError, match=r"/proc/.*: (No such file|Permission|Read-only|Operation)"):
        build(data, Path("/proc/nowhere/movies"))


def test_too_little_memory_raises(data, tmp_path):
    with pytest.raises(UserError, match="needs more memory than the limit of 1MB"):
        build(data, tmp_path / "movies", IngestConfig(memory_limit="1MB"))
    assert not (tmp_path / "movies").exists()


def kill_build(data, output, delay):
    """Start a build, kill it after `delay` seconds and return whether it was still running."""
    command = [sys.executable, "-m", "cli", "ingest", "build", "--data", data, "--output", output]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def test_a_killed_build_leaves_the_old_or_the_new_output(data, tmp_path):
    build(data, tmp_path / "expected")
    expected = rows(tmp_path / "expected")
    output = tmp_path / "movies"
    killed = 0
    for step in range(24):
        if step == 12:
            # The builds from here on replace an earlier build with other plots.
            changed = (data / "title.plots.tsv").read_bytes().replace(b"relay", b"beacon")
            (data / "title.plots.tsv").write_bytes(changed)
            build(data, tmp_path / "expected2")
        killed += kill_build(data, output, 0.15 + 0.06 * (step % 12))
        if output.exists():
            found = rows(output)
            assert found in (expected, *([rows(tmp_path / "expected2")] if step >= 12 else []))
            assert (output / "summary.json").exists()
            if step < 12:
                shutil.rmtree(output)
    assert killed >= 5
    build(data, output)
    assert rows(output) == rows(tmp_path / "expected2")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data",
        "expected",
        "expected2",
        "movies",
    ]


@pytest.mark.parametrize("function", ["normalized_words", "normalize", "clean_plot"])
def test_ctrl_c_raises_keyboard_interrupt_and_leaves_nothing(data, tmp_path, function, monkeypatch):
    """DuckDB turns the interrupt into an error of the running query; `build` must undo that."""

    def interrupted(text):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return text

    monkeypatch.setattr(f"ingest.clean.{function}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(data, tmp_path / "movies")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.skipif(not REAL_DUMPS.is_dir(), reason=f"the real dumps are not at {REAL_DUMPS}")
@pytest.mark.slow
def test_real_dumps(tmp_path):
    summary = build(REAL_DUMPS, tmp_path / "movies")
    assert (summary.titles, summary.movies) == (56503, 54428)
    assert summary.dropped == {
        "no genre": 305,
        "only genres outside the list": 1,
        "no plot": 1715,
        "plot of an earlier movie": 54,
    }
    assert summary.rejected == {}
    assert summary.other_genres == {"News": 59}
    assert summary.split_groups["largest"] < 0.005 * summary.movies
    assert len(rows(tmp_path / "movies")) == 54428


def unlabelled(output):
    """Return the rows of all movies without genres, in order of the shards."""
    found = []
    for path in sorted(output.glob("unlabelled-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


def add_plots(data, *plots):
    with (data / "title.plots.tsv").open("a") as file:
        file.writelines(f"{tconst}\t{text}\n" for tconst, text in plots)


def test_movies_with_a_plot_and_no_genre_are_written_apart(data, tmp_path):
    plain = build(data, tmp_path / "plain")
    add_plots(data, ("tt0000006", "A newsreader."), ("tt0000008", "A ship &amp; a strike."))
    tiny.write_dump(
        data,
        CREW,
        [*tiny.CREW_ROWS, ("tt0000008", "nm0000003", tiny.N)],
    )
    summary = build(data, tmp_path / "movies")
    moe = "Cy 'X\" Moe"
    assert [tuple(row.values()) for row in unlabelled(tmp_path / "movies")] == [
        ("tt0000008", "Unlabelled", "A ship &amp; a strike.", "", "1999", "80", "", "", moe)
        + ("",) * 4
    ]
    assert tuple(unlabelled(tmp_path / "movies")[0]) == CSV_COLUMNS
    assert summary.unlabelled == {"plot": 1}
    # The genre of tt0000006 is not among those of the model.
    assert (summary.plots["title has no genre"], summary.plots["title was not kept"]) == (1, 2)
    assert (summary.movies, summary.dropped) == (plain.movies, plain.dropped)
    assert summary.shards == plain.shards
    assert rows(tmp_path / "movies") == rows(tmp_path / "plain")
    assert plain.unlabelled == {}
    assert not list((tmp_path / "plain").glob("unlabelled-*"))


def test_movies_without_plot_and_genre_are_written_only_on_request(data, tmp_path):
    more = [
        ("tt0000010", "movie", "Nobody's", tiny.N, 0, 2001, tiny.N, 9, tiny.N),
        ("tt0000011", "movie", "Low Tide", tiny.N, 0, 2002, tiny.N, 9, tiny.N),
        ("tt0000012", "movie", "Only News", tiny.N, 0, 2002, tiny.N, 9, "News"),
    ]
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, *more])
    people = [(tconst, "nm0000001", tiny.N) for tconst in ("tt0000008", "tt0000012")]
    tiny.write_dump(data, CREW, [*tiny.CREW_ROWS, *people])
    add_plots(data, ("tt0000011", "A pilot and a strike."))
    config = IngestConfig(unlabelled_without_plot=True)
    summary = build(data, tmp_path / "movies", config)
    assert [(row["tconst"], row["plot"]) for row in unlabelled(tmp_path / "movies")] == [
        ("tt0000008", ""),
        ("tt0000011", "A pilot and a strike."),
    ]
    assert summary.unlabelled == {"plot": 1, "title and people": 1}

    build(data, tmp_path / "movies")
    assert [row["tconst"] for row in unlabelled(tmp_path / "movies")] == ["tt0000011"]


def test_a_movie_without_genres_is_found_by_title_and_year(data, tmp_path):
    titles = [
        *tiny.TITLE_ROWS,
        ("tt0000011", "movie", "Twins", tiny.N, 0, 2005, tiny.N, 80, tiny.N),
        ("tt0000012", "movie", "Twins", tiny.N, 0, 2005, tiny.N, 90, tiny.N),
        ("tt0000014", "movie", "Lone Light", "Ensam", 0, 2006, tiny.N, 90, tiny.N),
        ("tt0000014", "movie", "Lone Light", "Ensam", 0, 2006, tiny.N, 90, tiny.N),
    ]
    tiny.write_dump(data, BASICS, titles)
    (data / "title.plots.tsv").write_text(
        "title\tyear\tplot\nTwins\t2005\tTwo of a kind.\nFar Orbit\t2021\tA relay is lost.\n"
        "Ensam\t2007\tA lamp one year off.\n"
        "Ensam\t2006\tA lamp goes out.\nEnsam\t2006\tA second plot.\n"
    )
    summary = build(data, tmp_path / "movies")
    assert [(row["title"], row["plot"]) for row in unlabelled(tmp_path / "movies")] == [
        ("Lone Light", "A lamp goes out.")
    ]
    assert [row["tconst"] for row in rows(tmp_path / "movies")] == ["tt10000000"]
    assert summary.plots == {
        "title has no genre": 3,
        "several titles match": 1,
        "joined by title and year": 1,
    }


@pytest.mark.parametrize(
    ("year", "genres"), [(1999, tiny.N), (1999, "News"), (1999, "Crime"), (2001, tiny.N)]
)
def test_a_plot_of_namesakes_joins_none_unless_a_person_agrees(data, tmp_path, year, genres):
    """One of the two has no genre at all, or only another one, or both are one year off."""
    twin = ("tt0000041", "movie", "Untold", tiny.N, 0, year, tiny.N, 90, genres)
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, twin])
    tiny.write_dump(
        data, CREW, [("tt0000007", "nm0000003", tiny.N), ("tt0000041", "nm0000001", tiny.N)]
    )
    untold = {"title": "Untold", "year": (1999 + year) // 2}
    far = {"title": "Far Orbit", "year": 2021, "plot": "A night."}
    write_plots(data, {**untold, "plot": "A secret."}, far)
    summary = build(data, tmp_path / "movies")
    assert summary.plots == {"several titles match": 1, "joined by title and year": 1}
    assert [row["tconst"] for row in rows(tmp_path / "movies")] == ["tt10000000"]
    assert unlabelled(tmp_path / "movies") == []

    write_plots(
        data,
        {**untold, "director": "Cy X Moe", "plot": "A secret."},
        {**untold, "director": "Ada Lind", "plot": "Another secret."},
        {**untold, "director": "Somebody Else", "plot": "A third secret."},
        far,
    )
    summary = build(data, tmp_path / "movies")
    assert summary.plots["several titles match"] == 1
    assert [(row["tconst"], row["plot"]) for row in rows(tmp_path / "movies")] == [
        ("tt0000007", "A secret."),
        *[("tt0000041", "Another secret.")] * (genres == "Crime"),
        ("tt10000000", "A night."),
    ]
    assert [(row["tconst"], row["plot"]) for row in unlabelled(tmp_path / "movies")] == [
        ("tt0000041", "Another secret.")
    ] * (genres == tiny.N)


def test_dumps_without_genres_can_only_be_labelled(data, tmp_path):
    titles = [(*row[:-1], tiny.N) for row in tiny.TITLE_ROWS]
    tiny.write_dump(data, BASICS, titles)
    with pytest.raises(NothingJoinedError, match="title has no genre: 5"):
        build(data, tmp_path / "movies")
    summary = build(data, tmp_path / "movies", for_training=False)
    assert (summary.movies, summary.unlabelled) == (0, {"plot": 5})
    assert [row["tconst"] for row in unlabelled(tmp_path / "movies")][-1] == "tt10000000"
    assert build(data, tmp_path / "movies", for_training=False).reused
    # A model is not trained on what such a build has left.
    assert rebuild_reasons(data, tmp_path / "movies", IngestConfig()) == ["settings changed"]

    (data / "title.plots.tsv").write_text("tconst\tplot\ntt0000099\tA keeper waits.\n")
    with pytest.raises(NothingJoinedError, match=r"0 of 1 records joined one of the 8 kept titles"):
        build(data, tmp_path / "movies", for_training=False)


def test_dumps_with_one_genre_can_only_be_labelled(data, tmp_path):
    titles = [*((*row[:-1], "Drama") for row in tiny.TITLE_ROWS), tiny.TITLE_ROWS[7]]
    titles[-1] = ("tt0000051", *titles[-1][1:])
    tiny.write_dump(data, BASICS, titles)
    add_plots(data, ("tt0000051", "A ship is late."))
    with pytest.raises(UserError, match="a single genre was found, Drama"):
        build(data, tmp_path / "movies")
    summary = build(data, tmp_path / "movies", for_training=False)
    assert (summary.movies, summary.unlabelled) == (4, {"plot": 1})


def test_shards_of_movies_without_genres_have_a_largest_size(data, tmp_path):
    another = ("tt0000015", "movie", "Low Tide", tiny.N, 0, 1999, tiny.N, 80, tiny.N)
    tiny.write_dump(data, BASICS, [*tiny.TITLE_ROWS, another])
    add_plots(data, ("tt0000015", "A pilot and a strike."), ("tt0000008", "A ship is late."))
    build(data, tmp_path / "movies", IngestConfig(rows_per_shard=1))
    names = sorted(path.name for path in (tmp_path / "movies").glob("unlabelled-*"))
    assert names == ["unlabelled-00000-of-00002.csv", "unlabelled-00001-of-00002.csv"]
    assert [row["tconst"] for row in unlabelled(tmp_path / "movies")] == ["tt0000008", "tt0000015"]
    assert not fnmatch.filter(names, MOVIES_PATTERN)
    # A later build without them replaces the directory.
    (data / "title.plots.tsv").write_text("tconst\tplot\ntt0000003\tA keeper waits.\n")
    build(data, tmp_path / "movies")
    assert not list((tmp_path / "movies").glob("unlabelled-*"))
