"""The gRPC interface, asked with TensorFlow Serving's own stubs."""

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
from serving.server import Batching, Server, ServerConfig
from tests.data.served import (
    MOVIE,
    channel,
    corrupt,
    management,
    post,
    request_of,
    running,
    save_echo,
    save_scores,
    slow_request,
    stub,
)
from tests.data.tiny_model import save_tiny_model

Code = grpc.StatusCode
ALL: dict[str, Any] = {
    "text": ["a", "b"],
    "number": np.array([[1.5], [2.5]], np.float32),
    "whole": np.array([7, 8], np.int64),
    "flag": [True, False],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("echo", "movies", "scores"):
        (folder / name).mkdir()
    save_tiny_model(folder / "movies" / "1")
    save_echo(folder / "echo", 2)
    save_echo(folder / "echo", 3)
    save_scores(folder / "scores")
    return folder


def reload_request(folder: Path, *names: str, **labels: int) -> Any:
    request = model_management_pb2.ReloadConfigRequest()
    for name in names:
        one = request.config.model_config_list.config.add(
            name=name, base_path=str(folder / name), model_platform="tensorflow"
        )
        if name == "echo":
            one.model_version_policy.all.SetInParent()
            one.version_labels.update(labels)
    return request


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    # The path of a socket may have a hundred characters.
    return str(tmp_path_factory.mktemp("s") / "s")


@pytest.fixture(scope="module")
def server(folder: Path, socket_path: str) -> Iterator[Server]:
    config = ServerConfig(
        model_name="movies",
        model_base_path=folder / "movies",
        batching=Batching(max_batch_size=4, max_enqueued_batches=1, num_batch_threads=1),
        grpc_socket_path=socket_path,
        body_limit=16 << 20,
    )
    with running(config) as one:
        request = reload_request(folder, "movies", "scores", "echo")
        management(one).HandleReloadConfigRequest(request)
        yield one


def array(answer: Any, name: str) -> np.ndarray:
    return tf.make_ndarray(answer.outputs[name])


def refused(call: Any, request: Any, **options: Any) -> tuple[Any, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, **options)
    return caught.value.code(), caught.value.details()  # type: ignore[attr-defined]


def test_what_is_left_out_takes_its_default(server: Server, folder: Path) -> None:
    model = tf.saved_model.load(str(folder / "movies" / "1"))
    movie = {name: [float("nan") if name in raw.NUMBERS else ""] for name in raw.MODEL_INPUTS}
    movie |= {"title": ["A", "B"], "year": [1957.0]}
    wanted = model.signatures["serving_default"](**{n: tf.constant(v) for n, v in movie.items()})
    request = request_of("movies", {"title": ["A", "B"], "year": np.float32([1957])})
    answer = stub(server).Predict(request)
    assert array(answer, "probabilities") == pytest.approx(wanted["probabilities"].numpy(), 1e-5)
    assert array(answer, "genres").tolist() == wanted["genres"].numpy().tolist()
    assert array(answer, "predicted").tolist() == wanted["predicted"].numpy().tolist()


def test_the_answer_names_model_version_and_signature(server: Server) -> None:
    answer = stub(server).Predict(request_of("echo", ALL))
    assert answer.model_spec.name == "echo"
    assert answer.model_spec.version.value == 3
    assert answer.model_spec.signature_name == "serving_default"
    assert array(answer, "whole").tolist() == [21, 24]
    assert array(answer, "text").tolist() == [b"a", b"b"]


def test_a_version_can_be_chosen(server: Server) -> None:
    request = request_of("echo", ALL)
    request.model_spec.version.value = 2
    assert array(stub(server).Predict(request), "whole").tolist() == [14, 16]


def test_labels_follow_the_config(server: Server, folder: Path) -> None:
    reload = management(server).HandleReloadConfigRequest
    names = ("movies", "scores", "echo")
    reload(reload_request(folder, *names, stable=2))
    request = request_of("echo", ALL)
    request.model_spec.version_label = "stable"
    assert array(stub(server).Predict(request), "whole").tolist() == [14, 16]
    assert refused(reload, reload_request(folder, *names, stable=9)) == (
        Code.INVALID_ARGUMENT,
        "Request to assign label to version 9 of model echo, which is not currently available for "
        "inference",
    )
    assert array(stub(server).Predict(request), "whole").tolist() == [14, 16]


def test_outputs_can_be_filtered(server: Server) -> None:
    request = request_of("echo", ALL)
    request.output_filter.extend(["whole", "flag"])
    assert set(stub(server).Predict(request).outputs) == {"whole", "flag"}
    request.output_filter.append("flag")
    words = "duplicate output tensor alias: flag"
    assert refused(stub(server).Predict, request) == (Code.INVALID_ARGUMENT, words)
    request.output_filter[:] = ["nothing"]
    code, words = refused(stub(server).Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("output tensor alias not found in signature: nothing Outputs expected")


def with_spec(**spec: Any) -> Any:
    request = request_of(spec.get("name", "echo"), ALL, spec.get("signature", ""))
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    return request


def lying_shape() -> Any:
    request = request_of("echo", ALL)
    request.inputs["text"].tensor_shape.dim[0].size = 1 << 40
    return request


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (predict_pb2.PredictRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (with_spec(name="foo"), Code.NOT_FOUND, "Servable not found for request: Latest(foo)"),
        (
            with_spec(version=50),
            Code.NOT_FOUND,
            "Servable not found for request: Specific(echo, 50)",
        ),
        (
            with_spec(label="x"),
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: x",
        ),
        (
            with_spec(signature="x"),
            Code.FAILED_PRECONDITION,
            'Serving signature key "x" not found.',
        ),
        (
            request_of("echo", {"text": ["a"]}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 1!=4 len({text}) != "
            "len({flag,number,text,whole}). Sent extra: {}. Missing but required: "
            "{flag,number,whole}.",
        ),
        (
            request_of("echo", {**ALL, "other": [1]}),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 5!=4 len({flag,number,other,text,whole}) != "
            "len({flag,number,text,whole}). Sent extra: {other}. Missing but required: {}.",
        ),
        (
            request_of("echo", {"number": [1]}, "one"),
            Code.INVALID_ARGUMENT,
            "Expects arg[0] to be float but int32 is provided",
        ),
        (
            request_of("echo", {"number": np.float32([[1]])}, "one"),
            Code.INVALID_ARGUMENT,
            "Tensor number has shape [1, 1], expected (None,)",
        ),
        (lying_shape(), Code.INVALID_ARGUMENT, "tensor parsing error: text"),
    ],
)
def test_bad_requests(server: Server, request_: Any, code: Any, words: str) -> None:
    assert refused(stub(server).Predict, request_) == (code, words)
    assert len(stub(server).Predict(request_of("echo", ALL)).outputs) == 5


def test_no_rows_in_no_rows_out(server: Server) -> None:
    request = request_of("echo", {"number": np.zeros([0], np.float32)}, "one")
    assert array(stub(server).Predict(request), "number").tolist() == []


def test_a_message_above_the_limit_is_refused(server: Server) -> None:
    large = request_of("movies", {"plot": ["a" * (17 << 20)]})
    code, _ = refused(stub(server).Predict, large)
    assert code == Code.RESOURCE_EXHAUSTED
    assert stub(server).Predict(request_of("movies", {"plot": ["a" * (10 << 20)]})).outputs


def examples(request: Any, *values: float) -> Any:
    for value in values:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)
    return request


def test_classify_regress_and_both_at_once(server: Server) -> None:
    request = examples(classification_pb2.ClassificationRequest(), 1.0, 3.0)
    request.model_spec.name = "scores"
    answer = stub(server).Classify(request)
    rows = [[(c.label, c.score) for c in r.classes] for r in answer.result.classifications]
    assert rows == [[("small", 1.0), ("large", 2.0)], [("small", 3.0), ("large", 6.0)]]

    request = examples(regression_pb2.RegressionRequest(), 3.0)
    request.model_spec.name, request.model_spec.signature_name = "scores", "half"
    assert [one.value for one in stub(server).Regress(request).result.regressions] == [1.5]

    request = examples(inference_pb2.MultiInferenceRequest(), 3.0)
    for signature, kind in (("serving_default", "classify"), ("half", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{kind}")
        task.model_spec.name, task.model_spec.signature_name = "scores", signature
    first, second = stub(server).MultiInference(request).results
    assert first.classification_result.classifications[0].classes[1].score == 6.0
    assert second.regression_result.regressions[0].value == 1.5
    assert second.model_spec.signature_name == "half"


def test_context_is_merged_into_each_example(server: Server) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "scores"
    together = request.input.example_list_with_context
    together.context.features.feature["x"].float_list.value.append(4.0)
    together.examples.add()
    together.examples.add().features.feature["x"].float_list.value.append(1.0)
    rows = stub(server).Classify(request).result.classifications
    assert [row.classes[0].score for row in rows] == [4.0, 1.0]


def test_signatures_do_what_they_are_made_for(server: Server) -> None:
    call = stub(server)
    empty = classification_pb2.ClassificationRequest()
    empty.model_spec.name = "scores"
    assert refused(call.Classify, empty) == (Code.INVALID_ARGUMENT, "Input is empty")
    wrong = examples(regression_pb2.RegressionRequest(), 1.0)
    wrong.model_spec.name = "scores"
    assert refused(call.Regress, wrong) == (
        Code.INVALID_ARGUMENT,
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
        "tensorflow/serving/classify",
    )
    request = inference_pb2.MultiInferenceRequest()
    assert refused(call.MultiInference, request)[0] == Code.INVALID_ARGUMENT
    examples(request, 1.0)
    for name in ("scores", "echo"):
        request.tasks.add(method_name="x").model_spec.name = name
    assert refused(call.MultiInference, request)[0] == Code.INVALID_ARGUMENT
    del request.tasks[1]
    assert refused(call.MultiInference, request)[0] == Code.UNIMPLEMENTED


def test_metadata_holds_methods_and_defaults(server: Server) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "movies"
    answer = stub(server).GetModelMetadata(request)
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(found)
    default = found.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert set(default.defaults) == set(MOVIE)
    assert answer.model_spec.version.value == 1
    request.metadata_field[:] = ["x"]
    words = "Metadata field x is not supported"
    assert refused(stub(server).GetModelMetadata, request) == (Code.INVALID_ARGUMENT, words)


def test_status_of_good_and_bad_versions(server: Server, folder: Path) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "foo"
    assert refused(management(server).GetModelStatus, request) == (
        Code.NOT_FOUND,
        "Could not find any versions of model foo",
    )
    corrupt(folder / "scores", 2)
    server.models.refresh()
    request.model_spec.name = "scores"
    two, one = management(server).GetModelStatus(request).model_version_status
    states = get_model_status_pb2.ModelVersionStatus.State
    assert (one.version, one.state, one.status.error_code) == (1, states.AVAILABLE, 0)
    assert (two.version, two.state) == (2, states.END)
    assert two.status.error_code != 0
    assert two.status.error_message


def test_a_config_of_another_kind_is_refused(server: Server) -> None:
    reload = management(server).HandleReloadConfigRequest
    assert refused(reload, model_management_pb2.ReloadConfigRequest()) == (
        Code.INVALID_ARGUMENT,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported",
    )
    nameless = model_management_pb2.ReloadConfigRequest()
    nameless.config.model_config_list.config.add(name="x")
    assert refused(reload, nameless) == (
        Code.INVALID_ARGUMENT,
        "model config: each model needs a name and a base_path",
    )
    assert len(stub(server).Predict(request_of("echo", ALL)).outputs) == 5


def test_health(server: Server) -> None:
    checks = health_pb2_grpc.HealthStub(channel(server))
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = checks.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watched = checks.Watch(health_pb2.HealthCheckRequest(), timeout=0.7)
    seen = []
    with pytest.raises(grpc.RpcError):
        seen.extend(answer.status for answer in watched)
    assert len(seen) <= 1


def test_the_unix_socket_answers(server: Server, socket_path: str) -> None:
    with grpc.insecure_channel(f"unix:{socket_path}") as over:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(over).Predict(
            request_of("echo", ALL)
        )
    assert array(answer, "whole").tolist() == [21, 24]


def test_a_deadline_is_kept(server: Server) -> None:
    call = stub(server)
    call.Predict(slow_request(0))
    started = time.monotonic()
    code, _ = refused(call.Predict, slow_request(1), timeout=0.1)
    assert code == Code.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1
    assert array(call.Predict(slow_request(0)), "done").tolist() == [0]


def test_too_much_work_is_refused_and_the_rest_answered(server: Server) -> None:
    call = stub(server)
    full = "The batch scheduling queue to which this task was submitted is full"

    def ask(number: int) -> tuple[Any, str]:
        if number % 2:
            body = {"signature_name": "slow", "instances": [0.2]}
            answer = post(server, "/v1/models/echo:predict", body)
            return answer.status_code, answer.json().get("error", "")
        try:
            call.Predict(slow_request(0.2))
        except grpc.RpcError as error:
            return error.code(), error.details()  # type: ignore[attr-defined]
        return Code.OK, ""

    # One batch of four runs, four rows wait.
    with ThreadPoolExecutor(32) as pool:
        met = Counter(pool.map(ask, range(32)))
    refused_ = met[Code.RESOURCE_EXHAUSTED, full], met[429, full]
    assert min(refused_) > 0
    assert met[Code.OK, ""] + met[200, ""] == 32 - sum(refused_) >= 5
    assert array(call.Predict(slow_request(0)), "done").tolist() == [0]
