"""The page's application in its own process, in front of the embedded server."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cli.app import main
from schema import features as raw
from schema.genres import GENRES
from serving.client import predict
from serving.web.app import LARGEST_BODY, PAGE
from tests.data.tiny_server import Served, running_page, serving_tiny_model

MOVIE = {"title": "The Lighthouse", "plot": "A keeper counts ships.", "cast": ["A", "B"]}


@pytest.fixture(scope="module", params=["grpc", "rest"])
def page(request: pytest.FixtureRequest, served: Served) -> Iterator[httpx.Client]:
    options = ["--grpc", served.grpc] if request.param == "grpc" else ["--rest-url", served.rest]
    with running_page(options) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_the_status_names_model_and_version(page: httpx.Client) -> None:
    answer = page.get("/api/status")
    assert answer.status_code == 200
    assert answer.json() == {"model": "movie_genres", "version": "3", "error": ""}


def test_a_movie_is_answered(page: httpx.Client, served: Served) -> None:
    genres = page.post("/api/predict", json=MOVIE).json()["genres"]
    [wanted] = predict([MOVIE], served.grpc)
    assert [genre["name"] for genre in genres] == [genre.name for genre in wanted.ranked]
    assert [genre["probability"] for genre in genres] == pytest.approx(
        [genre.probability for genre in wanted.ranked], abs=1e-6
    )
    assert tuple(g["name"] for g in genres if g["predicted"]) == tuple(
        genre.name for genre in wanted.ranked if genre.predicted
    )


def test_a_movie_is_explained(page: httpx.Client) -> None:
    told = page.post("/api/explain", json=MOVIE).json()
    assert told["genres"] == list(GENRES)
    assert told["untried"] == 0
    assert [(part["field"], part["text"]) for part in told["parts"]] == [
        *((name, "") for name in MOVIE),
        *(("cast", name) for name in "AB"),
        *(("title", word) for word in ("the", "lighthouse")),
        *(("plot", word) for word in ("a", "keeper", "counts", "ships")),
    ]
    assert {len(part["effects"]) for part in told["parts"]} == {len(GENRES)}


def test_a_table_is_answered(page: httpx.Client) -> None:
    text = 'title,year,plot\nA,1927,"x, y"\nB,last,\nC,,\n'
    told = page.post("/api/table", json={"csv": text}).json()
    assert [row["error"] for row in told["rows"]] == [
        "",
        "year: expected a number, got 'last'",
        "",
    ]
    assert [row["title"] for row in told["rows"]] == ["A", "", "C"]
    rows = list(csv.DictReader(io.StringIO(told["csv"])))
    assert list(rows[0]) == ["row", "title", "predicted", *GENRES, "error"]
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    assert [row["error"] for row in rows] == [row["error"] for row in told["rows"]]
    for row, shown in zip(rows, told["rows"], strict=True):
        names = [genre["name"] for genre in shown["predicted"]]
        assert sorted(names) == sorted(filter(None, row["predicted"].split("|")))
        for genre in shown["predicted"]:
            assert float(row[genre["name"]]) == pytest.approx(genre["probability"], abs=1e-6)


def test_a_table_from_a_spreadsheet_is_read(page: httpx.Client) -> None:
    for delimiter in "\t;":
        text = f"title{delimiter}year\nA{delimiter}1927\n"
        told = page.post("/api/table", json={"csv": text}).json()
        assert [(row["title"], row["error"]) for row in told["rows"]] == [("A", "")]


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        ("predict", b'{"year": "last"}', 400, "year: expected a number, got 'last'"),
        ("predict", b'{"titel": "A"}', 400, "titel: unknown field. Did you mean title?"),
        ("predict", b"{", 400, "the request is not JSON"),
        ("predict", b"[" * 100_000, 400, "the request is not JSON"),
        ("explain", b"[]", 400, "expected a JSON object with the fields of a movie"),
        ("predict", b'{"plot": "\\ud800"}', 400, "plot: is not valid UTF-8"),
        ("predict", b" " * (LARGEST_BODY + 1), 413, "that is too much text: at most 4 MB"),
        ("table", b'{"csv": 7}', 400, 'expected {"csv": "..."}'),
        ("table", b'{"csv": " "}', 400, "the table is empty: paste a header"),
        ("table", b'{"csv": "title"}', 400, "the table has a header and no movies"),
        ("table", b'{"csv": "titel\\nA"}', 400, "the table: column 'titel': unknown field."),
    ],
)
def test_a_mistake_is_told_in_plain_words(
    page: httpx.Client, path: str, content: bytes, status: int, error: str
) -> None:
    answer = page.post(f"/api/{path}", content=content)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_table_has_a_limit(page: httpx.Client) -> None:
    answer = page.post("/api/table", json={"csv": "title\n" + "A\n" * 1001})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the table has more than 1,000 movies")


def test_the_page_needs_nothing_but_itself(page: httpx.Client) -> None:
    answer = page.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    for name in re.findall(r'(?:src|href)="([^"#:]+)"', answer.text):
        assert page.get(f"/{name}").status_code == 200
    for file in PAGE.iterdir():
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+\.\w", file.read_text())


def test_the_form_has_a_labelled_control_for_each_input_of_the_model() -> None:
    html = (PAGE / "index.html").read_text()
    form = html[html.index('<form id="movie"') : html.index("</form>")]
    assert sorted(re.findall(r' name="(\w+)"', form)) == sorted(raw.MODEL_INPUTS)
    for name in raw.MODEL_INPUTS:
        assert f'<label for="{name}">' in form
        assert f'id="{name}" name="{name}"' in form


def test_a_server_that_is_away_is_told_and_found_again(tmp_path: Path) -> None:
    with serving_tiny_model(tmp_path) as served:
        port = served.server.rest_port
        with running_page(["--rest-url", served.rest, "--model-name", "other"]) as url:
            answer = httpx.get(f"{url}/api/status")
            assert answer.status_code == 503
            assert "other" in answer.json()["error"]
            assert httpx.post(f"{url}/api/predict", json={}).status_code == 502
    with running_page(["--rest-url", f"http://127.0.0.1:{port}"]) as url:
        wanted = f"no server answers at http://127.0.0.1:{port}. Is it running?"
        for answer in (httpx.get(f"{url}/api/status"), httpx.post(f"{url}/api/predict", json={})):
            assert answer.status_code == 503
            assert answer.json()["error"] == wanted
        with serving_tiny_model(tmp_path, rest_port=port):
            assert httpx.get(f"{url}/api/status", timeout=60).json()["version"] == "3"
            assert httpx.post(f"{url}/api/predict", json={}, timeout=60).status_code == 200


def test_a_taken_port_is_told(page: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--port", str(page.base_url.port)]) == 75
    assert capsys.readouterr().err == (
        f"error: the web page cannot listen on 127.0.0.1:{page.base_url.port}: Address already in "
        "use. Choose another address or port.\n"
    )
    assert main(["web", "--port", "65536"]) == 2
    assert "cannot listen on 127.0.0.1:65536: " in capsys.readouterr().err


def test_sigterm_ends_it(served: Served) -> None:
    command = [sys.executable, "-m", "cli", "web", "--port", "0", "--grpc", served.grpc]
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
"""A signal before uvicorn looks for one, at a place where Python ignores exceptions."""


def test_a_signal_that_comes_early_is_not_lost(served: Served) -> None:
    command = [sys.executable, "-c", EARLY, "--port", "0", "--grpc", served.grpc]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_people_are_answered_at_once(page: httpx.Client) -> None:
    def ask(number: int) -> list[str]:
        told = page.post("/api/explain", json={"title": f"Movie {number}"}).json()
        return [part["text"] for part in told["parts"]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(32))) == [["", "movie", str(n)] for n in range(32)]


def test_a_long_request_keeps_nobody_waiting(page: httpx.Client) -> None:
    plot = " ".join(f"word{number}" for number in range(400))
    answered = 0
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(page.post, "/api/explain", json={"plot": plot})
        while not long.done():
            assert page.post("/api/predict", json=MOVIE).status_code == 200
            answered += 1
        assert len(long.result().json()["parts"]) + long.result().json()["untried"] == 401
    # One could be answered before the long request, and one after it.
    assert answered > 2
