"""The server as a whole: slow and hostile clients, TLS, options, start and end."""

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
from serving.server import Batching, Server, ServerConfig
from serving.server.__main__ import channel_arguments, main
from serving.server.http_protocol import HEAD_LIMIT
from tests.data.served import channel, get, post, request_of, running, save_echo, slow_request, stub

SEED = 20
REST_INPUTS = 1500
SOCKET_INPUTS = 300
GRPC_INPUTS = 1500
SLOW_CLIENTS = 1000
HEAD = b"POST /v1/models/echo:predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
ONE = {"number": [1.0]}
GOOD = {"signature_name": "one", "instances": [1.0]}
PREDICT = "/v1/models/echo:predict"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models")
    save_echo(base, 1)
    return base


@pytest.fixture(scope="module")
def server(base: Path) -> Iterator[Server]:
    with running(config(base)) as one:
        yield one


def config(base: Path, **changes: Any) -> ServerConfig:
    settings = {"batching": Batching(), "rest_api_timeout_in_ms": 3000, "body_limit": 4 << 20}
    return ServerConfig(model_name="echo", model_base_path=base, **(settings | changes))


def answers(server: Server) -> bool:
    """Whether both ports answer a good request."""
    assert post(server, PREDICT, GOOD).json() == {"predictions": [1.0]}
    return bool(stub(server).Predict(request_of("echo", ONE, "one")).outputs)


def connect(server: Server) -> socket.socket:
    assert server.rest_port is not None
    return socket.create_connection(("127.0.0.1", server.rest_port), timeout=30)


