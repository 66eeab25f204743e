"""`ordained serve`: the choice of the server, its start and its errors.

Shell scripts replace the commands of Docker and TensorFlow Serving.
"""

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
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def write_script(file: Path, *lines: str) -> None:
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)


def free_ports() -> list[int]:
    """Return three free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports


def test_the_first_available_server_is_chosen(path: Path) -> None:
    assert launch.choose_server() == "embedded"
    write_script(path / "docker", 'echo "Cannot connect to the Docker daemon" >&2', "exit 1")
    assert launch.choose_server() == "embedded"
    write_script(path / "docker", "echo 27.1")
    assert launch.choose_server() == "docker"
    write_script(path / launch.BINARY)
    assert launch.choose_server() == "binary"


def test_no_pushed_model_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / SERVING_DIRECTORY / MODEL_NAME
    (base / ".staging").mkdir(parents=True)
    assert main(["serve", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {base}: no model has been pushed yet. Run `ordained run` first.\n"


def test_a_used_port_is_an_error(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--output", str(output), "--port", str(port)]) == 75
    assert capsys.readouterr().err == (
        f"error: gRPC cannot listen on 127.0.0.1:{port}: Address already in use. Stop the process "
        "that listens there, or choose another port.\n"
    )


def test_a_missing_server_is_an_error(
    output: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = zip(("--port", "--rest-api-port", "--web-port"), map(str, free_ports()), strict=True)
    flags = [part for pair in options for part in pair]
    assert main(["serve", "--output", str(output), "--server", "binary", *flags]) == 2
    assert capsys.readouterr().err == (
        f"error: {launch.BINARY} is not on the PATH. Install it, or use the embedded server with "
        "--server embedded.\n"
    )


def test_an_unwritable_log_is_an_error(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SERVING_DIRECTORY).symlink_to(output / SERVING_DIRECTORY)
    (tmp_path / "logs").touch()
    numbers = [str(port) for port in free_ports()]
    options = zip(("--port", "--rest-api-port", "--web-port"), numbers, strict=True)
    flags = [part for pair in options for part in pair]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        assert main(["serve", "--output", str(tmp_path), "--server", "embedded", *flags]) == 2
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/logs/serve-{numbers[0]}.log: cannot be written: File exists\n"
    )


def test_the_docker_command_has_volumes_and_ports() -> None:
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
    """The lines that `ordained serve` prints when it starts. It is stopped after the test."""
    if request.param == "binary":
        write_script(path / launch.BINARY, f'exec "{sys.executable}" -m serving.server "$@"')
    grpc_port, rest, web = free_ports()
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
    ("launched", "first_line"),
    [
        ("embedded", "starting the embedded server …"),
        ("binary", "starting TensorFlow Serving (tensorflow_model_server) …"),
    ],
    indirect=["launched"],
)
def test_the_server_and_its_addresses_are_printed(launched: list[str], first_line: str) -> None:
    assert launched[0] == first_line
    addresses = dict(line.split(maxsplit=1) for line in launched[1:])
    with urllib.request.urlopen(addresses["REST"]) as response:
        [status] = json.load(response)["model_version_status"]
    assert (status["version"], status["state"]) == ("1", "AVAILABLE")
    with urllib.request.urlopen(addresses["metrics"]) as response:
        assert b":tensorflow:serving:request_count" in response.read()
    host, _, port = addresses["gRPC"].partition(":")
    socket.create_connection((host, int(port))).close()
    assert Path(addresses["log"]).is_file()


def test_the_end_of_the_server_is_reported(
    output: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_script(path / launch.BINARY, "echo first", "echo the last word", "exit 3")
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        numbers = [str(port) for port in free_ports()]
        options = zip(("--port", "--rest-api-port", "--web-port"), numbers, strict=True)
        flags = [part for pair in options for part in pair]
        assert main(["serve", "--output", str(output), *flags]) == 1
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    error = capsys.readouterr().err
    log = output / "logs" / f"serve-{numbers[0]}.log"
    assert error == (
        f"the server ended. Its last output:\n  first\n  the last word\nSee {log} for all of it.\n"
    )
