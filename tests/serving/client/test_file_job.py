"""Tests of file jobs with the embedded server: order of rows, rejected rows and resuming."""

import csv
import gzip
import json
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from schema.errors import UserError
from schema.genres import GENRES
from serving.client import Client, ModelSpec, ServerError, predict
from serving.client.file_job import FileJob, JobProgress, can_resume, run_job
from serving.client.lines import prediction_cells, prediction_columns
from serving.client.predictions import Genre, Prediction
from tests.data.tiny_server import TinyServer, serve_tiny_model


def write_movies(path: Path, count: int, invalid: tuple[int, ...] = ()) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tconst", "title", "plot", "year"])
        for number in range(1, count + 1):
            row = [
                f"tt{number:07d}",
                f"Movie {number}",
                "bees " * (number % 9),
                1900 + number % 100,
            ]
            writer.writerow(row[:2] if number in invalid else row)
    return path


def new_job(
    directory: Path, count: int = 200, invalid: tuple[int, ...] = (), output: str = "out.csv"
) -> FileJob:
    return FileJob(
        source=write_movies(directory / "movies.csv", count, invalid),
        output=directory / output,
        rejects=directory / f"{output}.rejects",
        rows_per_request=8,
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def probabilities(row: dict[str, str]) -> dict[str, float]:
    return {name: float(row[name]) for name in GENRES}


def ignore_progress(progress: JobProgress, bytes_read: int, size: int) -> None:
    """Ignore the progress of a job."""


@pytest.mark.parametrize("protocol", [0, 1], ids=["grpc", "rest"])
def test_predictions_are_in_the_order_of_rows(
    tiny_server: TinyServer, tmp_path: Path, protocol: int
) -> None:
    job = new_job(tmp_path, invalid=(17, 200))
    steps: list[JobProgress] = []
    with Client(tiny_server.addresses[protocol]) as client:
        total = run_job(job, client, lambda progress, *_: steps.append(progress))
        [third] = client.predict([{"title": "Movie 3", "plot": "bees " * 3, "year": 1903}])
    rows = read_csv(job.output)
    expected = [number for number in range(1, 201) if number not in (17, 200)]
    assert [int(row["row"]) for row in rows] == expected
    assert [row["tconst"] for row in rows] == [f"tt{number:07d}" for number in expected]
    assert rows[2]["predicted"] == "|".join(third.predicted_genres)
    expected_probabilities = {genre.name: genre.probability for genre in third.genres}
    assert probabilities(rows[2]) == pytest.approx(expected_probabilities, abs=2e-6)
    assert [json.loads(line) for line in job.rejects.read_text().splitlines()] == [
        {
            "kind": "row",
            "row": n,
            "line": n + 1,
            "reason": "expected 4 columns, got 2",
            "text": f"tt{n:07d},Movie {n}",
        }
        for n in (17, 200)
    ]
    assert (total.progress.rows, total.progress.predicted, total.progress.rejected) == (200, 198, 2)
    assert (total.format, total.blank_lines) == ("CSV with commas, ASCII", 0)
    assert [step.rows for step in steps] == list(range(8, 201, 8))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "movies.csv",
        "out.csv",
        "out.csv.rejects",
    ]


def test_output_as_json_lines(tiny_server: TinyServer, tmp_path: Path) -> None:
    job = new_job(tmp_path, 10, output="out.jsonl")
    with Client(tiny_server.grpc_address) as client:
        run_job(job, client, ignore_progress)
    records = [json.loads(line) for line in job.output.read_text().splitlines()]
    assert [record["row"] for record in records] == list(range(1, 11))
    assert records[0]["tconst"] == "tt0000001"
    assert list(records[0]["probabilities"]) == list(GENRES)
    assert not job.rejects.exists()


def test_values_that_are_not_understood_are_listed(tiny_server: TinyServer, tmp_path: Path) -> None:
    job = new_job(tmp_path, 20)
    job.source.write_text(
        "Title;Year;rating;shelf\nTide;57;85;a\n\nReef;1990;8,5;b\nSand;1991\nOar;soon;7;c\n"
    )
    notes: list[str] = []
    with Client(tiny_server.grpc_address) as client:
        result = run_job(replace(job, keep=("shelf",)), client, ignore_progress, notes.append)
        assert notes == []
        [tide, reef] = client.predict(
            [{"title": "Tide"}, {"title": "Reef", "year": 1990, "average_rating": 8.5}]
        )
        run_job(job, client, ignore_progress, notes.append)
    assert notes == [f"{job.source}: these columns are not read: 'shelf'"]
    rejects = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert [(r["kind"], r["row"], r["line"]) for r in rejects] == [
        ("value", 1, 2),
        ("value", 1, 2),
        ("row", 3, 5),
        ("value", 4, 6),
    ]
    assert {(r["column"], r["value"]) for r in rejects if r["kind"] == "value"} == {
        ("Year", "57"),
        ("rating", "85"),
        ("Year", "soon"),
    }
    rows = read_csv(job.output)
    assert [row["row"] for row in rows] == ["1", "2", "4"]
    for row, prediction in zip(rows, [tide, reef], strict=False):
        expected = {genre.name: genre.probability for genre in prediction.genres}
        assert probabilities(row) == pytest.approx(expected, abs=2e-6)
    progress = result.progress
    assert (progress.rows, progress.predicted, progress.rejected) == (4, 3, 1)
    assert (progress.unreadable, result.blank_lines) == (3, 1)


