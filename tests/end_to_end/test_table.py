"""A whole run on the bundled table, whose genres are not IMDb's, and predictions of its model."""

import csv
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import ingest
from components.pusher import versions
from schema.names import MODEL_NAME, SERVING_DIRECTORY
from serving.client import predict
from serving.server import ServerConfig
from tests.data.model_server import run_server
from tests.end_to_end.project import PROJECT, Run, environment

TABLE = PROJECT / "data" / "table_sample" / "movies.csv"
GENRES = ("Courtroom", "Haunted House", "Heist", "Road Trip", "Seafaring", "Space Voyage")


def run_table(*arguments: object) -> Run:
    script = PROJECT / "pipeline" / "run_local.py"
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def test_the_bundled_table_is_what_its_script_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = runpy.run_path(str(TABLE.with_name("generate.py")))
    written = tmp_path / "movies.csv"
    monkeypatch.setitem(script["main"].__globals__, "OUTPUT", written)
    script["main"]()
    assert written.read_bytes() == TABLE.read_bytes()


def test_the_faults_of_the_bundled_table_cost_one_row(tmp_path: Path) -> None:
    summary = ingest.build(None, tmp_path / "movies", ingest.IngestConfig(table=TABLE))
    assert (summary.titles, summary.movies, summary.dropped) == (300, 299, {})
    assert summary.rejected == {"movies.csv": {"unclosed quote": 1}}
    assert (tuple(summary.genres), summary.other_genres) == (GENRES, {})
    assert summary.unknown_columns == {"Shelf": ""}
    assert summary.unreadable == {}
    assert summary.filled["year"] == summary.filled["runtime_minutes"] == 299
    assert summary.filled["num_votes"] == summary.filled["cast"] == 282
    assert summary.split_groups["largest"] < 10


@pytest.mark.slow
def test_a_model_of_the_table_is_pushed_and_predicts_its_genres(tmp_path: Path) -> None:
    output = tmp_path / "output"
    run = run_table("--table", TABLE, "--output", output)
    assert (run.status, run.errors) == (0, "")
    assert f"table   {TABLE}" in run.lines
    assert "299 movies of 300 titles (0 dropped, 1 line rejected)" in run.output
    [version] = versions.served(output / SERVING_DIRECTORY / MODEL_NAME)
    assert run.lines[-1] == f"pushed: version {version}"

    model = output / SERVING_DIRECTORY / MODEL_NAME
    config = ServerConfig(model_name=MODEL_NAME, model_base_path=model, rest_api_port=0)
    with TABLE.open(encoding="utf-8", newline="") as file:
        movie = next(csv.DictReader(file))
    with run_server(config) as server:
        request = {"title": movie["Movie Title"], "plot": movie["Synopsis"]}
        [prediction] = predict([request], server.grpc_address)
    assert prediction.names == GENRES
    assert "|".join(prediction.predicted_genres) == movie["Genres"]
