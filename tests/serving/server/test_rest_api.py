"""Tests of the REST interface and its exact responses."""

import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from serving.server import BatchingConfig, Server, ServerConfig
from serving.server.config import read_model_server_config
from tests.data.model_server import MOVIE, get, post, run_server, save_echo, save_scores
from tests.data.tiny_model import save_tiny_model

ROW = {"text": "a", "number": [1.5], "whole": 7, "flag": True}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    for name in ("echo", "movies", "scores"):
        (directory / name).mkdir()
    save_tiny_model(directory / "movies" / "1")
    save_echo(directory / "echo", 2)
    save_echo(directory / "echo", 3)
    save_scores(directory / "scores")
    (directory / "models.config").write_text(
        f"""model_config_list {{
          config {{ name: "movies" base_path: "{directory}/movies" model_platform: "tensorflow" }}
          config {{ name: "scores" base_path: "{directory}/scores" model_platform: "tensorflow" }}
          config {{
            name: "echo" base_path: "{directory}/echo" model_platform: "tensorflow"
            model_version_policy {{ all {{}} }}
            version_labels {{ key: "canary" value: 3 }}
            version_labels {{ key: "stable" value: 2 }}
          }}
        }}"""
    )
    assert len(read_model_server_config(directory / "models.config").model_config_list.config) == 3
    return directory


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    config = ServerConfig(
        model_config_file=directory / "models.config",
        batching=BatchingConfig(max_batch_size=64),
        metrics_path="/monitoring/prometheus/metrics",
        max_request_bytes=16 << 20,
    )
    with run_server(config) as server:
        yield server


def predict(server: Server, body: Any, model: str = "echo") -> Any:
    return post(server, f"/v1/models/{model}:predict", body)


def test_predictions_equal_those_of_the_loaded_model(server: Server, directory: Path) -> None:
    model = tf.saved_model.load(str(directory / "movies" / "1"))
    expected = model.signatures["serving_default"](
        **{n: tf.constant([v]) for n, v in MOVIE.items()}
    )
    [row] = predict(server, {"instances": [MOVIE]}, "movies").json()["predictions"]
    assert row["probabilities"] == pytest.approx(expected["probabilities"].numpy()[0], 1e-5)
    assert row["predicted"] == expected["predicted"].numpy()[0].tolist()
    assert row["genres"] == [name.decode() for name in expected["genres"].numpy()[0]]


def test_row_form(server: Server) -> None:
    answer = predict(server, {"instances": [ROW, {**ROW, "text": "é", "whole": -1}]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "predictions": [
            {
                "text": "a",
                "text_bytes": {"b64": "YQ=="},
                "number": [1.5],
                "whole": 21,
                "flag": True,
            },
            {
                "text": "é",
                "text_bytes": {"b64": base64.b64encode("é".encode()).decode()},
                "number": [1.5],
                "whole": -3,
                "flag": True,
            },
        ]
    }


def test_column_form(server: Server) -> None:
    body = {"inputs": {name: [value] for name, value in ROW.items()}}
    assert predict(server, body).json() == {
        "outputs": {
            "text": ["a"],
            "text_bytes": [{"b64": "YQ=="}],
            "number": [[1.5]],
            "whole": [21],
            "flag": [True],
        }
    }


def test_a_single_input_and_output_need_no_names(server: Server) -> None:
    signature = {"signature_name": "number"}
    assert predict(server, signature | {"instances": [1, 2.5]}).json() == {
        "predictions": [1.0, 2.5]
    }
    assert predict(server, signature | {"inputs": [1, 2.5]}).json() == {"outputs": [1.0, 2.5]}
    named = signature | {"inputs": {"number": [0.1]}}
    assert predict(server, named).text == '{"outputs": [0.1]}'


def test_a_request_without_rows(server: Server) -> None:
    assert predict(server, {"signature_name": "number", "inputs": []}).json() == {"outputs": []}
    movies = predict(server, {"inputs": {name: [] for name in MOVIE}}, "movies")
    assert movies.json() == {
        "outputs": {
            "genres": [],
            "probabilities": [],
            "predicted": [],
            "thresholds": [],
            "unfamiliar_language": [],
            "known_words": [],
        }
    }


def test_bytes_are_base64(server: Server) -> None:
    row = {**ROW, "text": {"b64": base64.b64encode(b"\xff\x00").decode()}}
    [answer] = predict(server, {"instances": [row]}).json()["predictions"]
    assert answer["text_bytes"] == {"b64": "/wA="}


def test_nan_and_infinity(server: Server) -> None:
    body = b'{"signature_name": "number", "instances": [NaN, Infinity, -Infinity]}'
    first, *others = predict(server, body).json()["predictions"]
    assert math.isnan(first)
    assert others == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("choice", "factor"),
    [("", 3), ("/versions/2", 2), ("/labels/stable", 2), ("/labels/canary", 3)],
)
def test_a_version_can_be_chosen_by_number_or_label(
    server: Server, choice: str, factor: int
) -> None:
    answer = post(server, f"/V1/Models/echo{choice}:Predict", {"instances": [ROW]})
    assert answer.json()["predictions"][0]["whole"] == 7 * factor


