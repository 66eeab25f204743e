"""Tests of the complete server: slow and malicious clients, TLS, options, start and shutdown."""

import datetime
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tensorflow_serving.apis import prediction_service_pb2_grpc

from schema.errors import TryAgainError, UserError
from serving.server import BatchingConfig, Server, ServerConfig
from serving.server.__main__ import main, parse_channel_arguments
from serving.server.http_protocol import MAX_HEADER_BYTES
from tests.data.model_server import (
    get,
    open_channel,
    post,
    predict_request,
    prediction_stub,
    run_server,
    save_echo,
    slow_request,
)

SEED = 20
REST_BODY_COUNT = 1500
SOCKET_INPUT_COUNT = 300
GRPC_MESSAGE_COUNT = 1500
SLOW_CLIENT_COUNT = 1000
POST_HEADER = b"POST /v1/models/echo:predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
NUMBER_INPUT = {"number": [1.0]}
VALID_BODY = {"signature_name": "number", "instances": [1.0]}
PREDICT_PATH = "/v1/models/echo:predict"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    save_echo(base, 1)
    return base


@pytest.fixture(scope="module")
def server(base: Path) -> Iterator[Server]:
    with run_server(config(base)) as server:
        yield server


def config(base: Path, **changes: Any) -> ServerConfig:
    defaults = {
        "batching": BatchingConfig(),
        "rest_api_timeout_in_ms": 3000,
        "max_request_bytes": 4 << 20,
    }
    return ServerConfig(model_name="echo", model_base_path=base, **(defaults | changes))


def is_serving(server: Server) -> bool:
    """Return whether both ports answer a valid request."""
    assert post(server, PREDICT_PATH, VALID_BODY).json() == {"predictions": [1.0]}
    return bool(
        prediction_stub(server).Predict(predict_request("echo", NUMBER_INPUT, "number")).outputs
    )


def connect(server: Server) -> socket.socket:
    assert server.rest_port is not None
    return socket.create_connection(("127.0.0.1", server.rest_port), timeout=30)


