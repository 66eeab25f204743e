"""`ordained ingest build` and `ordained ingest fetch`."""

import csv
import gzip
import io
import json
import subprocess
import sys

import pytest

from cli.app import main as ordained
from ingest.dumps import DUMPS, RATINGS
from ingest.staging import staged_output
from schema.errors import ExitStatus
from tests.data import tiny_dumps as tiny
from tests.data.faulty_server import BODY, corpus_archive, run_faulty_server


def main(arguments):
    return ordained(["ingest", *arguments])


@pytest.fixture
def server():
    with run_faulty_server() as server:
        yield server


@pytest.fixture
def data(tmp_path):
    return tiny.write_dumps(tmp_path / "data")


def test_build_prints_the_summary(data, tmp_path, capsys):
    assert main(["build", "--data", str(data), "--output", str(tmp_path / "movies")]) == 0
    printed, messages = capsys.readouterr()
    assert "title.plots.tsv: text with tabs, UTF-8\n" in messages
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    for row in (
        ["read from title.basics.tsv.gz", "10"],
        ["dropped: another title type", "1"],
        ["dropped: no plot", "1"],
        ["rejected: malformed line", "0"],
        ["movies written", "4"],
        ["title.principals.tsv.gz", "9", "0", ""],
        ["average_rating", "2", "50.0%"],
        ["Crime", "1", "25.0%"],
    ):
        assert row in table
    assert "movies: 4 movies in " in printed
    assert main(["build", "--data", str(data), "--output", str(tmp_path / "movies")]) == 0
    assert "unchanged since the last build" in capsys.readouterr().out


def test_build_counts_corrections(data, tmp_path, capsys):
    fixes = tmp_path / "fixes.csv"
    fixes.write_text(
        "tconst,genres,who,when\ntt0000001,Drama,bo,2026-04-01\ntt0000001,Dram,bo,2026-04-02\n"
    )
    command = ["build", "--data", str(data), "--output", str(tmp_path / "movies")]
    assert main([*command, "--corrections", str(fixes)]) == 0
    printed = capsys.readouterr().out
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    for row in (["applied", "1"], ["superseded", "0"], ["rejected: unknown genre", "1"]):
        assert row in table
    assert main(command) == 0
    assert "rejected: unknown genre" not in capsys.readouterr().out


def test_a_build_without_a_match_has_a_status_of_its_own(data, tmp_path, capsys):
    (data / "title.plots.tsv").write_text("title\tyear\tplot\nElsewhere\t1990\tA night.\n")
    arguments = ["build", "--data", str(data), "--output", str(tmp_path / "movies")]
    assert main(arguments) == ExitStatus.NOTHING_JOINED
    assert "title.plots.tsv: 0 of 1 records joined one of the 6" in capsys.readouterr().err
    assert not (tmp_path / "movies").exists()


def test_options_reach_the_build(data, tmp_path):
    plots = tmp_path / "mine.jsonl"
    plots.write_text(json.dumps({"tconst": "tt0000004", "plot": "Short and sweet."}))
    options = "--include-adult --max-reject-share 0.5 --rows-per-shard 1"
    options += f" --memory-limit 1GB --threads 1 --plots {plots}"
    command = ["build", "--data", str(data), "--output", str(tmp_path / "movies"), *options.split()]
    command += ["--title-types", "tvMovie, short"]
    tiny.write_dump(data, RATINGS, [*tiny.RATINGS_ROWS, ("tt0000004", "x", 1)])
    assert main(command) == 0
    with (tmp_path / "movies" / "movies-00000-of-00001.csv").open(encoding="utf-8") as file:
        assert [row["title"] for row in csv.DictReader(file)] == ["Seven Minutes"]


def test_genres_and_their_map_are_options(data, tmp_path):
    command = ["build", "--data", str(data), "--output", str(tmp_path / "movies")]
    command += [
        "--genres",
        "Puzzle, Comedy",
        "--genre-map",
        "Mystery=Puzzle",
        "--genre-map",
        "Crime=",
    ]
    assert main(command) == 0
    with (tmp_path / "movies" / "movies-00000-of-00001.csv").open(encoding="utf-8") as file:
        assert [row["genres"] for row in csv.DictReader(file)] == ["Comedy", "Puzzle"]


def test_a_table_is_built_and_its_columns_are_printed(tmp_path, capsys):
    table = tmp_path / "movies.csv"
    table.write_text(
        "Title,Blurb,Genre,Shelf,Year\n"
        "Salt,A clerk finds two ledgers.,Drama,A1,1948\n"
        "Orbit,A crew drifts beyond the last relay.,Opera,B2,57\n"
    )
    command = ["build", "--table", str(table), "--output", str(tmp_path / "movies")]
    assert main([*command, "--min-genre-movies", "1"]) == ExitStatus.USER_ERROR
    assert '`--column "plot=NAME"`' in capsys.readouterr().err
    assert main([*command, "--min-genre-movies", "1", "--column", "plot=Blurb"]) == 0
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    for row in (
        ["read from movies.csv", "2"],
        ["plot", "Blurb"],
        ["not used", "Shelf"],
        ["Year", "1"],
        ["Opera", "1", "50.0%"],
    ):
        assert row in rows
    assert "Credits" not in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "error: --data and --table: expected one of them, "),
        (["--data", "x", "--table", "y"], "error: --data and --table: expected one of them, "),
        (
            ["--table", "y", "--column", "plot"],
            "error: --column plot: expected FIELD=NAME, such as ",
        ),
        (["--table", "y", "--column", "polt=A"], "error: --column should be one of tconst, "),
        (["--table", "nowhere.csv"], "error: nowhere.csv: no such file"),
    ],
)
def test_unusable_options_of_a_table_are_an_error(tmp_path, capsys, options, message):
    command = ["build", "--output", str(tmp_path / "movies"), *options]
    assert main(command) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err.lstrip().startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--genre-map", "Crime"], "--genre-map Crime: expected GIVEN=NAME"),
        (["--genres", "Comedy"], '--genres should have 2 to 200 genres. Received: ["Comedy"]'),
    ],
)
def test_unusable_genres_are_an_error(data, tmp_path, capsys, options, message):
    command = ["build", "--data", str(data), "--output", str(tmp_path / "movies")]
    assert main([*command, *options]) == ExitStatus.USER_ERROR
    assert message in capsys.readouterr().err


