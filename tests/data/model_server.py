"""Small SavedModels for tests of the model server, and functions that call it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from schema import features as raw
from serving.server import Server, ServerConfig

MOVIE: dict[str, Any] = {
    name: 1957.0 if name in raw.NUMBERS else f"some {name}" for name in raw.MODEL_INPUTS
}


class Echo(tf.Module):
    """A model that returns its inputs, and `whole` multiplied by the number of the version."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = tf.Variable(version, dtype=tf.int64)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([None, None], tf.float32, "number"),
            tf.TensorSpec([None], tf.int64, "whole"),
            tf.TensorSpec([None], tf.bool, "flag"),
        ]
    )
    def echo_all(self, text: Any, number: Any, whole: Any, flag: Any) -> dict[str, tf.Tensor]:
        return {
            "text": text,
            "text_bytes": text,
            "number": number,
            "whole": whole * self.version,
            "flag": flag,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "number")])
    def echo_number(self, number: Any) -> dict[str, tf.Tensor]:
        return {"number": number}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "seconds")])
    def slow(self, seconds: Any) -> dict[str, tf.Tensor]:
        def square(matrix: Any) -> tuple[Any]:
            return (tf.linalg.matmul(matrix, matrix) / 256.0,)

        end = tf.timestamp() + tf.cast(tf.reduce_max(seconds), tf.float64)
        start = (tf.ones([256, 256]),)
        (matrix,) = tf.while_loop(lambda _: tf.timestamp() < end, square, start)
        return {"done": seconds + 0.0 * matrix[0, 0]}


def save_echo(base: Path, version: int) -> Path:
    """Save an `Echo` as a version below `base`, complete from the moment it appears."""
    echo = Echo(version)
    part = base / f".{version}"
    signatures = {"serving_default": echo.echo_all, "number": echo.echo_number, "slow": echo.slow}
    tf.saved_model.save(echo, str(part), signatures)
    part.rename(base / str(version))
    return base / str(version)


def save_scores(base: Path, version: int = 1) -> Path:
    """Save a model that classifies and regresses `tf.Example`s with a float feature `x`."""
    v1 = tf.compat.v1
    directory = base / str(version)
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="examples")
        x = v1.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        scores = tf.concat([x, x * 2.0], axis=1)
        classes = tf.tile(tf.constant([["small", "large"]]), [tf.shape(x)[0], 1])
        utils = v1.saved_model.signature_def_utils
        builder = v1.saved_model.builder.SavedModelBuilder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": utils.classification_signature_def(examples, classes, scores),
                "half": utils.regression_signature_def(examples, x / 2.0),
                "plain": utils.predict_signature_def({"examples": examples}, {"scores": scores}),
            },
        )
        builder.save()
    return directory


def save_corrupt_version(base: Path, version: int) -> Path:
    """Save a version that no server can load."""
    directory = base / str(version)
    directory.mkdir()
    (directory / "saved_model.pb").write_bytes(os.urandom(64))
    return directory


@contextmanager
def run_server(config: ServerConfig) -> Iterator[Server]:
    """Run a server within the `with` block."""
    server = Server(config)
    try:
        yield server
    finally:
        server.stop()


def open_channel(server: Server) -> grpc.Channel:
    return grpc.insecure_channel(
        server.grpc_address, [("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0)]
    )


def prediction_stub(server: Server) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(open_channel(server))


def model_service_stub(server: Server) -> Any:
    return model_service_pb2_grpc.ModelServiceStub(open_channel(server))


def predict_request(model: str, inputs: dict[str, Any], signature: str = "") -> Any:
    """Return a PredictRequest; numpy types become the types of the tensors."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def slow_request(seconds: float) -> Any:
    """Return a request that multiplies matrices for the given time on any processor."""
    return predict_request("echo", {"seconds": [float(seconds)]}, "slow")


def post(server: Server, path: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{server.rest_url}{path}", content=content, timeout=60)


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(f"{server.rest_url}{path}", timeout=60)
