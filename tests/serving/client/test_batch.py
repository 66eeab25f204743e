"""Whole files, against the embedded server: in order, bad rows told, and resumable."""

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from schema.errors import UserError
from schema.genres import GENRES
from serving.client import Client, ModelSpec, ServerError, predict
from serving.client.batch import Done, Job, can_resume, run
from tests.data.tiny_server import Served, serving_tiny_model


def write_movies(path: Path, count: int, bad: tuple[int, ...] = ()) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tconst", "title", "plot", "year"])
        for number in range(1, count + 1):
            year = "last" if number in bad else 1900 + number % 100
            writer.writerow([f"tt{number:07d}", f"Movie {number}", "bees " * (number % 9), year])
    return path


def job(folder: Path, count: int = 200, bad: tuple[int, ...] = (), output: str = "out.csv") -> Job:
    return Job(
        source=write_movies(folder / "movies.csv", count, bad),
        output=folder / output,
        rejects=folder / f"{output}.rejects",
        rows_per_request=8,
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def probabilities(row: dict[str, str]) -> dict[str, float]:
    return {name: float(row[name]) for name in GENRES}


def silent(done: Done, position: int, size: int) -> None:
    """Show nothing."""


@pytest.mark.parametrize("protocol", [0, 1], ids=["grpc", "rest"])
def test_a_file_is_answered_in_order(served: Served, tmp_path: Path, protocol: int) -> None:
    task = job(tmp_path, bad=(17, 200))
    seen: list[Done] = []
    with Client(served.both[protocol]) as client:
        done = run(task, client, lambda done, position, size: seen.append(done))
        [third] = client.predict([{"title": "Movie 3", "plot": "bees " * 3, "year": 1903}])
    rows = read(task.output)
    wanted = [number for number in range(1, 201) if number not in (17, 200)]
    assert [int(row["row"]) for row in rows] == wanted
    assert [row["tconst"] for row in rows] == [f"tt{number:07d}" for number in wanted]
    assert rows[2]["predicted"] == "|".join(third.predicted_genres)
    wanted_of_third = {genre.name: genre.probability for genre in third.genres}
    assert probabilities(rows[2]) == pytest.approx(wanted_of_third, abs=2e-6)
    assert [json.loads(line) for line in task.rejects.read_text().splitlines()] == [
        {"row": n, "line": n + 1, "field": "year", "reason": "expected a number, not 'last'"}
        for n in (17, 200)
    ]
    assert (done.rows, done.rejected) == (200, 2)
    assert [one.rows for one in seen] == list(range(8, 201, 8))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "movies.csv",
        "out.csv",
        "out.csv.rejects",
    ]


def test_json_lines_hold_the_same(served: Served, tmp_path: Path) -> None:
    task = job(tmp_path, 10, output="out.jsonl")
    with Client(served.grpc) as client:
        run(task, client, silent)
    records = [json.loads(line) for line in task.output.read_text().splitlines()]
    assert [record["row"] for record in records] == list(range(1, 11))
    assert records[0]["tconst"] == "tt0000001"
    assert list(records[0]["probabilities"]) == list(GENRES)
    assert not task.rejects.exists()


def test_a_run_goes_on_after_the_server_was_gone(tmp_path: Path) -> None:
    task = job(tmp_path, bad=(3, 150))
    with serving_tiny_model(tmp_path) as served, Client(served.rest, seconds=2) as client:
        # The first answer of a server can take longer than that.
        predict([{}], served.rest)

        def stop_half_way(done: Done, position: int, size: int) -> None:
            if done.rows == 96:
                served.server.stop()

        with pytest.raises(ServerError, match=r"no server answers|not answer in time"):
            run(task, client, stop_half_way)
    assert can_resume(task.output)
    assert not task.output.exists()
    shown: list[int] = []
    with serving_tiny_model(tmp_path) as served, Client(served.rest) as client:
        resumed = replace(task, resume=True)
        run(resumed, client, lambda done, position, size: shown.append(done.rows))
        assert shown[0] > 96
        whole = replace(task, output=tmp_path / "whole.csv", rejects=tmp_path / "whole.rejects")
        run(whole, client, silent)
    # The last digit depends on which rows the server puts into one batch.
    for row, again in zip(read(task.output), read(whole.output), strict=True):
        assert row | dict.fromkeys(GENRES) == again | dict.fromkeys(GENRES)
        assert probabilities(row) == pytest.approx(probabilities(again), abs=2e-6)
    assert task.rejects.read_bytes() == whole.rejects.read_bytes()
    assert not can_resume(task.output)


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGINT, 130, "interrupted; the same command with --resume continues\n"),
    ],
)
def test_a_run_that_was_ended_goes_on(
    served: Served, tmp_path: Path, ending: signal.Signals, status: int, said: str
) -> None:
    task = job(tmp_path, 4000, bad=(5, 3999))
    command = [sys.executable, "-m", "cli", "predict", "--server", served.grpc]
    command += ["--requests", "1", "--rows-per-request", "1", str(task.source)]
    to_part = ["--output", str(task.output)]
    with subprocess.Popen([*command, *to_part], stderr=subprocess.PIPE, text=True) as process:
        progress = tmp_path / "out.csv.progress"
        deadline = time.monotonic() + 60
        while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(ending)
        assert process.communicate()[1] == said
    assert process.returncode == status
    before = json.loads(progress.read_text())["done"]["rows"]
    assert 0 < before < 4000
    command[-5:-1] = []
    again = subprocess.run(
        [*command, *to_part, "--resume"], capture_output=True, text=True, check=False
    )
    assert (again.returncode, again.stderr) == (3, "")
    assert again.stdout == (
        f"{task.output}: 3,998 of 4,000 rows; {task.rejects} lists the other rows and the reasons\n"
    )
    rows = task.output.read_text().splitlines()[1:]
    assert [int(row.partition(",")[0]) for row in rows] == [
        number for number in range(1, 4001) if number not in (5, 3999)
    ]
    assert len(task.rejects.read_text().splitlines()) == 2


def test_a_run_goes_on_with_the_same_input_only(served: Served, tmp_path: Path) -> None:
    task = replace(job(tmp_path), resume=True)
    with Client(served.grpc) as client:
        with pytest.raises(UserError, match=r"out\.csv\.progress: there is nothing to go on with"):
            run(task, client, silent)
        progress = tmp_path / "out.csv.progress"
        progress.write_text("{")
        with pytest.raises(UserError, match="is damaged; leave out --resume"):
            run(task, client, silent)
        done = {"rows": 8, "rejected": 0, "output": 10, "rejects": 0}
        progress.write_text(json.dumps({"of": {"source": "other"}, "done": done}))
        with pytest.raises(UserError, match=r"movies\.csv: has changed since that run"):
            run(task, client, silent)


def test_a_wrong_model_is_not_blamed_on_rows(served: Served, tmp_path: Path) -> None:
    task = job(tmp_path)
    with (
        Client(served.grpc, ModelSpec("others")) as client,
        pytest.raises(ServerError, match=r"cannot serve the model others.*Latest\(others\)"),
    ):
        run(task, client, silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["movies.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": Path("out.xlsx")}, "expected a name that ends in"),
        ({"rejects": Path("movies.csv")}, "three different files"),
        ({"keep": ("row",)}, "--keep row: the output has a column of that name"),
    ],
)
def test_an_impossible_job_is_refused(change: dict[str, object], message: str) -> None:
    sound = Job(Path("movies.csv"), Path("out.csv"), Path("out.csv.rejects"))
    with pytest.raises(UserError, match=message):
        replace(sound, **change)  # type: ignore[arg-type]
