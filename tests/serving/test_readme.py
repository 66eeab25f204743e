"""The examples of README.md and docs/client.md that call a server work."""

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


def find_code_block(language: str, beginning: str) -> str:
    """Return the only code block that has a line with this beginning."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    [block] = [block for block in blocks if f"\n{beginning}" in f"\n{block}"]
    return str(block)


def with_addresses(text: str, tiny_server: TinyServer) -> str:
    for documented, actual in {
        "http://localhost:8501": tiny_server.rest_url,
        "localhost:8500": tiny_server.grpc_address,
        "python -m": f"{shlex.quote(sys.executable)} -m",
    }.items():
        text = text.replace(documented, actual)
    return text


def run_script(script: str, directory: Path) -> str:
    return subprocess.run(
        ["bash", "-euc", script], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


def test_the_example_for_curl(tiny_server: TinyServer, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("README's example for curl was NOT run. Install curl.")
    response = json.loads(
        run_script(with_addresses(find_code_block("sh", "curl "), tiny_server), tmp_path)
    )
    [movie] = response["predictions"]
    assert movie["genres"] == list(GENRES)
    assert len(movie["probabilities"]) == len(movie["predicted"]) == len(GENRES)


def test_the_example_for_grpcurl(
    tiny_server: TinyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If grpcurl is not installed, the request that it would send is sent through the stub."""
    (tmp_path / "output").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    script = with_addresses(find_code_block("sh", "grpcurl "), tiny_server)
    if shutil.which("grpcurl"):
        response: dict[str, Any] = json.loads(run_script(script, tmp_path))
    else:
        # A shell function replaces grpcurl and prints its standard input.
        request = json_format.Parse(
            run_script(f"grpcurl() {{ cat; }}\n{script}", tmp_path), predict_pb2.PredictRequest()
        )
        with grpc.insecure_channel(tiny_server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = json_format.MessageToDict(stub.Predict(request))
    assert len(response["outputs"]["probabilities"]["floatVal"]) == len(GENRES)
    assert response["modelSpec"]["version"] == "3"
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(
        (tmp_path / "output" / "serving.protoset").read_bytes()
    )
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    service = pool.FindServiceByName("tensorflow.serving.PredictionService")
    method = service.methods_by_name["Predict"]
    fields = method.input_type.fields_by_name
    assert set(fields) == {"model_spec", "inputs", "output_filter"}


def test_the_example_for_the_command_line(
    tiny_server: TinyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = find_code_block("sh", "ordained predict").splitlines()[0]
    assert main([*shlex.split(first)[1:], "--server", tiny_server.grpc_address]) == 0
    assert "predicted: " in capsys.readouterr().out


def test_the_example_in_python(tiny_server: TinyServer) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(
            with_addresses(find_code_block("python", "from serving.client import"), tiny_server), {}
        )
    assert printed.getvalue().startswith("('")
    assert "Genre(name='" in printed.getvalue()


def test_the_example_with_a_client(
    tiny_server: TinyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(with_addresses(find_code_block("python", "import serving.client"), tiny_server), {})
    assert capsys.readouterr().out.startswith("The Long Ford (")
