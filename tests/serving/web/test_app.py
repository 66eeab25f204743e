"""The web page's application in a process, in front of the embedded server."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.app import main
from schema import features as raw
from schema.genres import GENRES
from serving.client import Client, predict
from serving.web.app import MAX_BODY_BYTES, MAX_TABLE_CHARACTERS, PAGE_DIRECTORY, predict_table
from tests.data.tiny_server import TinyServer, run_web_page, serve_tiny_model

MOVIE = {"title": "The Lighthouse", "plot": "A keeper counts ships.", "cast": ["A", "B"]}

TABLE_COLUMNS = ("row", "tconst", "title", "predicted", "warnings")


@pytest.fixture(scope="module", params=["grpc", "rest"])
def page(request: pytest.FixtureRequest, tiny_server: TinyServer) -> Iterator[httpx.Client]:
    options = (
        ["--grpc", tiny_server.grpc_address]
        if request.param == "grpc"
        else ["--rest-url", tiny_server.rest_url]
    )
    with run_web_page(options) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_the_status_names_model_and_version(page: httpx.Client) -> None:
    answer = page.get("/api/status")
    assert answer.status_code == 200
    assert answer.json() == {"model": "movie_genres", "version": "3", "error": ""}


def test_predict_returns_all_genres(page: httpx.Client, tiny_server: TinyServer) -> None:
    genres = page.post("/api/predict", json=MOVIE).json()["genres"]
    [wanted] = predict([MOVIE], tiny_server.grpc_address)
    assert [genre["name"] for genre in genres] == [genre.name for genre in wanted.ranked]
    assert [genre["probability"] for genre in genres] == pytest.approx(
        [genre.probability for genre in wanted.ranked], abs=1e-6
    )
    assert tuple(g["name"] for g in genres if g["predicted"]) == tuple(
        genre.name for genre in wanted.ranked if genre.predicted
    )


@pytest.mark.parametrize(
    ("plot", "is_warned"),
    [
        ("Ein Wärter zählt die Schiffe auf dem Meer.", True),
        ("Смотритель считает корабли.", True),
        ("A keeper counts the ships.", False),
        (None, False),
    ],
)
def test_predict_warns_of_a_plot_in_an_unfamiliar_language(
    page: httpx.Client, plot: str | None, is_warned: bool
) -> None:
    movie = {"title": "Der Turm", "plot": plot, "year": 1927}
    warnings = page.post("/api/predict", json=movie).json()["warnings"]
    assert ["few plots in the language" in warning for warning in warnings] == [True] * is_warned


def test_predict_warns_of_a_title_alone(page: httpx.Client) -> None:
    [warning] = page.post("/api/predict", json={"title": "Alien", "year": ""}).json()["warnings"]
    assert warning.startswith("Only the title of this movie is known")


def test_predict_returns_thresholds(page: httpx.Client) -> None:
    genres = page.post("/api/predict", json=MOVIE).json()["genres"]
    assert {genre["threshold"] for genre in genres} == {0.5}


def test_explain_returns_the_effect_of_each_part(page: httpx.Client) -> None:
    explanation = page.post("/api/explain", json=MOVIE).json()
    assert explanation["genres"] == list(GENRES)
    assert explanation["skipped_parts"] == 0
    assert [(part["field"], part["text"]) for part in explanation["parts"]] == [
        *((name, "") for name in MOVIE),
        *(("cast", name) for name in "AB"),
        *(("title", word) for word in ("the", "lighthouse")),
        *(("plot", word) for word in ("a", "keeper", "counts", "ships")),
    ]
    kinds = ["field"] * 3 + ["name"] * 2 + ["function words", "word"] * 2 + ["word"] * 2
    assert [part["kind"] for part in explanation["parts"]] == kinds
    for values in (explanation, *explanation["parts"]):
        assert len(values["probabilities"]) == len(GENRES)
    assert {len(part["effects"]) for part in explanation["parts"]} == {len(GENRES)}
    assert all(value > 0 for value in explanation["noise"])
    for part in explanation["parts"]:
        for start, end in part["spans"]:
            assert explanation["texts"][part["field"]][start:end].lower() == part["text"]


def post_table(page: httpx.Client, content: str | bytes, name: str = "") -> dict[str, Any]:
    """Return the response for a table of valid movies."""
    answer = page.post("/api/table", content=content, params={"name": name} if name else {})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_table_returns_rows_and_csv(page: httpx.Client) -> None:
    answer = post_table(page, 'title,year,plot\nA,1927,"x, y"\nB,last\nC,last,\n')
    errors = ["", "expected 3 columns, got 2", ""]
    assert [row["error"] for row in answer["rows"]] == errors
    assert [row["note"].partition(":")[0] for row in answer["rows"]] == ["", "", "year"]
    assert [row["warnings"] for row in answer["rows"]] == [[], [], ["title alone"]]
    assert (answer["note"], answer["format"]) == ("", "CSV with commas, ASCII")
    assert [row["title"] for row in answer["rows"]] == ["A", "", "C"]
    rows = list(csv.DictReader(io.StringIO(answer["csv"])))
    assert list(rows[0]) == [*TABLE_COLUMNS, *GENRES, "error", "note"]
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    assert [row["warnings"] for row in rows] == ["", "", "title alone"]
    assert [row["error"] for row in rows] == [row["error"] for row in answer["rows"]]
    for row, shown in zip(rows, answer["rows"], strict=True):
        names = [genre["name"] for genre in shown["predicted"]]
        assert sorted(names) == sorted(filter(None, row["predicted"].split("|")))
        for genre in shown["predicted"]:
            assert float(row[genre["name"]]) == pytest.approx(genre["probability"], abs=1e-6)


def tables() -> dict[str, bytes]:
    """Return one table in several formats, whose names are not those of the model."""
    rows = [{"Show ID": "s 1", "Movie Title": "Tide, The", "Overview": "Ä keeper.", "YEAR": 1990}]
    text = 'Show ID;Movie Title;Overview;YEAR\r\ns 1;"Tide, The";Ä keeper.;1990\r\n'
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return {
        "cp1252.txt": text.encode("cp1252"),
        "utf-16.tsv": text.replace(";", "\t").encode("utf-16"),
        "movies.json": json.dumps(rows).encode(),
        "movies.csv.gz": gzip.compress(text.encode()),
        "movies.parquet": file.getvalue(),
    }


@pytest.mark.parametrize("name", tables())
def test_a_table_has_any_format_and_its_ids_are_kept(page: httpx.Client, name: str) -> None:
    answer = post_table(page, tables()[name], name)
    [row] = answer["rows"]
    assert (row["tconst"], row["title"], row["error"], row["note"]) == ("s 1", "The Tide", "", "")
    [downloaded] = csv.DictReader(io.StringIO(answer["csv"]))
    assert (downloaded["tconst"], downloaded["title"]) == ("s 1", "The Tide")
    movie = {"title": "The Tide", "plot": "Ä keeper.", "year": 1990}
    [wanted] = page.post("/api/predict", json=movie).json()["genres"][:1]
    assert float(downloaded[wanted["name"]]) == pytest.approx(wanted["probability"], abs=1e-6)


def test_messages_have_the_name_of_the_file(page: httpx.Client) -> None:
    answer = page.post("/api/table", params={"name": "a\n.pdf"}, content=b"%PDF-1.7\n")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("a\\n.pdf: expected a table, got a PDF document")


def test_a_table_that_decompresses_to_too_many_characters_is_refused(page: httpx.Client) -> None:
    row = "x" * (MAX_TABLE_CHARACTERS // 900) + "\n"
    content = gzip.compress(b"title\n" + 1000 * row.encode())
    assert len(content) < MAX_BODY_BYTES
    answer = page.post("/api/table", content=content)
    assert answer.status_code == 413
    assert "the movies of the table are too long" in answer.json()["error"]


def test_columns_of_a_table_that_are_not_read_are_named(page: httpx.Client) -> None:
    answer = post_table(page, "Title,polt\nA,b\n")
    assert answer["note"] == "the table: these columns are not read: 'polt' (did you mean plot?)"
    assert [row["title"] for row in answer["rows"]] == ["A"]


def test_the_columns_of_the_table_are_the_genres_of_the_server(tmp_path: Path) -> None:
    genres = ("Космос", "Cowboys, etc.", "Heist")
    with (
        serve_tiny_model(tmp_path, genres=genres) as server,
        Client(server.grpc_address) as client,
    ):
        result = predict_table(client, "a", b"title,year\nA\nB,1927\n")
        first, second = csv.DictReader(io.StringIO(result["csv"]))
        assert list(second) == [*TABLE_COLUMNS, *genres, "error", "note"]
        assert {first[name] for name in genres} == {""}
        assert all(0 < float(second[name]) < 1 for name in genres)
        invalid = predict_table(client, "a", b"title,year\nA\n")["csv"]
        assert invalid.startswith("row,tconst,title,predicted,warnings,error,note\n1,")


def test_a_table_from_a_spreadsheet_is_accepted(page: httpx.Client) -> None:
    for delimiter in "\t;":
        text = f"title{delimiter}year\nA{delimiter}1927\n"
        answer = post_table(page, text)
        assert [(row["title"], row["error"]) for row in answer["rows"]] == [("A", "")]


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        ("predict", b'{"year": "last"}', 400, "year: expected a year"),
        ("predict", b'{"titel": "A"}', 400, "titel"),
        ("predict", b"{", 400, "not valid JSON"),
        ("predict", b"[" * 100_000, 400, "not valid JSON"),
        ("explain", b"[]", 400, "expected a JSON object with the fields of a movie"),
        ("predict", b'{"plot": "\\ud800"}', 400, "not valid UTF-8"),
        ("predict", b" " * (MAX_BODY_BYTES + 1), 413, "larger than 4 MB"),
        ("table", b" " * (MAX_BODY_BYTES + 1), 413, "larger than 4 MB. Use the command `ordained"),
        ("table", b" \n", 400, "the table is empty"),
        ("table", b"title", 400, "the table has no movies"),
        ("table", b"titel\nA", 400, "got 'titel' (did you mean title?)"),
    ],
)
def test_invalid_requests_return_an_error(
    page: httpx.Client, path: str, content: bytes, status: int, error: str
) -> None:
    answer = page.post(f"/api/{path}", content=content)
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_each_wrong_field_has_a_reason(page: httpx.Client) -> None:
    movie = {"title": "A", "year": "3025", "runtime_minutes": -5, "average_rating": 11}
    answer = page.post("/api/predict", json={**movie, "num_votes": "1,234,567"})
    assert answer.status_code == 400
    assert answer.json()["fields"].keys() == movie.keys() - {"title"}
    assert answer.json()["fields"]["average_rating"] == "expected a rating from 0 to 10, got 11"


def test_the_number_of_table_rows_is_limited(page: httpx.Client) -> None:
    answer = page.post("/api/table", content="title\n" + "A\n" * 1001)
    assert answer.status_code == 400
    assert "more than 1,000 movies" in answer.json()["error"]


def test_the_page_loads_only_its_own_files(page: httpx.Client) -> None:
    answer = page.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    for name in re.findall(r'(?:src|href)="([^"#:]+)"', answer.text):
        assert page.get(f"/{name}").status_code == 200
    for file in PAGE_DIRECTORY.iterdir():
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+\.\w", file.read_text())


def test_the_page_knows_the_largest_file() -> None:
    megabytes = MAX_BODY_BYTES >> 20
    script, html = ((PAGE_DIRECTORY / name).read_text() for name in ("page.js", "index.html"))
    assert f"MAX_FILE_BYTES = {megabytes} << 20;" in script
    assert f"larger than {megabytes} MB" in script
    assert f"{megabytes} MB" in html


def test_the_form_has_a_labelled_control_for_each_input_of_the_model() -> None:
    html = (PAGE_DIRECTORY / "index.html").read_text()
    form = html[html.index('<form id="movie-form"') : html.index("</form>")]
    assert sorted(re.findall(r' name="(\w+)"', form)) == sorted(raw.MODEL_INPUTS)
    for name in raw.MODEL_INPUTS:
        assert f'<label for="{name}">' in form
        assert f'id="{name}" name="{name}"' in form


def test_an_unavailable_model_server_is_reported_until_it_is_back(tmp_path: Path) -> None:
    with serve_tiny_model(tmp_path) as tiny_server:
        port = tiny_server.server.rest_port
        with run_web_page(["--rest-url", tiny_server.rest_url, "--model-name", "other"]) as url:
            answer = httpx.get(f"{url}/api/status")
            assert answer.status_code == 503
            assert "other" in answer.json()["error"]
            assert httpx.post(f"{url}/api/predict", json={}).status_code == 502
    with run_web_page(["--rest-url", f"http://127.0.0.1:{port}"]) as url:
        for answer in (httpx.get(f"{url}/api/status"), httpx.post(f"{url}/api/predict", json={})):
            assert answer.status_code == 503
            assert f"http://127.0.0.1:{port}" in answer.json()["error"]
        with serve_tiny_model(tmp_path, rest_port=port):
            assert httpx.get(f"{url}/api/status", timeout=60).json()["version"] == "3"
            assert httpx.post(f"{url}/api/predict", json={}, timeout=60).status_code == 200


def test_a_port_in_use_is_an_error(page: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--port", str(page.base_url.port)]) == 75
    assert f"127.0.0.1:{page.base_url.port}: Address already in use" in capsys.readouterr().err


def test_sigterm_stops_the_page(tiny_server: TinyServer) -> None:
    command = [
        sys.executable,
        "-m",
        "cli",
        "web",
        "--port",
        "0",
        "--grpc",
        tiny_server.grpc_address,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("web page on http://127.0.0.1:")
        process.terminate()
        assert process.wait(30) == 0


EARLY = """
import os, signal, sys
import uvicorn
from cli.app import main