@pytest.mark.parametrize("form", ["parquet", "gzip", "zip"])
def test_a_job_on_a_compressed_file_is_resumed(
    tiny_server: TinyServer, tmp_path: Path, form: str
) -> None:
    job = new_job(tmp_path, 100, invalid=() if form == "parquet" else (9,))
    data = job.source.read_bytes()
    whole = replace(job, output=tmp_path / "whole.csv", rejects=tmp_path / "whole.rejects")
    sizes: list[tuple[int, int]] = []
    with Client(tiny_server.grpc_address) as client:
        run_job(whole, client, ignore_progress)
        if form == "parquet":
            pq.write_table(pa.csv.read_csv(job.source), job.source)
        elif form == "gzip":
            job.source.write_bytes(gzip.compress(data))
        else:
            with zipfile.ZipFile(job.source, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("movies", data)

        def interrupt(progress: JobProgress, bytes_read: int, size: int) -> None:
            sizes.append((bytes_read, size))
            if progress.rows == 48:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_job(job, client, interrupt)
        assert can_resume(job.output)
        result = run_job(replace(job, resume=True), client, ignore_progress)
    assert all(0 < done <= size == job.source.stat().st_size for done, size in sizes)
    assert [row["row"] for row in read_csv(job.output)] == [
        row["row"] for row in read_csv(whole.output)
    ]
    assert result.progress.rows == 100
    if form != "parquet":
        assert job.rejects.read_bytes() == whole.rejects.read_bytes()


def test_a_job_is_resumed_after_a_server_failure(tmp_path: Path) -> None:
    job = new_job(tmp_path, invalid=(3, 150))
    with (
        serve_tiny_model(tmp_path) as tiny_server,
        Client(tiny_server.rest_url, timeout=2) as client,
    ):
        # Warm up the server, because its first response may take longer than the timeout.
        predict([{}], tiny_server.rest_url)

        def stop_half_way(progress: JobProgress, bytes_read: int, size: int) -> None:
            if progress.rows == 96:
                tiny_server.server.stop()

        with pytest.raises(ServerError, match=r"no server answers|not answer in time"):
            run_job(job, client, stop_half_way)
    assert can_resume(job.output)
    assert not job.output.exists()
    rows_done: list[int] = []
    with serve_tiny_model(tmp_path) as tiny_server, Client(tiny_server.rest_url) as client:
        resumed = replace(job, resume=True)
        run_job(resumed, client, lambda progress, *_: rows_done.append(progress.rows))
        assert rows_done[0] > 96
        whole = replace(job, output=tmp_path / "whole.csv", rejects=tmp_path / "whole.rejects")
        run_job(whole, client, ignore_progress)
    # The last digit depends on which rows the server joins in a batch.
    for row, again in zip(read_csv(job.output), read_csv(whole.output), strict=True):
        assert row | dict.fromkeys(GENRES) == again | dict.fromkeys(GENRES)
        assert probabilities(row) == pytest.approx(probabilities(again), abs=2e-6)
    assert job.rejects.read_bytes() == whole.rejects.read_bytes()
    assert not can_resume(job.output)


@pytest.mark.parametrize(
    ("signal_", "status", "stderr"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGINT, 130, "interrupted; the same command with --resume continues\n"),
    ],
)
def test_a_job_is_resumed_after_a_signal(
    tiny_server: TinyServer, tmp_path: Path, signal_: signal.Signals, status: int, stderr: str
) -> None:
    job = new_job(tmp_path, 4000, invalid=(5, 3999))
    command = [sys.executable, "-m", "cli", "predict", "--server", tiny_server.grpc_address]
    command += ["--requests", "1", "--rows-per-request", "1", str(job.source)]
    output_option = ["--output", str(job.output)]
    with subprocess.Popen([*command, *output_option], stderr=subprocess.PIPE, text=True) as process:
        progress = tmp_path / "out.csv.progress"
        deadline = time.monotonic() + 60
        while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal_)
        assert process.communicate()[1] == stderr
    assert process.returncode == status
    rows_done = json.loads(progress.read_text())["progress"]["rows"]
    assert 0 < rows_done < 4000
    command[-5:-1] = []
    resumed = subprocess.run(
        [*command, *output_option, "--resume"], capture_output=True, text=True, check=False
    )
    assert (resumed.returncode, resumed.stderr) == (3, "")
    assert resumed.stdout == (
        f"{job.output}: 4,000 rows (CSV with commas, ASCII), 3,998 predicted, 2 rejected. "
        f"{job.rejects} lists them.\n"
    )
    rows = job.output.read_text().splitlines()[1:]
    assert [int(row.partition(",")[0]) for row in rows] == [
        number for number in range(1, 4001) if number not in (5, 3999)
    ]
    assert len(job.rejects.read_text().splitlines()) == 2


