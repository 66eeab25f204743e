"""`ordained predict` with the embedded server, over gRPC and REST."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from cli.app import main as ordained
from schema.genres import GENRES
from serving.client import predict
from tests.data.tiny_model import Tensors, save_tiny_model
from tests.data.tiny_server import TinyServer, serve_tiny_model


def main(arguments: list[str]) -> int:
    return ordained(["predict", *arguments])


MOVIE = ["--title", "The Lighthouse", "--plot", "A keeper counts ships.", "--year", "1927"]


@pytest.mark.parametrize("protocol", [0, 1], ids=["grpc", "rest"])
def test_a_movie_from_flags(
    tiny_server: TinyServer, protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server = tiny_server.addresses[protocol]
    assert main([*MOVIE, "--server", server, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    movie = {"title": "The Lighthouse", "plot": "A keeper counts ships.", "year": 1927}
    [prediction] = predict([movie], server)
    assert result["probabilities"] == pytest.approx(
        {genre.name: genre.probability for genre in prediction.genres}, abs=2e-6
    )
    assert list(result["probabilities"]) == list(GENRES)
    assert result["predicted"] == list(prediction.predicted_genres)
    assert main([*MOVIE, "--server", server]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["genre", "probability", "threshold", "predicted"]
    best = prediction.ranked[0]
    assert lines[1].split()[:3] == [best.name, f"{best.probability:.3f}", "0.500"]
    assert lines[1].split()[-1] == "yes"
    assert len(lines) >= len(GENRES) + 2


def test_a_plot_in_an_unfamiliar_language_is_named(
    tiny_server: TinyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plots = [
        "Un gardien compte les bateaux et les étoiles.",
        "A keeper counts the ships.",
        "守望者數船",
    ]
    server = ["--server", tiny_server.addresses[0]]
    output = tmp_path / "genres.csv"
    for plot, warnings in zip(plots, (1, 0, 1), strict=True):
        assert main(["--plot", plot, *server]) == 0
        assert capsys.readouterr().err.count("few plots in the language") == warnings
    file = tmp_path / "movies.jsonl"
    file.write_text("".join(json.dumps({"plot": plot}) + "\n" for plot in plots))
    assert main([str(file), *server]) == 0
    shown = capsys.readouterr()
    assert "2 with a warning" in shown.err
    marked = [line.endswith("(unfamiliar language)") for line in shown.out.splitlines()[1:]]
    assert marked == [True, False, True]
    assert main([str(file), "--output", str(output), *server]) == 0
    assert "2 with a warning" in capsys.readouterr().out
    with output.open(newline="") as lines:
        warned = [row["warnings"] for row in csv.DictReader(lines)]
    assert warned == ["unfamiliar language", "", "unfamiliar language"]
    assert main([str(file), "--json", *server]) == 0
    results = map(json.loads, capsys.readouterr().out.splitlines())
    assert [result["warnings"] for result in results] == [[name] if name else [] for name in warned]


def test_an_older_model_tells_neither_thresholds_nor_known_words(tmp_path: Path) -> None:
    def without_new_outputs(features: Tensors, outputs: Tensors) -> Tensors:
        return {name: outputs[name] for name in ("genres", "probabilities", "predicted")}

    save_tiny_model(tmp_path / "movie_genres" / "3", serving_default=without_new_outputs)
    with serve_tiny_model(tmp_path) as server:
        for address in server.addresses:
            [prediction] = predict([{"title": "A", "plot": "Vxq zrrt ü."}], address)
            assert (prediction.known_words, prediction.warnings) == (1.0, {})
            assert {genre.threshold for genre in prediction.genres} == {None}


def test_a_plot_with_unknown_words_has_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_known_words(features: Tensors, outputs: Tensors) -> Tensors:
        length = tf.cast(tf.strings.length(features["plot"]), tf.float32)
        return outputs | {"known_words": 1 / length}

    save_tiny_model(tmp_path / "movie_genres" / "3", serving_default=with_known_words)
    with serve_tiny_model(tmp_path) as server:
        for address in server.addresses:
            movies = [{"plot": "xyz", "year": 1927}, {"plot": "xy"}, {"plot": "x"}]
            predictions = predict(movies, address)
            assert [p.known_words for p in predictions] == pytest.approx([1 / 3, 1 / 2, 1])
            assert [list(p.warnings) for p in predictions] == [["unknown words"], [], []]
        assert main(["--plot", "xyzxyz", "--server", server.grpc_address]) == 0
        assert "knows only 17% of the words" in capsys.readouterr().err


def test_a_title_alone_has_a_warning(
    tiny_server: TinyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for server in tiny_server.addresses:
        title, empty, both = predict([{"title": "A"}, {}, {"title": "A", "year": 1927}], server)
        assert list(title.warnings) == ["title alone"]
        assert (empty.warnings, both.warnings) == ({}, {})
        assert {genre.threshold for genre in title.genres} == {0.5}
    assert main(["--title", "A", "--server", tiny_server.addresses[0]]) == 0
    assert capsys.readouterr().err.startswith("Only the title of this movie is known")


def test_both_protocols_agree(tiny_server: TinyServer) -> None:
    movies = [{"title": f"Movie {n}", "cast": ["A"] * n, "num_votes": n * 10} for n in range(100)]
    grpc_predictions, rest_predictions = (
        predict(movies, server) for server in tiny_server.addresses
    )
    assert len(grpc_predictions) == 100
    for by_grpc, by_rest in zip(grpc_predictions, rest_predictions, strict=True):
        assert by_grpc.predicted_genres == by_rest.predicted_genres
        assert [genre.probability for genre in by_grpc.genres] == pytest.approx(
            [genre.probability for genre in by_rest.genres], abs=1e-6
        )


@pytest.mark.parametrize("protocol", [0, 1], ids=["grpc", "rest"])
def test_the_status_of_the_model(
    tiny_server: TinyServer, protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server = tiny_server.addresses[protocol]
    assert main(["--status", "--server", server]) == 0
    assert capsys.readouterr().out == f"movie_genres on {server}\nversion 3  available\n"


@pytest.mark.parametrize("protocol", [0, 1], ids=["grpc", "rest"])
def test_an_unknown_version_label_or_model_is_an_error(
    tiny_server: TinyServer, protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server = tiny_server.addresses[protocol]
    for options in (["--model-version", "50"], ["--model", "other"], ["--model-label", "stable"]):
        assert main([*MOVIE, "--server", server, *options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: the server ")
        assert error.count("\n") == 1


@pytest.mark.parametrize("server", ["127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_server_that_does_not_answer_is_an_error(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*MOVIE, "--server", server]) == 75
    assert capsys.readouterr().err == (
        f"error: no server answers at {server}. `ordained serve` starts one.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected exactly one of: a FILE of movies"),
        (["--title", "A", "--status"], "expected exactly one of: a FILE of movies"),
        (["--year", "last"], "year: expected a year from 1870 to "),
        (["--title", "A", "--output", "x.csv"], "--output and --keep need a FILE"),
        (["movies.csv", "--resume"], "--resume and --rejects need --output FILE"),
        (["--title", "A", "--server", "somewhere"], "somewhere: expected HOST:PORT"),
        (["--title", "A", "--server", "http://"], "http://: expected http://HOST:PORT"),
        (["--title", "A", "--model-version", "1", "--model-label", "a"], "a version or a label"),
        (["--title", "A", "--timeout", "0"], "timeout: expected more than 0 seconds, got 0"),
    ],
)
def test_a_user_error_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["--requests", "--rows-per-request"])
@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_counts_are_at_least_one(
    option: str, count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["movies.csv", option, count]) == 2
    assert capsys.readouterr().err.startswith(f"error: Invalid value for '{option}'")


def test_predictions_of_a_file_are_printed(
    tiny_server: TinyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movies = tmp_path / "movies.txt"
    movies.write_text(
        '{"tconst": "tt1", "title": "A", "polt": ""}\n{"year": \n{"title": "B", "year": 57}\n'
    )
    assert main([str(movies), "--server", tiny_server.grpc_address]) == 3
    printed = capsys.readouterr()
    assert [line.split()[:3] for line in printed.out.splitlines()] == [
        ["row", "movie", "predicted"],
        ["1", "tt1", "A"],
        ["3", "B", printed.out.splitlines()[2].split()[2]],
    ]
    note, row, value, counts = printed.err.splitlines()
    assert note == f"{movies}: these columns are not read: 'polt' (did you mean plot?)"
    assert row == f"{movies}: row 2 (line 2): invalid JSON"
    assert value.startswith(f"{movies}: row 3 (line 3): year: expected a year from 1870 to ")
    assert value.endswith(", got '57'")
    assert counts == (
        f"{movies}: 3 rows (JSON lines, ASCII), 2 predicted (2 with a warning), 1 rejected, "
        "1 value not understood"
    )
    assert main([str(movies), "--server", tiny_server.grpc_address, "--json"]) == 3
    assert [json.loads(line)["row"] for line in capsys.readouterr().out.splitlines()] == [1, 3]


def test_values_that_are_not_understood_do_not_change_the_exit_status(
    tiny_server: TinyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movies, output = tmp_path / "movies.csv", tmp_path / "genres.csv"
    movies.write_text("Movie_Title|Year\nTide|abc\nReef|1990\n")
    arguments = [str(movies), "--server", tiny_server.grpc_address, "--output", str(output)]
    assert main(arguments) == 0
    assert capsys.readouterr() == (
        f"{output}: 2 rows (CSV with pipes, ASCII), 2 predicted (1 with a warning), 0 rejected, "
        f"1 value not understood. {output}.rejects lists them.\n",
        "",
    )
    movies.write_text("Movie_Title|Year\nTide|\\N\nReef|1990\n\n")
    assert main(arguments) == 0
    assert capsys.readouterr().out == (
        f"{output}: 2 rows (CSV with pipes, ASCII), 2 predicted (1 with a warning), 0 rejected, "
        "1 blank line skipped\n"
    )
    assert not Path(f"{output}.rejects").exists()


def test_rows_that_are_too_long_for_the_server_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movies = tmp_path / "movies.jsonl"
    sizes = [1, 300_000, 300_000, 300_000, 300_000, 2_000_000, 1]
    movies.write_text("\n".join(json.dumps({"plot": "a" * size}) for size in sizes))
    with serve_tiny_model(tmp_path, max_request_bytes=1 << 20) as server_with_small_limit:
        for server in server_with_small_limit.addresses:
            assert main([str(movies), "--server", server, "--json"]) == 3
            printed = capsys.readouterr()
            rows = [json.loads(line)["row"] for line in printed.out.splitlines()]
            assert rows == [1, 2, 3, 4, 5, 7]
            assert printed.err.startswith(f"{movies}: row 6 (line 6): the server at {server} ")


def test_predictions_need_no_tensorflow() -> None:
    code = (
        "import sys, cli.app, serving.client.grpc_transport\n"
        "assert not any(name.startswith('tensorflow') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
