import csv
import fnmatch
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

from ingest import IngestConfig, build, changes, lines
from ingest.dumps import BASICS, CREW, NAMES, PRINCIPALS, RATINGS
from schema.errors import UserError
from schema.features import CSV_COLUMNS
from schema.names import MOVIES_PATTERN
from tests.data import tiny_dumps as tiny

SHARED = Path(__file__).parents[3] / "shared" / "data" / "imdb"
OLD = 1_000_000_000


@pytest.fixture
def data(tmp_path):
    return tiny.write_dumps(tmp_path / "data")


def rows(output):
    """All rows of the shards, in order."""
    found = []
    for path in sorted(output.glob("movies-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            assert tuple(reader.fieldnames) == CSV_COLUMNS
            found += reader
    return found


def rejects(path):
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]


def test_the_csv_to_the_byte(data, tmp_path):
    build(data, tmp_path / "movies")
    assert (tmp_path / "movies" / "movies-00000-of-00001.csv").read_text("utf-8") == (
        "tconst,title,plot,genres,year,runtime_minutes,average_rating,num_votes,directors,writers,"
        "cast,split_key\n"
        'tt0000001,Harbour of Salt,"The ""salt"" baron\'s clerk finds two ledgers, one of them'
        ' false",Crime,1948,,6.0,120,Bo Sund,Ada Lind,Eli Rask|Dora Hjelm,harbour of salt\n'
        'tt0000002,"Café ""Nord"", Part 2",Two cooks fall out over a recipe & a waiter.,'
        "Comedy|Romance,,,,,,,Ada Lind,cafe nord\n"
        "tt0000003,The Quiet Lighthouse,A keeper waits for ships that never come,Drama|Mystery,"
        '1931,95,7.4,2000000,"Cy \'X"" Moe|Ada Lind",Ada Lind,,quiet lighthouse\n'
        "tt10000000,Far Orbit,A crew drifts beyond the last relay.,Sci-Fi,2021,101,,,,,,far orbit\n"
    )


def test_every_row_is_accounted_for(data, tmp_path):
    report = build(data, tmp_path / "movies")
    assert report.titles == 10
    assert report.movies == 4
    assert report.dropped == {
        "another title type": 1,
        "adult": 1,
        "only genres outside the list": 1,
        "no genre": 1,
        "no plot": 1,
        "plot of an earlier film": 1,
    }
    assert report.lines == {
        "title.basics.tsv.gz": 10,
        "title.plots.tsv": 7,
        "title.ratings.tsv.gz": 3,
        "title.crew.tsv.gz": 3,
        "title.principals.tsv.gz": 9,
        "name.basics.tsv": 6,
    }
    assert report.rejected == {}
    assert report.plots == {"joined": 5, "film not among those kept": 1, "empty": 1}
    assert report.credits == {
        "directors": 3,
        "writers": 2,
        "cast": 4,
        "person not in name.basics": 1,
    }
    assert report.filled == {
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
    assert {name: count for name, count in report.genres.items() if count} == {
        "Comedy": 1,
        "Crime": 1,
        "Drama": 1,
        "Mystery": 1,
        "Romance": 1,
        "Sci-Fi": 1,
    }
    assert report.other_genres == {"News": 1}
    assert report.split_groups == {"groups": 4, "largest": 1, "films in groups of two or more": 0}
    assert report.shards == ["movies-00000-of-00001.csv"]
    written = json.loads((tmp_path / "movies" / "report.json").read_text("utf-8"))
    assert written["report"] == asdict(report)


def test_shards_hold_the_rows_in_order(data, tmp_path):
    build(data, tmp_path / "one")
    report = build(data, tmp_path / "many", IngestConfig(rows_per_shard=3))
    assert report.shards == ["movies-00000-of-00002.csv", "movies-00001-of-00002.csv"]
    assert fnmatch.filter(report.shards, MOVIES_PATTERN) == report.shards
    assert rows(tmp_path / "many") == rows(tmp_path / "one")
    assert [row["tconst"] for row in rows(tmp_path / "many")] == [
        "tt0000001",
        "tt0000002",
        "tt0000003",
        "tt10000000",
    ]


def test_title_types_and_adult_titles_are_a_choice(data, tmp_path):
    with (data / "title.plots.tsv").open("a") as file:
        file.write("tt0000005\tA locksmith opens one door too many.\n")
    settings = IngestConfig(title_types=("movie", "short"), include_adult=True)
    report = build(data, tmp_path / "movies", settings)
    assert report.dropped == {
        "only genres outside the list": 1,
        "no genre": 1,
        "no plot": 1,
        "plot of an earlier film": 1,
    }
    assert [row["tconst"] for row in rows(tmp_path / "movies")][3:5] == ["tt0000004", "tt0000005"]


BAD_BASICS = [
    (
        "tt000001\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama",
        "tconst is not a title id such as tt0111161",
    ),
    (
        "tt00000012\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama",
        "tconst is not a title id such as tt0111161",
    ),
    ("tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90", "has 8 columns, expected 9"),
    ("tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90\tDrama\t", "has 10 columns, expected 9"),
    (
        "tt0000021\tmovie 2\tA\tA\t0\t1950\t\\N\t9\tDrama",
        "titleType is not a title type such as movie",
    ),
    ("tt0000021\tmovie\tA\tA\t1950\t0\t\\N\t90\tDrama", "isAdult is not 0 or 1"),
    ("tt0000021\tmovie\tA\tA\t0\t195O\t\\N\t90\tDrama", "startYear is not a year such as 1994"),
    ("tt0000021\tmovie\tA\tA\t0\t1950\t50\t90\tDrama", "endYear is not a year such as 1994"),
    (
        "tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t1.5h\tDrama",
        "runtimeMinutes is not a whole number of minutes",
    ),
    (
        "tt0000021\tmovie\tA\tA\t0\t1950\t\\N\t90\t90",
        "genres is not a list of genres such as Crime,Drama",
    ),
    ("tt0000003\tmovie\tTwin\tA\t0\t1950\t\\N\t90\tDrama", "repeats the tconst of an earlier line"),
    ("", "empty line"),
    ("tt0000021\tmovie\tA\x00\tA\t0\t1950\t\\N\t90\tDrama", "control character"),
    ("tt0000021\tmovie\tA\udce9\tA\t0\t1950\t\\N\t90\tDrama", "invalid UTF-8"),
]


@pytest.mark.parametrize("size", [50, 1 << 26])
def test_malformed_titles_are_rejected_with_line_and_reason(data, tmp_path, size, monkeypatch):
    monkeypatch.setattr(lines, "blocks", partial(lines.blocks, size=size))
    good = tiny.tsv(BASICS.header, tiny.TITLES)
    bad = "\n".join(line for line, _ in BAD_BASICS).encode("utf-8", "surrogateescape")
    after = b"\ntt0000030\tmovie\tLast\tLast\t0\t1950\t\\N\t90\tDrama\n"
    tiny.write(data / "title.basics.tsv.gz", good + bad + after)
    report = build(data, tmp_path / "movies", IngestConfig(max_reject_share=1))
    found = rejects(tmp_path / "movies" / "rejects.tsv")
    assert sorted((file, int(line), reason) for file, line, reason, _ in found) == [
        ("title.basics.tsv.gz", number, reason) for number, (_, reason) in enumerate(BAD_BASICS, 12)
    ]
    assert found[0][3] == BAD_BASICS[0][0].replace("\t", "\\t")
    assert report.lines["title.basics.tsv.gz"] == 10 + len(BAD_BASICS) + 1
    assert sum(report.rejected["title.basics.tsv.gz"].values()) == len(BAD_BASICS)
    assert (report.movies, report.dropped["no plot"]) == (4, 2)
    assert report.titles == 4 + sum(report.dropped.values()) + len(BAD_BASICS)
    assert rows(tmp_path / "movies")[2]["title"] == "The Quiet Lighthouse"


@pytest.mark.parametrize(
    ("dump", "line", "reason"),
    [
        (RATINGS, "tt0000001\t11\t5", "averageRating is not a number from 0 to 10"),
        (RATINGS, "tt0000001\t7,5\t5", "averageRating is not a number from 0 to 10"),
        (RATINGS, "tt0000001\t7.5\t-5", "numVotes is not a whole number"),
        (RATINGS, "tt0000001\t7.5\t5", "repeats the tconst of an earlier line"),
        (CREW, "tt0000001\tnm0000001;nm0000002\t\\N", "directors is not a list of person ids such"),
        (CREW, "tt0000001\t\\N\tnm1", "writers is not a list of person ids such as"),
        (CREW, "tt0000001\t\\N\t\\N", "repeats the tconst of an earlier line"),
        (
            PRINCIPALS,
            "tt0000001\tfirst\tnm0000001\tactor\t\\N\t\\N",
            "ordering is not a whole number",
        ),
        (
            PRINCIPALS,
            "tt0000001\t7\ttt0000001\tactor\t\\N\t\\N",
            "nconst is not a person id such as",
        ),
        (
            PRINCIPALS,
            "tt0000001\t7\tnm0000001\tActor!\t\\N\t\\N",
            "category is not a category such as",
        ),
        (NAMES, "nm0000001\tAda\tsoon\t\\N\twriter\t\\N", "birthYear is not a year such as 1937"),
        (NAMES, "nm0000001\tAda\t\\N\t\\N\twriter\t\\N", "repeats the nconst of an earlier line"),
    ],
)
def test_malformed_lines_of_the_other_dumps(data, tmp_path, dump, line, reason):
    build(data, tmp_path / "good")
    path = dump.find(data)
    body = {RATINGS: tiny.RATED, CREW: tiny.CREWS, PRINCIPALS: tiny.CREDITS, NAMES: tiny.PEOPLE}[
        dump
    ]
    tiny.write(path, tiny.tsv(dump.header, body) + line.encode() + b"\n")
    build(data, tmp_path / "movies", IngestConfig(max_reject_share=0.5))
    ((file, number, why, _),) = rejects(tmp_path / "movies" / "rejects.tsv")
    assert (file, int(number)) == (path.name, len(body) + 2)
    assert why.startswith(reason)
    assert rows(tmp_path / "movies") == rows(tmp_path / "good")


def test_above_the_allowed_share_the_build_stops(data, tmp_path):
    build(data, tmp_path / "movies")
    before = rows(tmp_path / "movies")
    good = tiny.tsv(RATINGS.header, tiny.RATED)
    tiny.write(data / "title.ratings.tsv.gz", good + b"tt0000002\tgood\t5\n")
    with pytest.raises(
        UserError,
        match=r"title.ratings.tsv.gz: 1 of 4 lines are malformed, more than the allowed share 0.01 "
        r"\(mostly: averageRating is not a number from 0 to 10\); see .*movies.rejects.tsv",
    ):
        build(data, tmp_path / "movies")
    assert rejects(tmp_path / "movies.rejects.tsv") == [
        [
            "title.ratings.tsv.gz",
            "5",
            "averageRating is not a number from 0 to 10",
            r"tt0000002\tgood\t5",
        ]
    ]
    assert rows(tmp_path / "movies") == before
    build(data, tmp_path / "movies", IngestConfig(max_reject_share=0.25))
    assert not (tmp_path / "movies.rejects.tsv").exists()


def test_a_file_of_another_kind_stops_the_build_early(data, tmp_path):
    lines_in_all = 300_000
    bad = b"tt0000001\tnobody\t1\n" * lines_in_all
    tiny.write(data / "title.ratings.tsv.gz", RATINGS.header.encode() + b"\n" + bad)
    with pytest.raises(UserError, match=r"300,000 of 300,000 lines are malformed"):
        build(data, tmp_path / "movies")
    assert len(rejects(tmp_path / "movies.rejects.tsv")) == lines_in_all


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "title.crew.tsv.gz",
            b"tconst\tdirector\ttt0000001\n",
            "title.crew.tsv.gz: its first line is not the header of title.crew; "
            r"found: tconst \| director \| tt0000001; expected: tconst \| directors \| writers",
        ),
        ("title.crew.tsv.gz", b"", "title.crew.tsv.gz: the file is empty; fetch or copy it again"),
        ("title.crew.tsv.gz", b"\xff\xfe\n", "is not the header of title.crew"),
        ("title.plots.tsv", b"id\tstory\n", "title.plots.tsv, line 1: the columns do not tell"),
    ],
)
def test_files_of_another_layout_are_told(data, tmp_path, name, content, message):
    tiny.write(data / name, content)
    with pytest.raises(UserError, match=message):
        build(data, tmp_path / "movies")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("dump", [BASICS, PRINCIPALS])
