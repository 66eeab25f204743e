"""`make serve`: which server is started, and that it is, with commands that stand in for others."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.app import main
from schema.names import MODEL_NAME, SERVING_DIRECTORY
from serving import launch
from tests.data.tiny_model import save_tiny_model


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("output")
    save_tiny_model(output / SERVING_DIRECTORY / MODEL_NAME / "1")
    return output


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(file: Path, *lines: str) -> None:
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)


def ports() -> list[int]:
    """Three that are free."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [one.getsockname()[1] for one in found]
    for one in found:
        one.close()
    return numbers


def test_the_first_that_is_there_is_chosen(path: Path) -> None:
    assert launch.choose_server() == "embedded"
    script(path / "docker", 'echo "Cannot connect to the Docker daemon" >&2', "exit 1")
    assert launch.choose_server() == "embedded"
    script(path / "docker", "echo 27.1")
    assert launch.choose_server() == "docker"
    script(path / launch.BINARY)
    assert launch.choose_server() == "binary"


def test_nothing_pushed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / SERVING_DIRECTORY / MODEL_NAME
    (base / ".staging").mkdir(parents=True)
    assert main(["serve", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {base}: no model has been pushed yet. Run `ordained run` first.\n"


def test_a_port_that_is_taken(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--output", str(output), "--port", str(port)]) == 75
    assert capsys.readouterr().err == (
        f"error: gRPC cannot listen on 127.0.0.1:{port}: Address already in use. Choose another "
        "address or port.\n"
    )


def test_a_log_that_cannot_be_written(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SERVING_DIRECTORY).symlink_to(output / SERVING_DIRECTORY)
    (tmp_path / "logs").touch()
    options = zip(("--port", "--rest-api-port", "--web-port"), map(str, ports()), strict=True)
    flags = [part for pair in options for part in pair]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        assert main(["serve", "--output", str(tmp_path), "--server", "embedded", *flags]) == 2
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/logs/serve.log: cannot be written: File exists\n"
    )


def test_the_image_gets_its_folders_and_ports() -> None:
    address = launch.Address("127.0.0.1", 1, 2, 3, Path("/pushed"))
    assert launch.server_command("docker", address) == [
        *("docker", "run", "--rm", "--init", "-p", "127.0.0.1:1:8500", "-p", "127.0.0.1:2:8501"),
        *("-v", "/pushed:/models/movie_genres:ro"),
        *("-v", f"{launch.PARAMETERS_DIRECTORY}:/parameters:ro"),
        *("-e", "MODEL_NAME=movie_genres", "tensorflow/serving", "--enable_batching=true"),
        "--batching_parameters_file=/parameters/batching.config",
        "--monitoring_config_file=/parameters/monitoring.config",
    ]


@pytest.fixture
def launched(output: Path, path: Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """What `make serve` prints until it serves; it is ended after the test."""
    if request.param == "binary":
        script(path / launch.BINARY, f'exec "{sys.executable}" -m serving.server "$@"')
    grpc_port, rest, web = ports()
    arguments = ["--output", str(output), "--port", str(grpc_port), "--rest-api-port", str(rest)]
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", *arguments, "--web-port", str(web)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Press Ctrl-C"):
                break
        try:
            yield lines
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("launched", "words"),
    [
        ("embedded", "starting the embedded server …"),
        ("binary", "starting TensorFlow Serving (tensorflow_model_server) …"),
    ],
    indirect=["launched"],
)
def test_it_says_what_it_starts_and_where(launched: list[str], words: str) -> None:
    assert launched[0] == words
    found = dict(line.split(maxsplit=1) for line in launched[1:])
    with urllib.request.urlopen(found["REST"]) as answer:
        [status] = json.load(answer)["model_version_status"]
    assert (status["version"], status["state"]) == ("1", "AVAILABLE")
    with urllib.request.urlopen(found["metrics"]) as answer:
        assert b":tensorflow:serving:request_count" in answer.read()
    host, _, port = found["gRPC"].partition(":")
    socket.create_connection((host, int(port))).close()
    assert Path(found["log"]).is_file()


def test_a_server_that_ends_is_told(
    output: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script(path / launch.BINARY, "echo first", "echo the last word", "exit 3")
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        numbers = [str(port) for port in ports()]
        options = zip(("--port", "--rest-api-port", "--web-port"), numbers, strict=True)
        flags = [part for pair in options for part in pair]
        assert main(["serve", "--output", str(output), *flags]) == 1
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    error = capsys.readouterr().err
    log = output / "logs" / "serve.log"
    assert error == f"the server ended: the last word\nSee {log} for all of its output.\n"