def receive_all(connection: socket.socket) -> bytes:
    """Return all bytes that arrive until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_a_thousand_slow_clients_do_not_delay_others(server: Server) -> None:
    starts = (b"", b"POST /v1/mod", POST_HEADER % 100, POST_HEADER % 100 + b'{"instances"')
    clients = [connect(server) for _ in range(SLOW_CLIENT_COUNT)]
    try:
        for number, client in enumerate(clients):
            client.sendall(starts[number % len(starts)])
        started = time.monotonic()
        assert is_serving(server)
        assert time.monotonic() - started < 3
        for client in clients[: len(starts)]:
            assert receive_all(client).startswith(b"HTTP/1.1 408 Request Timeout")
    finally:
        for client in clients:
            client.close()
    assert is_serving(server)


def test_incomplete_requests_are_ignored(server: Server) -> None:
    for content in (
        b"",
        b"POST",
        POST_HEADER % 100,
        POST_HEADER % 100 + b"{",
        b"\x16\x03\x01\x02\x00\x01",
    ):
        with connect(server) as client:
            client.sendall(content)
    assert is_serving(server)


def test_endless_headers_are_rejected(server: Server) -> None:
    with connect(server) as client:
        client.sendall(b"GET /v1/models/echo HTTP/1.1\r\n")
        # Send just more than the limit. If unread bytes were left when the server closes the
        # connection, it would be reset and the response could be lost.
        remaining = MAX_HEADER_BYTES + 1
        while remaining > 0:
            remaining -= client.send(b"x: y\r\n" * 100)
        assert receive_all(client) == (
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"
        )
    assert is_serving(server)


def test_a_body_with_a_large_content_length_is_rejected_unread(server: Server) -> None:
    with connect(server) as client:
        client.sendall(POST_HEADER % (1 << 40))
        assert receive_all(client).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_has_the_same_limit(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(80):
            yield b" " * (1 << 16)

    try:
        answer = httpx.post(f"{server.rest_url}{PREDICT_PATH}", content=chunks(), timeout=30)
        assert answer.status_code == 413
    except httpx.WriteError:
        # The server closed the connection while the client was still sending.
        pass
    assert is_serving(server)


def mutate(random_: random.Random, content: bytes) -> bytes:
    """Return the content with a few bytes changed, removed or inserted."""
    changed = bytearray(content)
    for _ in range(random_.randrange(1, 6)):
        at = random_.randrange(len(changed) + 1)
        kind = random_.randrange(3)
        if kind == 0:
            changed[at:at] = random_.randbytes(random_.randrange(1, 9))
        elif kind == 1:
            del changed[at : at + random_.randrange(1, 9)]
        elif at < len(changed):
            changed[at] = random_.randrange(256)
    return bytes(changed)


def random_json(random_: random.Random, depth: int = 0) -> Any:
    """Return a random JSON value."""
    leaves = [None, True, 0, -1, 2**63, 1.5, 1e400, "", "a", "\ud800", {"b64": "YQ=="}, {"b64": 1}]
    kind = random_.randrange(4) if depth < 4 else 0
    if kind == 1:
        return [random_json(random_, depth + 1) for _ in range(random_.randrange(4))]
    if kind == 2:
        names = ["text", "number", "whole", "flag", "instances", "inputs", "x", "b64"]
        return {name: random_json(random_, depth + 1) for name in random_.sample(names, 3)}
    return random_.choice(leaves)


def test_random_bodies_do_not_disturb_the_rest_port(server: Server) -> None:
    random_ = random.Random(SEED)
    row = {"text": "a", "number": [1.5], "whole": 7, "flag": True}
    valid = [
        json.dumps(body).encode()
        for body in (
            VALID_BODY,
            {"instances": [row] * 2},
            {"inputs": {n: [v] for n, v in row.items()}},
        )
    ]
    seen: Counter[int] = Counter()
    with httpx.Client(base_url=server.rest_url, timeout=30) as client:
        for number in range(REST_BODY_COUNT):
            if number % 2:
                content = mutate(random_, random_.choice(valid))
            else:
                keys = ["instances", "inputs", "signature_name", "examples"]
                body = {key: random_json(random_) for key in random_.sample(keys, 2)}
                content = json.dumps(body).encode()
            method = random_.choice(["predict", "predict", "classify", "regress"])
            answer = client.post(f"/v1/models/echo:{method}", content=content)
            seen[answer.status_code] += 1
            assert isinstance(answer.json(), dict), content
            assert answer.status_code in (200, 400), (content, answer.text)
    assert sum(seen.values()) == REST_BODY_COUNT
    assert seen[400] > REST_BODY_COUNT / 2
    assert is_serving(server)


def test_random_bytes_do_not_disturb_the_rest_port(server: Server) -> None:
    random_ = random.Random(SEED)
    body = json.dumps(VALID_BODY).encode()
    valid = POST_HEADER % len(body) + body
    for number in range(SOCKET_INPUT_COUNT):
        content = mutate(random_, valid) if number % 2 else random_.randbytes(200)
        with connect(server) as client:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            answer = receive_all(client)
            # Any response is valid HTTP, and not a server error.
            assert not answer or answer.startswith(b"HTTP/1.1 "), content
            assert not answer.startswith(b"HTTP/1.1 5"), (content, answer)
    assert is_serving(server)


def test_random_bytes_do_not_disturb_the_grpc_port(server: Server) -> None:
    random_ = random.Random(SEED)
    row = {"text": ["a"], "number": [[1.5]], "flag": [True]}
    valid = [
        predict_request("echo", inputs, signature).SerializeToString()
        for inputs, signature in ((NUMBER_INPUT, "number"), (row, ""), (row | {"whole": [1]}, ""))
    ]
    methods = [
        f"/tensorflow.serving.{name}"
        for name in (
            "PredictionService/Predict",
            "PredictionService/Classify",
            "PredictionService/Regress",
            "PredictionService/MultiInference",
            "PredictionService/GetModelMetadata",
            "ModelService/GetModelStatus",
            "PredictionService/None",
        )
    ]
    seen: Counter[str] = Counter()
    with open_channel(server) as channel:
        for number in range(GRPC_MESSAGE_COUNT):
            content = (
                random_.randbytes(60) if number % 10 == 0 else mutate(random_, valid[number % 3])
            )
            method = methods[0] if number % 2 else random_.choice(methods)
            try:
                channel.unary_unary(method)(content, timeout=30)
                seen["OK"] += 1
            except grpc.RpcError as error:
                code, details = error.code().name, error.details()  # type: ignore[attr-defined]
                seen[code] += 1
                # gRPC itself returns INTERNAL for bytes that are not a message.
                assert code != "INTERNAL" or "deserializing" in details, (content, details)
                assert code not in ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED"), (
                    content,
                    details,
                )
    assert sum(seen.values()) == GRPC_MESSAGE_COUNT
    assert len(seen) >= 5
    assert is_serving(server)


def test_running_requests_are_answered_before_shutdown(base: Path) -> None:
    body = json.dumps({"signature_name": "slow", "instances": [0.8]}).encode()
    with run_server(config(base, rest_api_timeout_in_ms=60_000, drain_seconds=60)) as server:
        call = prediction_stub(server)
        call.Predict(slow_request(0))
        client = connect(server)
        client.sendall(POST_HEADER % len(body) + body)
        waiting = call.Predict.future(slow_request(0.8))
        # Wait until both requests are running.
        time.sleep(0.5)
    assert waiting.result().outputs
    with client:
        assert receive_all(client).startswith(b"HTTP/1.1 200 OK")


def test_a_rest_request_has_a_timeout(base: Path) -> None:
    with run_server(config(base, rest_api_timeout_in_ms=500)) as server:
        prediction_stub(server).Predict(slow_request(0))
        answer = post(server, PREDICT_PATH, {"signature_name": "slow", "instances": [2.0]})
        assert answer.status_code == 504
        assert answer.json() == {"error": "Deadline Exceeded"}


def test_a_port_that_is_in_use(server: Server, base: Path) -> None:
    in_use = "Address already in use"
    message = f"gRPC cannot listen on 127.0.0.1:{server.port}: {in_use}"
    with pytest.raises(TryAgainError, match=message):
        Server(config(base, port=server.port))
    message = f"REST cannot listen on 127.0.0.1:{server.rest_port}: {in_use}"
    with pytest.raises(TryAgainError, match=message):
        Server(config(base, rest_api_port=server.rest_port))


def test_an_address_of_another_machine(base: Path) -> None:
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1:") as refusal:
        Server(config(base, host="192.0.2.1"))
    assert refusal.value.exit_status == 2


def test_the_model_config_is_reloaded(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    model = f'name: "NAME" base_path: "{base}" model_platform: "tensorflow"'
    text = f"model_config_list {{ config {{ {model} }} }}"
    file.write_text(text.replace("NAME", "first"))
    changes = {"model_config_file": file, "model_config_file_poll_wait_seconds": 0.1}
    with run_server(config(base, **changes)) as server:
        assert get(server, "/v1/models/first").status_code == 200
        file.write_text("model_config_list {")
        time.sleep(0.5)
        assert get(server, "/v1/models/first").status_code == 200
        file.write_text(text.replace("NAME", "second"))
        end = time.monotonic() + 20
        while get(server, "/v1/models/second").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert get(server, "/v1/models/first").status_code == 404


def certificate() -> tuple[bytes, bytes]:
    """Return a key and a self-signed certificate for `localhost`, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, signed.public_bytes(encoding)


