"""The warm-up requests of a SavedModel."""

import logging
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from schema import features as raw
from schema.names import WARMUP_FILE
from serving.server import ServerConfig
from tests.data.model_server import run_server
from tests.data.tiny_model import PARSED, save_tiny_model
from trainer.export import warmup


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return warmup.write(save_tiny_model(tmp_path / "1"))


def test_the_file_has_requests_of_both_signatures(file: Path, tmp_path: Path) -> None:
    assert file == tmp_path / "1" / WARMUP_FILE
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]
    assert [request.model_spec.signature_name for request in requests] == [
        "serving_default",
        "examples",
    ] * 2
    named, examples, *_ = requests
    assert set(named.inputs) == set(raw.MODEL_INPUTS)
    inputs = {name: tf.make_ndarray(proto).tolist() for name, proto in named.inputs.items()}
    assert inputs["title"] == [b"The Long Ford"]
    assert inputs["num_votes"] == [1200.0]
    [serialized] = tf.make_ndarray(examples.inputs["examples"])
    parsed = tf.io.parse_example([serialized], PARSED)
    assert {name: parsed[name].values.numpy().tolist() for name in raw.NUMBERS} == {
        "year": [1957],
        "runtime_minutes": [94],
        "average_rating": pytest.approx([6.4]),
        "num_votes": [1200],
    }
    assert parsed["cast"].values.numpy().tolist() == [b"An Actor|Another Actor"]


def test_a_server_runs_the_warm_up_requests(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "serving"),
        run_server(ServerConfig(model_name="movies", model_base_path=tmp_path)) as server,
    ):
        assert server.model_manager.all_available()
    assert "model movies: serving version 1" in caplog.text
