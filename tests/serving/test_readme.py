"""What README.md and docs/client.md say of asking a server is run against one."""

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from cli.app import main
from schema.genres import GENRES
from tests.data.tiny_server import TinyServer

PROJECT = Path(__file__).parents[2]
DOCUMENTS = (PROJECT / "README.md", PROJECT / "docs" / "client.md")


def block(language: str, beginning: str) -> str:
    """The one code block that has a line with this beginning."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    (found,) = [text for text in blocks if f"\n{beginning}" in f"\n{text}"]
    return str(found)


def with_addresses(text: str, tiny_server: TinyServer) -> str:
    for usual, actual in {
        "http://localhost:8501": tiny_server.rest_url,
        "localhost:8500": tiny_server.grpc_address,
        "python -m": f"{shlex.quote(sys.executable)} -m",
    }.items():
        text = text.replace(usual, actual)
    return text


def run(script: str, folder: Path) -> str:
    return subprocess.run(
        ["bash", "-euc", script], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_the_example_for_curl(tiny_server: TinyServer, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("README's example for curl was NOT run: install curl")
    answer = json.loads(run(with_addresses(block("sh", "curl "), tiny_server), tmp_path))
    (movie,) = answer["predictions"]
    assert movie["genres"] == list(GENRES)
    assert len(movie["probabilities"]) == len(movie["predicted"]) == len(GENRES)


def test_the_example_for_grpcurl(
    tiny_server: TinyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without grpcurl on the machine, the request that it would send is sent through the stub."""
    (tmp_path / "output").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    script = with_addresses(block("sh", "grpcurl "), tiny_server)
    if shutil.which("grpcurl"):
        answer: dict[str, Any] = json.loads(run(script, tmp_path))
    else:
        # A function of the shell in its place, which prints what grpcurl reads.
        request = json_format.Parse(
            run(f"grpcurl() {{ cat; }}\n{script}", tmp_path), predict_pb2.PredictRequest()
        )
        with grpc.insecure_channel(tiny_server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answer = json_format.MessageToDict(stub.Predict(request))
    assert len(answer["outputs"]["probabilities"]["floatVal"]) == len(GENRES)
    assert answer["modelSpec"]["version"] == "3"
    described = descriptor_pb2.FileDescriptorSet.FromString(
        (tmp_path / "output" / "serving.protoset").read_bytes()
    )
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    service = pool.FindServiceByName("tensorflow.serving.PredictionService")
    method = service.methods_by_name["Predict"]
    fields = method.input_type.fields_by_name
    assert set(fields) == {"model_spec", "inputs", "output_filter"}


def test_the_example_for_the_command_line(
    tiny_server: TinyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = block("sh", "ordained predict").splitlines()[0]
    assert main([*shlex.split(first)[1:], "--server", tiny_server.grpc_address]) == 0
    assert "predicted: " in capsys.readouterr().out


def test_the_example_in_python(tiny_server: TinyServer) -> None:
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(with_addresses(block("python", "from serving.client import"), tiny_server), {})
    assert told.getvalue().startswith("('")
    assert "Genre(name='" in told.getvalue()


def test_the_example_with_a_client(
    tiny_server: TinyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(with_addresses(block("python", "import serving.client"), tiny_server), {})
    assert capsys.readouterr().out.startswith("The Long Ford (")