def said(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_a_thousand_slow_clients_keep_nobody_waiting(server: Server) -> None:
    starts = (b"", b"POST /v1/mod", HEAD % 100, HEAD % 100 + b'{"instances"')
    clients = [connect(server) for _ in range(SLOW_CLIENTS)]
    try:
        for number, client in enumerate(clients):
            client.sendall(starts[number % len(starts)])
        started = time.monotonic()
        assert answers(server)
        assert time.monotonic() - started < 3
        for client in clients[: len(starts)]:
            assert said(client).startswith(b"HTTP/1.1 408 Request Timeout")
    finally:
        for client in clients:
            client.close()
    assert answers(server)


def test_half_a_request_harms_nobody(server: Server) -> None:
    for sent in (b"", b"POST", HEAD % 100, HEAD % 100 + b"{", b"\x16\x03\x01\x02\x00\x01"):
        with connect(server) as client:
            client.sendall(sent)
    assert answers(server)


def test_a_head_without_an_end_is_refused(server: Server) -> None:
    with connect(server) as client:
        client.sendall(b"GET /v1/models/echo HTTP/1.1\r\n")
        # Until the limit is passed, and no further: a server that closes a connection with bytes
        # that it has not read resets it, and the answer can be lost.
        left = HEAD_LIMIT + 1
        while left > 0:
            left -= client.send(b"x: y\r\n" * 100)
        assert said(client) == (
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"
        )
    assert answers(server)


def test_a_body_that_claims_to_be_large_is_refused_unread(server: Server) -> None:
    with connect(server) as client:
        client.sendall(HEAD % (1 << 40))
        assert said(client).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_limited_too(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(80):
            yield b" " * (1 << 16)

    try:
        answer = httpx.post(f"{server.rest_url}{PREDICT}", content=chunks(), timeout=30)
        assert answer.status_code == 413
    except httpx.WriteError:
        # The server hung up while the client was still talking.
        pass
    assert answers(server)


def mutated(random_: random.Random, content: bytes) -> bytes:
    """The content with a few bytes changed, cut out or put in."""
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


def value(random_: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    leaves = [None, True, 0, -1, 2**63, 1.5, 1e400, "", "a", "\ud800", {"b64": "YQ=="}, {"b64": 1}]
    kind = random_.randrange(4) if depth < 4 else 0
    if kind == 1:
        return [value(random_, depth + 1) for _ in range(random_.randrange(4))]
    if kind == 2:
        names = ["text", "number", "whole", "flag", "instances", "inputs", "x", "b64"]
        return {name: value(random_, depth + 1) for name in random_.sample(names, 3)}
    return random_.choice(leaves)


def test_no_body_upsets_the_rest_port(server: Server) -> None:
    random_ = random.Random(SEED)
    row = {"text": "a", "number": [1.5], "whole": 7, "flag": True}
    good = [
        json.dumps(body).encode()
        for body in (GOOD, {"instances": [row] * 2}, {"inputs": {n: [v] for n, v in row.items()}})
    ]
    seen: Counter[int] = Counter()
    with httpx.Client(base_url=server.rest_url, timeout=30) as client:
        for number in range(REST_INPUTS):
            if number % 2:
                content = mutated(random_, random_.choice(good))
            else:
                keys = ["instances", "inputs", "signature_name", "examples"]
                body = {key: value(random_) for key in random_.sample(keys, 2)}
                content = json.dumps(body).encode()
            method = random_.choice(["predict", "predict", "classify", "regress"])
            answer = client.post(f"/v1/models/echo:{method}", content=content)
            seen[answer.status_code] += 1
            assert isinstance(answer.json(), dict), content
            assert answer.status_code in (200, 400), (content, answer.text)
    assert sum(seen.values()) == REST_INPUTS
    assert seen[400] > REST_INPUTS / 2
    assert answers(server)


def test_no_bytes_upset_the_rest_port(server: Server) -> None:
    random_ = random.Random(SEED)
    body = json.dumps(GOOD).encode()
    good = HEAD % len(body) + body
    for number in range(SOCKET_INPUTS):
        sent = mutated(random_, good) if number % 2 else random_.randbytes(200)
        with connect(server) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = said(client)
            # Whatever is answered is HTTP and no failure of the server.
            assert not answer or answer.startswith(b"HTTP/1.1 "), sent
            assert not answer.startswith(b"HTTP/1.1 5"), (sent, answer)
    assert answers(server)


def test_no_bytes_upset_the_grpc_port(server: Server) -> None:
    random_ = random.Random(SEED)
    row = {"text": ["a"], "number": [[1.5]], "flag": [True]}
    good = [
        request_of("echo", inputs, signature).SerializeToString()
        for inputs, signature in ((ONE, "one"), (row, ""), (row | {"whole": [1]}, ""))
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
    with channel(server) as over:
        for number in range(GRPC_INPUTS):
            sent = random_.randbytes(60) if number % 10 == 0 else mutated(random_, good[number % 3])
            method = methods[0] if number % 2 else random_.choice(methods)
            try:
                over.unary_unary(method)(sent, timeout=30)
                seen["OK"] += 1
            except grpc.RpcError as error:
                code, words = error.code().name, error.details()  # type: ignore[attr-defined]
                seen[code] += 1
                # Bytes that are no message are INTERNAL in gRPC itself.
                assert code != "INTERNAL" or "deserializing" in words, (sent, words)
                assert code not in ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED"), (sent, words)
    assert sum(seen.values()) == GRPC_INPUTS
    assert len(seen) >= 5
    assert answers(server)


def test_requests_at_hand_are_answered_before_the_end(base: Path) -> None:
    body = json.dumps({"signature_name": "slow", "instances": [0.8]}).encode()
    with running(config(base, rest_api_timeout_in_ms=60_000, drain_seconds=60)) as server:
        call = stub(server)
        call.Predict(slow_request(0))
        client = connect(server)
        client.sendall(HEAD % len(body) + body)
        waiting = call.Predict.future(slow_request(0.8))
        # For both to be at hand.
        time.sleep(0.5)
    assert waiting.result().outputs
    with client:
        assert said(client).startswith(b"HTTP/1.1 200 OK")


def test_an_answer_that_takes_too_long_is_given_up(base: Path) -> None:
    with running(config(base, rest_api_timeout_in_ms=500)) as server:
        stub(server).Predict(slow_request(0))
        answer = post(server, PREDICT, {"signature_name": "slow", "instances": [2.0]})
        assert answer.status_code == 504
        assert answer.json() == {"error": "Deadline Exceeded"}


def test_a_port_that_is_taken(server: Server, base: Path) -> None:
    in_use = "Address already in use; choose another address or port"
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


def test_the_model_config_is_read_again(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    model = f'name: "NAME" base_path: "{base}" model_platform: "tensorflow"'
    text = f"model_config_list {{ config {{ {model} }} }}"
    file.write_text(text.replace("NAME", "first"))
    settings = {"model_config_file": file, "model_config_file_poll_wait_seconds": 0.1}
    with running(config(base, **settings)) as server:
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
    """A key and a certificate of its own signing for `localhost`, in PEM."""
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


def test_the_command_serves_with_tls_and_ends_on_sigterm(base: Path, tmp_path: Path) -> None:
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
            with grpc.secure_channel(f"localhost:{port}", credentials) as over:
                call = prediction_service_pb2_grpc.PredictionServiceStub(over)
                assert call.Predict(request_of("echo", ONE, "one"), wait_for_ready=True).outputs
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what to serve: --model_base_path DIR or --model_config_file FILE"),
        (["--model_config_file=gone"], "gone cannot be read"),
        (["--batching_parameters_file=x"], "is set without setting --enable_batching"),
        (["--grpc_channel_arguments=x"], "--grpc_channel_arguments: expected NAME=VALUE, not x"),
    ],
)
def test_mistakes_end_with_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--port=0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error


def test_channel_arguments() -> None:
    assert channel_arguments("a=1,b=-2,c=x") == (("a", 1), ("b", -2), ("c", "x"))
    assert channel_arguments("") == ()
