"""The embedded server, asked over both ports like any TensorFlow Serving."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from schema import features as raw
from serving.server import Batching, Server, ServerConfig, running
from tests.tiny_model import save_tiny_model

MODEL = "films"
FILM: dict[str, Any] = {
    name: 1957.0 if name in raw.NUMBERS else f"some {name}" for name in raw.MODEL_INPUTS
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / MODEL
    save_tiny_model(folder / "1")
    return folder


@pytest.fixture(scope="module")
def server(base: Path) -> Iterator[Server]:
    config = ServerConfig(
        model_name=MODEL,
        model_base_path=base,
        batching=Batching(max_batch_size=64),
        metrics_path="/monitoring/prometheus/metrics",
        body_limit=16 << 20,
    )
    with running(config) as one:
        yield one


def stub(server: Server) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(
        grpc.insecure_channel(server.grpc_address)
    )


def predict_request(rows: int = 1, **spec: Any) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = spec.get("name", MODEL)
    request.model_spec.signature_name = spec.get("signature", "")
    request.inputs["title"].CopyFrom(tf.make_tensor_proto([b"A"] * rows))
    return request


def post(server: Server, body: Any, path: str = f"/v1/models/{MODEL}:predict") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(server.rest_url + path, content=content, timeout=60)


def test_both_protocols_give_the_answer_of_the_model(server: Server, base: Path) -> None:
    model = tf.saved_model.load(str(base / "1"))
    wanted = model.signatures["serving_default"](**{n: tf.constant([v]) for n, v in FILM.items()})
    over_rest = post(server, {"instances": [FILM]}).json()["predictions"][0]
    assert over_rest["probabilities"] == pytest.approx(wanted["probabilities"].numpy()[0], 1e-5)
    assert over_rest["predicted"] == wanted["predicted"].numpy()[0].tolist()
    request = predict_request()
    for name, value in FILM.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto([value]))
    answer = stub(server).Predict(request)
    assert list(answer.outputs["probabilities"].float_val) == pytest.approx(
        wanted["probabilities"].numpy()[0], 1e-5
    )
    assert [n.decode() for n in answer.outputs["genres"].string_val] == over_rest["genres"]
    assert answer.model_spec.version.value == 1