def test_classify_and_regress(server: Server) -> None:
    examples = {"context": {"x": 4.0}, "examples": [{}, {"x": [1.0]}]}
    assert post(server, "/v1/models/scores:classify", examples).json() == {
        "results": [[["small", 4.0], ["large", 8.0]], [["small", 1.0], ["large", 2.0]]]
    }
    body = {"signature_name": "half", "examples": [{"x": 3.0}]}
    assert post(server, "/v1/models/scores:regress", body).json() == {"results": [1.5]}


def test_status(server: Server) -> None:
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert get(server, "/v1/models/echo").json() == {
        "model_version_status": [{"version": "3", **available}, {"version": "2", **available}]
    }
    for choice in ("versions/2", "labels/stable"):
        assert get(server, f"/v1/models/echo/{choice}").json() == {
            "model_version_status": [{"version": "2", **available}]
        }


def test_metadata(server: Server) -> None:
    metadata = get(server, "/v1/models/echo/versions/2/metadata").json()
    assert metadata["model_spec"] == {"name": "echo", "version": "2", "signature_name": ""}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "number", "slow"} <= set(signatures)
    number = signatures["number"]["inputs"]["number"]
    assert number["dtype"] == "DT_FLOAT"
    assert number["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


ERRORS: list[tuple[str, Any, int, str]] = [
    ("echo:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
    ("echo:predict", b"", 400, "JSON Parse error: The document is empty"),
    ("echo:predict", b'{"a": \xff}', 400, "JSON Parse error: "),
    ("echo:predict", b'{"instances": [', 400, "JSON Parse error: "),
    (
        "echo:predict",
        b'{"inputs": "\\ud800"}',
        400,
        "JSON Parse error: The surrogate pair in string",
    ),
    ("echo:predict", b"[" * 100_000, 400, "JSON Parse error: "),
    ("echo:predict", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "JSON Parse error: "),
    ("echo:predict", [1], 400, "JSON Value: [1] Is not object"),
    ("echo:predict", {"instances": [], "inputs": []}, 400, "JSON Value: {"),
    ("echo:predict", {"instances": 1}, 400, "JSON Value: {"),
    ("echo:predict", {"instances": []}, 400, "JSON Value: {"),
    ("echo:predict", {"instances": [1]}, 400, "instances is a plain list, but expecting list of "),
    ("echo:predict", {"inputs": [1]}, 400, "inputs is a plain value/list, but expecting an "),
    ("echo:predict", {"inputs": {"text": ["a"]}}, 400, "Missing named input: flag in 'inputs' "),
    (
        "echo:predict",
        {"instances": [{**ROW, "whole": "7"}]},
        400,
        "Failed to process element: 0 key: whole of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "7" Type: String is not of expected type: int64',
    ),
    ("echo:predict", {"instances": [{**ROW, "whole": 2**63}]}, 400, "Failed to process element: "),
    ("echo:predict", {"instances": [{**ROW, "number": [1e39]}]}, 400, "Failed to process element"),
    ("echo:predict", {"instances": [{**ROW, "text": {"b64": "!"}}]}, 400, "Failed to process elem"),
    ("echo:predict", {"instances": [{**ROW, "other": 1}]}, 400, "Failed to process element: 0 key"),
    ("echo:predict", {"instances": [{**ROW, "number": [[1], 2]}]}, 400, "Failed to process elemen"),
    ("echo:predict", {"instances": [ROW, {**ROW, "number": [1, 2]}]}, 400, "Failed to process ele"),
    ("echo:predict", {"instances": [ROW, 1]}, 400, "Expecting object but got list at item 1 of "),
    (
        "echo:predict",
        {"instances": [{"text": "a"}]},
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: "
        '{"text": "a"} keys must be equal to: flag,number,text,whole',
    ),
    (
        "echo:predict",
        {"signature_name": "x", "instances": [ROW]},
        400,
        'Serving signature name: "x" not found in signature def',
    ),
    ("echo:predict", {"signature_name": 1, "instances": [ROW]}, 400, "JSON Value: {"),
    (
        "echo:predict",
        {"signature_name": "number", "inputs": 1.5},
        400,
        "Tensor number has shape []",
    ),
    ("foo:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(foo)"),
    (
        "echo/versions/50:predict",
        {"instances": [1]},
        404,
        "Servable not found for request: Specific(echo, 50)",
    ),
    ("echo/labels/x:predict", {"instances": [1]}, 400, "Unrecognized servable version label: x"),
    ("echo/versions/" + "9" * 30 + ":predict", {}, 400, "Failed to convert version: 999"),
    ("echo:frobnicate", {}, 400, "Malformed request: POST /v1/models/echo:frobnicate"),
    ("scores:classify", {"examples": []}, 400, "JSON Value: {"),
    ("scores:classify", {"examples": [1]}, 400, "Example must be JSON object but got JSON Number"),
    ("scores:classify", {"examples": [{"x": [1, "a"]}]}, 400, "Unexpected element type in feature"),
    ("scores:classify", {"examples": [{"x": [None]}]}, 400, "Feature: x has element with unexp"),
    ("scores:classify", {"examples": [{"x": 2**63}]}, 400, "Feature: x has uint64 element. Only"),
    ("scores:classify", {"examples": [{"y": 1.0}]}, 400, "Name: <unknown>, Feature: x (data type"),
    (
        "scores:regress",
        {"examples": [{"x": 1.0}]},
        400,
        "Expected regression signature method_name",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), ERRORS)
def test_errors(server: Server, path: str, body: Any, status: int, message: str) -> None:
    answer = post(server, f"/v1/models/{path}", body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(message)
    assert "Graph execution error" not in answer.text
    assert predict(server, {"instances": [ROW]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/foo", 404, "Could not find any versions of model foo"),
        ("/v1/models/echo/versions/9", 404, "Could not find version 9 of model echo"),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/echo:predict", 400, "Malformed request: GET /v1/models/echo:predict"),
        ("/v1/foo", 400, "Malformed request: GET /v1/foo"),
        ("/v1/models/foo/metadata", 404, "Servable not found for request: Latest(foo)"),
    ],
)
def test_errors_of_get_requests(server: Server, path: str, status: int, message: str) -> None:
    answer = get(server, path)
    assert (answer.status_code, answer.json()) == (status, {"error": message})


def test_a_path_outside_v1_is_not_json(server: Server) -> None:
    answer = get(server, "/metrics")
    assert (answer.status_code, answer.text) == (404, "Not Found")


def test_a_plot_of_ten_megabytes(server: Server) -> None:
    body = {"instances": [{**MOVIE, "plot": "word " * (2 << 20)}]}
    assert predict(server, body, "movies").status_code == 200


def test_a_body_above_the_limit_is_rejected(server: Server) -> None:
    answer = predict(server, b" " * (17 << 20))
    assert (answer.status_code, answer.json()) == (
        413,
        {"error": f"The body is larger than {16 << 20} bytes"},
    )
    assert predict(server, {"instances": [ROW]}).status_code == 200


def test_metrics_have_the_names_of_tensorflow_serving(server: Server, directory: Path) -> None:
    predict(server, {"instances": [ROW]})
    predict(server, {}, "movies")
    predict(server, {"instances": [1]}, "made-up-name")
    page = get(server, "/monitoring/prometheus/metrics").text
    count = ":tensorflow:serving:request_count"
    assert f'{count}{{model_name="echo",status="OK"}}' in page
    assert f'{count}{{model_name="movies",status="INVALID_ARGUMENT"}}' in page
    assert ':tensorflow:serving:request_latency_bucket{API="Predict",entrypoint="REST"' in page
    path = json.dumps(str(directory / "movies" / "1"))
    assert f'saved_model:load_attempt_count{{model_path={path},status="success"}} 1.0' in page
    assert "made-up-name" not in page