def test_a_job_is_resumed_only_with_the_same_input(tiny_server: TinyServer, tmp_path: Path) -> None:
    job = replace(new_job(tmp_path), resume=True)
    with Client(tiny_server.grpc_address) as client:
        with pytest.raises(UserError, match=r"out\.csv\.progress: not found"):
            run_job(job, client, ignore_progress)
        progress = tmp_path / "out.csv.progress"
        progress.write_text("{")
        with pytest.raises(UserError, match="the file is damaged"):
            run_job(job, client, ignore_progress)
        saved = {"rows": 8, "rejected": 0, "output": 10, "rejects": 0}
        progress.write_text(json.dumps({"input": {"source": "other"}, "progress": saved}))
        with pytest.raises(
            UserError, match=r"movies\.csv: .* have changed since the interrupted job"
        ):
            run_job(job, client, ignore_progress)


def test_the_columns_are_the_genres_of_the_server(tmp_path: Path) -> None:
    genres = ("Космос", "Cowboys, etc.", "Heist")
    job = new_job(tmp_path, 12)
    with (
        serve_tiny_model(tmp_path / "first", genres=genres) as server,
        Client(server.grpc_address) as client,
    ):
        run_job(job, client, ignore_progress)
        rows = read_csv(job.output)
        assert list(rows[0]) == ["row", "tconst", "predicted", "warnings", *genres]
        assert all(0 < float(row[name]) < 1 for row in rows for name in genres)
        assert {name for row in rows for name in row["predicted"].split("|")} <= {*genres}
        with pytest.raises(UserError, match="--keep Heist: the output already has a column"):
            run_job(replace(job, keep=("title", "Heist")), client, ignore_progress)


def test_a_job_is_not_continued_with_other_genres(tmp_path: Path) -> None:
    job = new_job(tmp_path, 40)
    with (
        serve_tiny_model(tmp_path / "first", genres=("Heist", "Noir")) as server,
        Client(server.grpc_address) as client,
    ):

        def interrupt(progress: JobProgress, bytes_read: int, size: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_job(job, client, interrupt)
    assert can_resume(job.output)
    with (
        serve_tiny_model(tmp_path / "second", genres=("Heist", "Space")) as server,
        Client(server.grpc_address) as client,
        pytest.raises(UserError, match="the genres of the model have changed"),
    ):
        run_job(replace(job, resume=True), client, ignore_progress)


def test_genres_with_the_names_of_other_columns_are_marked() -> None:
    assert prediction_columns(["Noir", "Row", "Predicted"], ["row", "tconst"]) == [
        *("predicted", "warnings", "Noir", "Row (genre)", "Predicted (genre)")
    ]


def test_cells_of_a_prediction_with_other_genres_are_refused() -> None:
    prediction = Prediction((Genre("Noir", 0.25, False), Genre("Heist", 0.75, True)))
    assert prediction_cells(prediction, ["Heist", "Noir"]) == ["Heist", "", "0.750000", "0.250000"]
    with pytest.raises(UserError, match="a model with other genres"):
        prediction_cells(prediction, ["Heist"])


def test_a_wrong_model_is_not_reported_as_an_invalid_row(
    tiny_server: TinyServer, tmp_path: Path
) -> None:
    job = new_job(tmp_path)
    with (
        Client(tiny_server.grpc_address, ModelSpec("others")) as client,
        pytest.raises(
            ServerError, match=r"cannot serve the requested model others.*Latest\(others\)"
        ),
    ):
        run_job(job, client, ignore_progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["movies.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": Path("out.xlsx")}, "expected a file name that ends in"),
        ({"rejects": Path("movies.csv")}, "three different files"),
        ({"keep": ("row",)}, "--keep row: the output already has a column"),
    ],
)
def test_invalid_jobs(change: dict[str, object], message: str) -> None:
    valid = FileJob(Path("movies.csv"), Path("out.csv"), Path("out.csv.rejects"))
    with pytest.raises(UserError, match=message):
        replace(valid, **change)  # type: ignore[arg-type]
