"""Tests of the gRPC interface with TensorFlow Serving's own stubs."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from schema import features as raw
from serving.server import BatchingConfig, Server, ServerConfig
from tests.data.model_server import (
    MOVIE,
    model_service_stub,
    open_channel,
    post,
    predict_request,
    prediction_stub,
    run_server,
    save_corrupt_version,
    save_echo,
    save_scores,
    slow_request,
)
from tests.data.tiny_model import save_tiny_model

Code = grpc.StatusCode
INPUTS: dict[str, Any] = {
    "text": ["a", "b"],
    "number": np.array([[1.5], [2.5]], np.float32),
    "whole": np.array([7, 8], np.int64),
    "flag": [True, False],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    for name in ("echo", "movies", "scores"):
        (directory / name).mkdir()
    save_tiny_model(directory / "movies" / "1")
    save_echo(directory / "echo", 2)
    save_echo(directory / "echo", 3)
    save_scores(directory / "scores")
    return directory


def reload_request(directory: Path, *names: str, **labels: int) -> Any:
    request = model_management_pb2.ReloadConfigRequest()
    for name in names:
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(directory / name), model_platform="tensorflow"
        )
        if name == "echo":
            config.model_version_policy.all.SetInParent()
            config.version_labels.update(labels)
    return request


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    # The path of a Unix domain socket must not exceed about 100 characters.
    return str(tmp_path_factory.mktemp("s") / "s")


@pytest.fixture(scope="module")
def server(directory: Path, socket_path: str) -> Iterator[Server]:
    config = ServerConfig(
        model_name="movies",
        model_base_path=directory / "movies",
        batching=BatchingConfig(max_batch_size=4, max_enqueued_batches=1, num_batch_threads=1),
        grpc_socket_path=socket_path,
        max_request_bytes=16 << 20,
    )
    with run_server(config) as server:
        request = reload_request(directory, "movies", "scores", "echo")
        model_service_stub(server).HandleReloadConfigRequest(request)
        yield server


def output_array(answer: Any, name: str) -> np.ndarray:
    return tf.make_ndarray(answer.outputs[name])


def call_error(call: Any, request: Any, **options: Any) -> tuple[Any, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, **options)
    return caught.value.code(), caught.value.details()  # type: ignore[attr-defined]


def test_omitted_inputs_take_their_defaults(server: Server, directory: Path) -> None:
    model = tf.saved_model.load(str(directory / "movies" / "1"))
    movie = {name: [float("nan") if name in raw.NUMBERS else ""] for name in raw.MODEL_INPUTS}
    movie |= {"title": ["A", "B"], "year": [1957.0]}
    expected = model.signatures["serving_default"](**{n: tf.constant(v) for n, v in movie.items()})
    request = predict_request("movies", {"title": ["A", "B"], "year": np.float32([1957])})
    answer = prediction_stub(server).Predict(request)
    assert output_array(answer, "probabilities") == pytest.approx(
        expected["probabilities"].numpy(), 1e-5
    )
    assert output_array(answer, "genres").tolist() == expected["genres"].numpy().tolist()
    assert output_array(answer, "predicted").tolist() == expected["predicted"].numpy().tolist()


def test_the_response_names_model_version_and_signature(server: Server) -> None:
    answer = prediction_stub(server).Predict(predict_request("echo", INPUTS))
    assert answer.model_spec.name == "echo"
    assert answer.model_spec.version.value == 3
    assert answer.model_spec.signature_name == "serving_default"
    assert output_array(answer, "whole").tolist() == [21, 24]
    assert output_array(answer, "text").tolist() == [b"a", b"b"]


def test_a_version_can_be_chosen(server: Server) -> None:
    request = predict_request("echo", INPUTS)
    request.model_spec.version.value = 2
    assert output_array(prediction_stub(server).Predict(request), "whole").tolist() == [14, 16]


def test_labels_can_be_reloaded(server: Server, directory: Path) -> None:
    reload = model_service_stub(server).HandleReloadConfigRequest
    names = ("movies", "scores", "echo")
    reload(reload_request(directory, *names, stable=2))
    request = predict_request("echo", INPUTS)
    request.model_spec.version_label = "stable"
    assert output_array(prediction_stub(server).Predict(request), "whole").tolist() == [14, 16]
    assert call_error(reload, reload_request(directory, *names, stable=9)) == (
        Code.INVALID_ARGUMENT,
        "Request to assign label to version 9 of model echo, which is not currently available for "
        "inference",
    )
    assert output_array(prediction_stub(server).Predict(request), "whole").tolist() == [14, 16]


def test_outputs_can_be_filtered(server: Server) -> None:
    request = predict_request("echo", INPUTS)
    request.output_filter.extend(["whole", "flag"])
    assert set(prediction_stub(server).Predict(request).outputs) == {"whole", "flag"}
    request.output_filter.append("flag")
    message = "duplicate output tensor alias: flag"
    assert call_error(prediction_stub(server).Predict, request) == (Code.INVALID_ARGUMENT, message)
    request.output_filter[:] = ["nothing"]
    code, message = call_error(prediction_stub(server).Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert message.startswith(
        "output tensor alias not found in signature: nothing Outputs expected"
    )


def request_with_spec(**spec: Any) -> Any:
    request = predict_request(spec.get("name", "echo"), INPUTS, spec.get("signature", ""))
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    return request


def request_with_wrong_shape() -> Any:
    request = predict_request("echo", INPUTS)
    request.inputs["text"].tensor_shape.dim[0].size = 1 << 40
    return request


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            request_with_spec(name="foo"),
            Code.NOT_FOUND,
            "Servable not found for request: Latest(foo)",
        ),
        (
            request_with_spec(version=50),
            Code.NOT_FOUND,
            "Servable not found for request: Specific(echo, 50)",
        ),
        (
            request_with_spec(label="x"),
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: x",
        ),
        (
            request_with_spec(signature="x"),
            Code.FAILED_PRECONDITION,
            'Serving signature key "x" not found.',
        ),
        (
            predict_request("echo", {"text": ["a"]}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 1!=4 len({text}) != "
            "len({flag,number,text,whole}). Sent extra: {}. Missing but required: "
            "{flag,number,whole}.",
        ),
        (
            predict_request("echo", {**INPUTS, "other": [1]}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 5!=4 len({flag,number,other,text,whole}) != "
            "len({flag,number,text,whole}). Sent extra: {other}. Missing but required: {}.",
        ),
        (
            predict_request("echo", {"number": [1]}, "number"),
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but int32 is provided",
        ),
        (
            predict_request("echo", {"number": np.float32([[1]])}, "number"),
            Code.INVALID_ARGUMENT,
            "Tensor number has shape [1, 1], expected (None,)",
        ),
        (request_with_wrong_shape(), Code.INVALID_ARGUMENT, "tensor parsing error: text"),
    ],
)
def test_bad_requests(server: Server, request_: Any, code: Any, message: str) -> None:
    assert call_error(prediction_stub(server).Predict, request_) == (code, message)
    assert len(prediction_stub(server).Predict(predict_request("echo", INPUTS)).outputs) == 5


def test_a_request_without_rows(server: Server) -> None:
    request = predict_request("echo", {"number": np.zeros([0], np.float32)}, "number")
    assert output_array(prediction_stub(server).Predict(request), "number").tolist() == []


def test_a_message_above_the_limit_is_rejected(server: Server) -> None:
    large = predict_request("movies", {"plot": ["a" * (17 << 20)]})
    code, _ = call_error(prediction_stub(server).Predict, large)
    assert code == Code.RESOURCE_EXHAUSTED
    assert (
        prediction_stub(server)
        .Predict(predict_request("movies", {"plot": ["a" * (10 << 20)]}))
        .outputs
    )


def add_examples(request: Any, *values: float) -> Any:
    for value in values:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)
    return request


def test_classify_regress_and_multi_inference(server: Server) -> None:
    request = add_examples(classification_pb2.ClassificationRequest(), 1.0, 3.0)
    request.model_spec.name = "scores"
    answer = prediction_stub(server).Classify(request)
    rows = [[(c.label, c.score) for c in r.classes] for r in answer.result.classifications]
    assert rows == [[("small", 1.0), ("large", 2.0)], [("small", 3.0), ("large", 6.0)]]

    request = add_examples(regression_pb2.RegressionRequest(), 3.0)
    request.model_spec.name, request.model_spec.signature_name = "scores", "half"
    assert [
        regression.value
        for regression in prediction_stub(server).Regress(request).result.regressions
    ] == [1.5]

    request = add_examples(inference_pb2.MultiInferenceRequest(), 3.0)
    for signature, kind in (("serving_default", "classify"), ("half", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{kind}")
        task.model_spec.name, task.model_spec.signature_name = "scores", signature
    first, second = prediction_stub(server).MultiInference(request).results
    assert first.classification_result.classifications[0].classes[1].score == 6.0
    assert second.regression_result.regressions[0].value == 1.5
    assert second.model_spec.signature_name == "half"


def test_context_is_merged_into_each_example(server: Server) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "scores"
    examples = request.input.example_list_with_context
    examples.context.features.feature["x"].float_list.value.append(4.0)
    examples.examples.add()
    examples.examples.add().features.feature["x"].float_list.value.append(1.0)
    rows = prediction_stub(server).Classify(request).result.classifications
    assert [row.classes[0].score for row in rows] == [4.0, 1.0]


def test_a_signature_answers_only_its_own_method(server: Server) -> None:
    call = prediction_stub(server)
    empty = classification_pb2.ClassificationRequest()
    empty.model_spec.name = "scores"
    assert call_error(call.Classify, empty) == (Code.INVALID_ARGUMENT, "Input is empty")
    wrong = add_examples(regression_pb2.RegressionRequest(), 1.0)
    wrong.model_spec.name = "scores"
    assert call_error(call.Regress, wrong) == (
        Code.INVALID_ARGUMENT,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
        "tensorflow/serving/classify",
    )
    request = inference_pb2.MultiInferenceRequest()
    assert call_error(call.MultiInference, request)[0] == Code.INVALID_ARGUMENT
    add_examples(request, 1.0)
    for name in ("scores", "echo"):
        request.tasks.add(method_name="x").model_spec.name = name
    assert call_error(call.MultiInference, request)[0] == Code.INVALID_ARGUMENT
    del request.tasks[1]
    assert call_error(call.MultiInference, request)[0] == Code.UNIMPLEMENTED


def test_metadata_contains_methods_and_defaults(server: Server) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "movies"
    answer = prediction_stub(server).GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert set(default.defaults) == set(MOVIE)
    assert answer.model_spec.version.value == 1
    request.metadata_field[:] = ["x"]
    message = "Metadata field x is not supported"
    assert call_error(prediction_stub(server).GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        message,
    )


def test_status_of_loaded_and_failed_versions(server: Server, directory: Path) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "foo"
    assert call_error(model_service_stub(server).GetModelStatus, request) == (
        Code.NOT_FOUND,
        "Could not find any versions of model foo",
    )
    save_corrupt_version(directory / "scores", 2)
    server.model_manager.refresh()
    request.model_spec.name = "scores"
    failed, loaded = model_service_stub(server).GetModelStatus(request).model_version_status
    states = get_model_status_pb2.ModelVersionStatus.State
    assert (loaded.version, loaded.state, loaded.status.error_code) == (1, states.AVAILABLE, 0)
    assert (failed.version, failed.state) == (2, states.END)
    assert failed.status.error_code != 0
    assert failed.status.error_message


def test_an_invalid_config_is_rejected(server: Server) -> None:
    reload = model_service_stub(server).HandleReloadConfigRequest
    assert call_error(reload, model_management_pb2.ReloadConfigRequest()) == (
        Code.INVALID_ARGUMENT,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported",
    )
    nameless = model_management_pb2.ReloadConfigRequest()
    nameless.config.model_config_list.config.add(name="x")
    assert call_error(reload, nameless) == (
        Code.INVALID_ARGUMENT,
        "model config: each model needs a name and a base_path",
    )
    assert len(prediction_stub(server).Predict(predict_request("echo", INPUTS)).outputs) == 5


def test_health(server: Server) -> None:
    checks = health_pb2_grpc.HealthStub(open_channel(server))
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = checks.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watched = checks.Watch(health_pb2.HealthCheckRequest(), timeout=0.7)
    seen = []
    with pytest.raises(grpc.RpcError):
        seen.extend(answer.status for answer in watched)
    assert len(seen) <= 1


def test_the_unix_socket_is_served(server: Server, socket_path: str) -> None:
    with grpc.insecure_channel(f"unix:{socket_path}") as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
            predict_request("echo", INPUTS)
        )
    assert output_array(answer, "whole").tolist() == [21, 24]


def test_a_deadline_is_respected(server: Server) -> None:
    call = prediction_stub(server)
    call.Predict(slow_request(0))
    started = time.monotonic()
    code, _ = call_error(call.Predict, slow_request(1), timeout=0.1)
    assert code == Code.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1
    assert output_array(call.Predict(slow_request(0)), "done").tolist() == [0]


def test_requests_beyond_the_queue_are_rejected(server: Server) -> None:
    call = prediction_stub(server)
    full = "The batch scheduling queue to which this task was submitted is full"

    def send(number: int) -> tuple[Any, str]:
        if number % 2:
            body = {"signature_name": "slow", "instances": [0.2]}
            answer = post(server, "/v1/models/echo:predict", body)
            return answer.status_code, answer.json().get("error", "")
        try:
            call.Predict(slow_request(0.2))
        except grpc.RpcError as error:
            return error.code(), error.details()  # type: ignore[attr-defined]
        return Code.OK, ""

    # One batch of four rows runs, and four rows wait in the queue.
    with ThreadPoolExecutor(32) as pool:
        results = Counter(pool.map(send, range(32)))
    rejected = results[Code.RESOURCE_EXHAUSTED, full], results[429, full]
    assert min(rejected) > 0
    assert results[Code.OK, ""] + results[200, ""] == 32 - sum(rejected) >= 5
    assert output_array(call.Predict(slow_request(0)), "done").tolist() == [0]