class Ends:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))

run = uvicorn.Server.run

def run_late(server, sockets):
    Ends()
    run(server, sockets)

uvicorn.Server.run = run_late
sys.exit(main(["web", *sys.argv[1:]]))
"""
"""Sends a signal before uvicorn handles signals, where Python ignores exceptions."""


def test_a_signal_before_uvicorn_starts_is_not_lost(tiny_server: TinyServer) -> None:
    command = [sys.executable, "-c", EARLY, "--port", "0", "--grpc", tiny_server.grpc_address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_requests_run_in_parallel(page: httpx.Client) -> None:
    def ask(number: int) -> list[str]:
        explanation = page.post("/api/explain", json={"title": f"Movie {number}"}).json()
        return [part["text"] for part in explanation["parts"]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(32))) == [["", "movie", str(n)] for n in range(32)]


def test_a_long_request_does_not_block_others(page: httpx.Client) -> None:
    plot = " ".join(f"word{number}" for number in range(400))
    answered = 0
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(page.post, "/api/explain", json={"plot": plot})
        while not long.done():
            assert page.post("/api/predict", json=MOVIE).status_code == 200
            answered += 1
        assert len(long.result().json()["parts"]) + long.result().json()["skipped_parts"] == 401
    # Up to two requests may run before and after the long one.
    assert answered > 2