def test_a_damaged_gzip_stops_the_build(data, tmp_path, dump, cut):
    path = dump.find(data)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] if cut else whole[:-6] + b"xxxxxx")
    told = "cut short" if cut else "damaged"
    with pytest.raises(UserError, match=f"{path.name}: the gzip is {told}"):
        build(data, tmp_path / "movies")
    assert not (tmp_path / "movies").exists()


def test_missing_and_doubled_inputs_are_told(data, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        build(tmp_path / "nowhere", tmp_path / "movies")
    shutil.copy(data / "name.basics.tsv", data / "name.basics.tsv.gz")
    with pytest.raises(UserError, match=r"both name.basics.tsv.gz and name.basics.tsv are there"):
        build(data, tmp_path / "movies")
    (data / "name.basics.tsv").unlink()
    assert build(data, tmp_path / "movies").movies == 4
    (data / "name.basics.tsv.gz").unlink()
    with pytest.raises(UserError, match=r"neither name.basics.tsv.gz nor name.basics.tsv is there"):
        build(data, tmp_path / "movies")


def test_plots_by_title_and_year(data, tmp_path):
    (data / "title.plots.tsv").unlink()
    twin = ("tt0000031", "movie", "Far Orbit!", tiny.N, 0, 2021, tiny.N, 99, "Sci-Fi")
    tiny.write_dump(data, BASICS, [*tiny.TITLES, twin])
    (data / "plots.csv").write_text(
        "title,year,plot\n"
        "leuchtturm,1931,By its original title.\n"
        "The Quiet Lighthouse,1931,A second plot of the film.\n"
        "HARBOUR OF SALT,1999,By its year.\n"
        "Harbour of Salt,1950,Of another year.\n"
        "Far Orbit,2021,Of one of two films.\n"
        "Untold,1999,\n"
        "Untold,,Without a year.\n",
        "utf-8",
    )
    report = build(data, tmp_path / "movies")
    assert [(row["tconst"], row["plot"]) for row in rows(tmp_path / "movies")] == [
        ("tt0000003", "By its original title."),
        ("tt0000009", "By its year."),
    ]
    assert report.plots == {
        "joined": 2,
        "film has one already": 1,
        "film not among those kept": 1,
        "title and year of two films": 1,
        "empty": 1,
        "source names no film": 1,
    }
    assert report.dropped["no plot"] == 5


def test_one_film_told_by_id_and_by_title_has_its_first_plot(data, tmp_path):
    (data / "title.plots.tsv").unlink()
    records = [
        {"title": "Far Orbit", "year": 2021, "plot": ""},
        {"title": "Far Orbit", "year": 2021, "plot": "By title."},
        {"tconst": "tt10000000", "plot": "By id."},
    ]
    (data / "plots.jsonl").write_text("\n".join(map(json.dumps, records)))
    report = build(data, tmp_path / "movies")
    assert [row["plot"] for row in rows(tmp_path / "movies")] == ["By title."]
    assert report.plots == {"empty": 1, "joined": 1, "film has one already": 1}


def test_remakes_and_copies_of_a_plot_share_the_split_key(data, tmp_path):
    long = "a watchman counts the trains that pass his window and one evening counts one too few"
    films = [
        ("tt0000040", "Last Train"),
        ("tt0000041", "The Last Train II"),
        ("tt0000042", "Window"),
        ("tt0000043", "Other"),
    ]
    plots = [
        f"In Bergen {long}.",
        "Nothing alike.",
        f"Told again: {long.upper()}, in colour.",
        " ".join(long.split()[:11]) + " differently",
    ]
    tiny.write_dump(
        data,
        BASICS,
        [(key, "movie", name, tiny.N, 0, 1950, tiny.N, 90, "Drama") for key, name in films],
    )
    keys = [key for key, _ in films]
    (data / "title.plots.tsv").write_bytes(
        tiny.tsv("tconst\tplot", list(zip(keys, plots, strict=True)))
    )
    report = build(data, tmp_path / "movies")
    assert [row["split_key"] for row in rows(tmp_path / "movies")] == ["last train"] * 3 + ["other"]
    assert report.split_groups == {"groups": 2, "largest": 3, "films in groups of two or more": 3}


def test_a_phrase_of_many_films_joins_none(data, tmp_path):
    phrase = "this picture was restored by the archive of the town from two prints"
    for count, groups in ((20, 1), (21, 21)):
        keys = [f"tt{n:07}" for n in range(1, count + 1)]
        names = [f"film{n} unlike" for n in range(1, count + 1)]
        tiny.write_dump(
            data,
            BASICS,
            [
                (key, "movie", name, tiny.N, 0, 1950, tiny.N, 90, "Drama")
                for key, name in zip(keys, names, strict=True)
            ],
        )
        plots = [f"{name} story. {phrase}." for name in names]
        (data / "title.plots.tsv").write_bytes(
            tiny.tsv("tconst\tplot", list(zip(keys, plots, strict=True)))
        )
        assert build(data, tmp_path / "movies").split_groups["groups"] == groups


def written(folder):
    """What files of a folder are, whenever they were read: the file itself and its last change."""
    stats = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def test_nothing_changed_leaves_the_files_as_they_are(data, tmp_path):
    output = tmp_path / "movies"
    first = build(data, output, IngestConfig(max_reject_share=0.5))
    before = written(output)
    again = build(data, output, IngestConfig(memory_limit="1GB", threads=1))
    assert again.reused
    assert not first.reused
    assert (again.movies, again.dropped) == (first.movies, first.dropped)
    assert written(output) == before


def test_a_build_with_more_malformed_lines_than_allowed_now_is_not_taken_again(data, tmp_path):
    tiny.write_dump(data, RATINGS, [*tiny.RATED, ("tt0000004", "x", 1)])
    share = 1 / (len(tiny.RATED) + 1)
    output = tmp_path / "movies"
    build(data, output, IngestConfig(max_reject_share=share))
    assert build(data, output, IngestConfig(max_reject_share=share)).reused
    lower = IngestConfig(max_reject_share=share - 0.01)
    assert changes(data, output, lower) == [
        "title.ratings.tsv.gz has more malformed lines than max_reject_share allows now"
    ]
    with pytest.raises(UserError, match=r"1 of 4 lines are malformed, more than the allowed share"):
        build(data, output, lower)


def test_a_copied_input_counts_as_the_same(data, tmp_path):
    build(data, tmp_path / "movies")
    for path in data.iterdir():
        os.utime(path, (OLD, OLD))
    assert build(data, tmp_path / "movies").reused


@pytest.mark.parametrize("what", ["input", "settings", "shard", "report"])
def test_what_changed_is_built_again(data, tmp_path, what):
    output = tmp_path / "movies"
    build(data, output)
    shard = output / "movies-00000-of-00001.csv"
    expected = shard.read_bytes()
    os.utime(shard, (OLD, OLD))
    settings = IngestConfig()
    if what == "input":
        tiny.write_dump(data, CREW, [*tiny.CREWS, ("tt0000008", tiny.N, tiny.N)])
    elif what == "settings":
        settings = IngestConfig(rows_per_shard=20_000)
    elif what == "shard":
        shard.write_text("torn")
    else:
        (output / "report.json").write_text("{torn")
    assert not build(data, output, settings).reused
    assert shard.read_bytes() == expected
    # The time by which TFX knows the file changes only with its bytes.
    assert (shard.stat().st_mtime == OLD) == (what != "shard")


def test_the_output_is_the_same_in_another_folder_and_with_other_threads(data, tmp_path):
    build(data, tmp_path / "one", IngestConfig(threads=1))
    build(data, tmp_path / "two", IngestConfig(threads=2, memory_limit="500MB"))
    for name in ("movies-00000-of-00001.csv", "rejects.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_progress_reaches_the_end_of_each_file(data, tmp_path):
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


def test_an_output_that_cannot_be_written_is_told(data):
    with pytest.raises(UserError, match=r"/proc/.*: (No such file|Permission|Read-only|Operation)"):
        build(data, Path("/proc/nowhere/movies"))


def test_too_little_memory_is_told(data, tmp_path):
    with pytest.raises(UserError, match="needs more than the memory limit of 1MB"):
        build(data, tmp_path / "movies", IngestConfig(memory_limit="1MB"))
    assert not (tmp_path / "movies").exists()


def killed_build(data, output, delay):
    """Whether a build was still running when it was killed after some seconds."""
    command = [sys.executable, "-m", "ingest", "build", "--data", data, "--output", output]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def test_a_kill_at_any_moment_leaves_all_or_nothing(data, tmp_path):
    build(data, tmp_path / "expected")
    expected = rows(tmp_path / "expected")
    output = tmp_path / "movies"
    killed = 0
    for step in range(24):
        if step == 12:
            # From here on there is an earlier build of other plots to be replaced.
            changed = (data / "title.plots.tsv").read_bytes().replace(b"relay", b"beacon")
            (data / "title.plots.tsv").write_bytes(changed)
            build(data, tmp_path / "expected2")
        killed += killed_build(data, output, 0.15 + 0.06 * (step % 12))
        if output.exists():
            found = rows(output)
            assert found in (expected, *([rows(tmp_path / "expected2")] if step >= 12 else []))
            assert (output / "report.json").exists()
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


@pytest.mark.parametrize("function", ["words", "tidy", "clean_plot"])
def test_ctrl_c_is_no_failure_and_leaves_nothing(data, tmp_path, function, monkeypatch):
    """DuckDB turns the interrupt into an error of the query that runs, ours must turn it back."""

    def interrupted(text):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return text

    monkeypatch.setattr(f"ingest.clean.{function}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(data, tmp_path / "movies")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real dumps are not at {SHARED}")
@pytest.mark.slow
def test_real_dumps(tmp_path):
    report = build(SHARED, tmp_path / "movies")
    assert (report.titles, report.movies) == (56503, 54428)
    assert report.dropped == {
        "no genre": 305,
        "only genres outside the list": 1,
        "no plot": 1715,
        "plot of an earlier film": 54,
    }
    assert report.rejected == {}
    assert report.other_genres == {"News": 59}
    assert report.split_groups["largest"] < 0.005 * report.movies
    assert len(rows(tmp_path / "movies")) == 54428