def test_the_command_serves_with_tls_until_sigterm(base: Path, tmp_path: Path) -> None:
    key, signed = certificate()
    ssl = tmp_path / "ssl.config"
    ssl.write_text(f"server_key: {json.dumps(key.decode())} server_cert: ")
    with ssl.open("a") as file:
        file.write(json.dumps(signed.decode()))
    batching = tmp_path / "batching.config"
    batching.write_text("max_batch_size { value: 8 }")
    arguments = [
        *("--host=127.0.0.1", "--port=0", "--rest_api_port=0", "--model_name=echo"),
        *(f"--model_base_path={base}", f"--ssl_config_file={ssl}", "--enable_batching"),
        *(f"--batching_parameters_file={batching}", "--rest_api_timeout_in_ms=3000"),
        "--grpc_channel_arguments=grpc.max_concurrent_streams=64",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "serving.server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("gRPC on 127.0.0.1:")
            port = int(line.rpartition(":")[2])
            credentials = grpc.ssl_channel_credentials(signed)
            with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
                call = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                assert call.Predict(
                    predict_request("echo", NUMBER_INPUT, "number"), wait_for_ready=True
                ).outputs
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no model to serve: give --model_base_path DIR or --model_config_file FILE"),
        (["--model_config_file=gone"], "gone: cannot be read: No such file or directory"),
        (["--batching_parameters_file=x"], "--batching_parameters_file needs --enable_batching"),
        (["--grpc_channel_arguments=x"], "--grpc_channel_arguments: expected NAME=VALUE, got x"),
    ],
)
def test_user_errors_end_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--port=0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_channel_arguments_are_parsed() -> None:
    assert parse_channel_arguments("a=1,b=-2,c=x") == (("a", 1), ("b", -2), ("c", "x"))
    assert parse_channel_arguments("") == ()
