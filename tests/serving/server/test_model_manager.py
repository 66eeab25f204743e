"""Tests of loading, unloading and failing versions while requests are running."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from schema.errors import UserError
from schema.names import WARMUP_FILE
from serving.server import BatchingConfig, Server, ServerConfig
from serving.server.config import model_configs_by_name
from serving.server.model_manager import select_versions
from tests.data.model_server import (
    get,
    post,
    predict_request,
    prediction_stub,
    run_server,
    save_corrupt_version,
    save_echo,
    slow_request,
)

FAST_POLLING = {
    "file_system_poll_wait_seconds": 0.05,
    "max_num_load_retries": 1000,
    "load_retry_interval_micros": 50_000,
}
NUMBER_INPUT = {"number": [1.0]}
BODY = {"instances": [{"text": "a", "number": [1], "whole": 1, "flag": True}]}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "echo"
    base.mkdir()
    return base


def serve(base: Path, **changes: Any) -> Any:
    config = {"model_name": "echo", "model_base_path": base} | FAST_POLLING | changes
    return run_server(ServerConfig(**config))


def available_versions(server: Server) -> list[int]:
    """Return the versions that are available according to the status."""
    statuses = get(server, "/v1/models/echo").json().get("model_version_status", [])
    return [int(status["version"]) for status in statuses if status["state"] == "AVAILABLE"]


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def model_config(base: Path, **policy: Any) -> Any:
    config = model_server_config_pb2.ModelConfig(base_path=str(base))
    if "latest" in policy:
        config.model_version_policy.latest.num_versions = policy["latest"]
    elif "all" in policy:
        config.model_version_policy.all.SetInParent()
    elif "specific" in policy:
        config.model_version_policy.specific.versions.extend(policy["specific"])
    return config


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [30]),
        ({"latest": 2}, [30, 9]),
        ({"all": True}, [30, 9, 2]),
        ({"specific": [2, 9, 77]}, [9, 2]),
    ],
)
def test_version_policies(base: Path, policy: dict[str, Any], expected: list[int]) -> None:
    for name in ("2", "9", "30", ".31", "32.part", "tmp", "٣"):
        (base / name).mkdir()
    (base / "40").write_text("not a directory")
    paths = select_versions(model_config(base, **policy))
    assert list(paths) == expected
    assert all(path == base / str(number) for number, path in paths.items())
    assert select_versions(model_config(base / "gone", **policy)) == {}


def test_model_configs_are_validated() -> None:
    config = model_server_config_pb2.ModelServerConfig()
    models = config.model_config_list.config
    models.add(name="a", base_path="/a", model_platform="tensorflow")
    assert list(model_configs_by_name(config)) == ["a"]
    models.add(name="a", base_path="/b")
    with pytest.raises(UserError, match="a: expected one model of this name"):
        model_configs_by_name(config)
    models[1].name, models[1].model_platform = "b", "other"
    with pytest.raises(UserError, match="b: expected the model_platform tensorflow, got other"):
        model_configs_by_name(config)


def test_a_version_that_fails_to_load_replaces_nothing(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        save_corrupt_version(base, 2)
        statuses: dict[str, Any] = {}

        def is_reported() -> bool:
            entries = get(server, "/v1/models/echo").json()["model_version_status"]
            statuses.update({status["version"]: status for status in entries})
            return statuses.get("2", {}).get("state") == "END"

        wait_for(is_reported)
        assert statuses["2"]["status"]["error_code"] != "OK"
        assert statuses["2"]["status"]["error_message"]
        for _ in range(10):
            answer = post(server, "/v1/models/echo:predict", BODY)
            assert answer.json()["predictions"][0]["whole"] == 1
            time.sleep(0.02)
        # A repaired version is loaded at the next attempt.
        shutil.rmtree(base / "2")
        save_echo(base, 2)
        wait_for(lambda: available_versions(server) == [2])


@pytest.mark.parametrize("name", ["m[1]", "m*", "m?", "a\\b", "m{1,2}"])
def test_a_directory_with_wildcards_in_its_name(tmp_path: Path, name: str) -> None:
    """TensorFlow treats the path of the variables as a glob pattern."""
    base = tmp_path / name / "echo"
    save_echo(tmp_path / "plain", 2)
    base.parent.mkdir()
    (tmp_path / "plain").rename(base)
    with serve(base) as server:
        assert available_versions(server) == [2]
        assert post(server, "/v1/models/echo:predict", BODY).json() == {
            "predictions": [
                {
                    "flag": True,
                    "number": [1.0],
                    "text": "a",
                    "text_bytes": {"b64": "YQ=="},
                    "whole": 2,
                }
            ]
        }


def test_a_server_without_a_version_waits_for_one(base: Path) -> None:
    with serve(base) as server:
        answer = post(server, "/v1/models/echo:predict", BODY)
        error = {"error": "Servable not found for request: Latest(echo)"}
        assert (answer.status_code, answer.json()) == (404, error)
        assert not server.model_manager.all_available()
        save_echo(base, 1)
        wait_for(lambda: available_versions(server) == [1])
        assert server.model_manager.all_available()


def test_a_directory_may_be_missing_for_a_moment(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        base.rename(base.with_name("away"))
        time.sleep(0.3)
        assert available_versions(server) == [1]
        assert (
            prediction_stub(server).Predict(predict_request("echo", NUMBER_INPUT, "number")).outputs
        )


def write_warmup(directory: Path, *requests: Any) -> None:
    file = directory / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def test_a_version_is_served_after_its_warm_up(base: Path, tmp_path: Path) -> None:
    save_echo(base, 1)
    valid, invalid = save_echo(tmp_path, 2), save_echo(tmp_path, 3)
    write_warmup(valid, predict_request("", NUMBER_INPUT, "number"))
    write_warmup(invalid, predict_request("", NUMBER_INPUT, "no such signature"))
    with serve(base) as server:
        valid.rename(base / "2")
        wait_for(lambda: available_versions(server) == [2])
        invalid.rename(base / "3")
        wait_for(lambda: "no such signature" in get(server, "/v1/models/echo/versions/3").text)
        assert available_versions(server) == [2]


def test_a_version_whose_warm_up_fails_is_unloaded(base: Path) -> None:
    write_warmup(save_echo(base, 1), predict_request("", NUMBER_INPUT, "no such signature"))
    once = {"load_retry_interval_micros": 3_600_000_000}
    # Servers of other tests may have batching threads as well.
    others = batch_threads()
    with serve(base, batching=BatchingConfig(), **once) as server:
        assert not server.model_manager.all_available()
        wait_for(lambda: batch_threads() <= others)


def batch_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "batch"}


def test_running_requests_are_answered_before_a_version_is_unloaded(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        call = prediction_stub(server)
        call.Predict(slow_request(0))
        waiting = call.Predict.future(slow_request(0.8))
        save_echo(base, 2)
        wait_for(lambda: available_versions(server) == [2])
        answer = waiting.result()
        assert answer.model_spec.version.value == 1
        wait_for(lambda: '"END"' in get(server, "/v1/models/echo/versions/1").text)


@pytest.mark.parametrize("batching", [None, BatchingConfig(max_batch_size=16)])
def test_no_request_fails_while_versions_change(
    base: Path, batching: BatchingConfig | None
) -> None:
    save_echo(base, 1)
    stop = threading.Event()
    results: Counter[str] = Counter()
    versions: set[int] = set()
    with serve(base, batching=batching, metrics_path="/metrics") as server:

        def send_grpc() -> None:
            call = prediction_stub(server)
            while not stop.is_set():
                try:
                    answer = call.Predict(
                        predict_request("echo", NUMBER_INPUT, "number"), timeout=30
                    )
                    versions.add(answer.model_spec.version.value)
                    results["OK"] += 1
                except grpc.RpcError as error:
                    results[str(error)] += 1

        def send_rest() -> None:
            with httpx.Client(timeout=30) as client:
                url = f"{server.rest_url}/v1/models/echo:predict"
                while not stop.is_set():
                    answer = client.post(url, json=BODY)
                    results["OK" if answer.status_code == 200 else answer.text] += 1

        threads = [threading.Thread(target=send) for send in [send_grpc, send_rest] * 2]
        for thread in threads:
            thread.start()
        for version in (2, 3):
            save_echo(base, version)
            wait_for(lambda version=version: available_versions(server) == [version])
        # A rollback: the newest version is deleted, and the previous one is served again.
        shutil.rmtree(base / "3")
        wait_for(lambda: available_versions(server) == [2])
        stop.set()
        for thread in threads:
            thread.join()
    assert versions == {1, 2, 3}
    assert list(results) == ["OK"]
    assert results["OK"] > 100