def test_a_user_error_is_one_line_and_status_2(tmp_path):
    completed = subprocess.run(
        [
            sys.executable,
            "-m",
            "cli",
            "ingest",
            "build",
            "--data",
            "nowhere",
            "--output",
            tmp_path / "m",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 2
    assert completed.stderr.strip() == (
        "error: nowhere: no such directory. Name a directory with IMDb's dumps."
    )


def test_an_output_that_another_build_writes_is_status_75(data, tmp_path, capsys):
    with staged_output(tmp_path / "movies"):
        assert main(["build", "--data", str(data), "--output", str(tmp_path / "movies")]) == 75
    message = f"error: {tmp_path}/movies: another build is writing to this directory."
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)


BUILD_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=24k tmpfs "$3" && "$1" -m cli ingest build --data "$2" --output "$3/movies"
status=$?
ls -A "$3"
exit $status
"""


def test_a_full_disk_is_status_75_and_leaves_nothing(data, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    plots = "".join(f"tt0000001\tA story of {n} harbours.\n" for n in range(2_000))
    (data / "title.plots.tsv").write_text("tconst\tplot\n" + plots)
    mount_namespace = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*mount_namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not allow users to mount a file system")
    completed = subprocess.run(
        [*mount_namespace, "sh", "-c", BUILD_ON_A_SMALL_DISK, "sh", sys.executable, data, disk],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 75
    assert completed.stderr.splitlines()[-1].startswith(f"error: {disk}/")
    assert "No space left on device" in completed.stderr
    assert completed.stdout == ""


def test_the_terms_must_be_accepted_before_a_download(server, tmp_path):
    command = [
        sys.executable,
        "-m",
        "cli",
        "ingest",
        "fetch",
        "--output",
        tmp_path,
        "--imdb-url",
        server.url,
    ]
    completed = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert completed.returncode == 2
    assert "personal and non-commercial use only" in completed.stdout
    assert "nothing was downloaded: agree to these terms with --accept-terms" in completed.stderr
    assert server.requests == []


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 2), ("", 2)])
def test_a_terminal_asks_for_acceptance_of_the_terms(
    server, tmp_path, monkeypatch, capsys, answer, status
):
    server.files = {f"{dump.name}.tsv.gz": BODY for dump in DUMPS}
    terminal = io.StringIO(f"{answer}\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    command = ["fetch", "--output", str(tmp_path), "--imdb-url", server.url, "--no-corpus"]
    assert main(command) == status
    assert len(server.requests) == (0 if status else 5)
    assert capsys.readouterr().out.startswith("IMDb's datasets are for personal and non-commercial")


@pytest.mark.parametrize("digest", ["title.crew.tsv.gz", "title.crew.tsv.gz=12ab"])
def test_a_malformed_checksum_is_an_error(tmp_path, capsys, digest):
    command = ["fetch", "--output", str(tmp_path), "--accept-terms", "--sha256", digest]
    assert main(command) == 2
    assert "--sha256 title.crew.tsv.gz: expected NAME=HEX" in capsys.readouterr().err


def test_downloaded_files_can_be_built(server, tmp_path):
    """The downloaded dumps and corpus are built into CSV without further steps."""
    data = tiny.write_dumps(tmp_path / "remote")
    for dump in DUMPS:
        body = dump.find(data).read_bytes()
        name = f"{dump.name}.tsv.gz"
        server.files[name] = body if body.startswith(b"\x1f\x8b") else gzip.compress(body)
    server.files["MovieSummaries.tar.gz"] = corpus_archive(
        {
            "plot_summaries.txt": "42\tTwo ledgers go missing. {{expand section}}\n7\tElsewhere.\n",
            "movie.metadata.tsv": "42\t/m/4\tHarbour of Salt\t1948-02-01\t\t\t{}\t{}\t{}\n",
        }
    )
    output = tmp_path / "data"
    urls = ["--imdb-url", server.url, "--corpus-url", server.url + "MovieSummaries.tar.gz"]
    assert main(["fetch", "--output", str(output), "--accept-terms", *urls]) == 0
    assert main(["build", "--data", str(output), "--output", str(tmp_path / "movies")]) == 0
    with (tmp_path / "movies" / "movies-00000-of-00001.csv").open(encoding="utf-8") as file:
        found = [(row["tconst"], row["plot"]) for row in csv.DictReader(file)]
    assert found == [("tt0000001", "Two ledgers go missing. {{expand section}}")]


def test_an_option_out_of_range_is_named(data, tmp_path, capsys):
    command = ["build", "--data", str(data), "--output", str(tmp_path / "movies")]
    assert main([*command, "--max-reject-share", "2"]) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err == (
        "error: --max-reject-share should be at most 1. Received: 2.0\n"
    )
    assert main([*command, "--title-types", ""]) == ExitStatus.USER_ERROR
    assert capsys.readouterr().err == (
        "error: --title-types should be one of IMDb's title types, such as movie or tvMovie. "
        'Received: ""\n'
    )
