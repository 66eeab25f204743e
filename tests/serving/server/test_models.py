"""Versions that come, go and fail while requests are under way."""

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
from serving.server import Batching, Server, ServerConfig
from serving.server.config import model_configs
from serving.server.models import wanted_versions
from tests.data.served import corrupt, get, post, request_of, running, save_echo, slow_request, stub

OFTEN = {
    "file_system_poll_wait_seconds": 0.05,
    "max_num_load_retries": 1000,
    "load_retry_interval_micros": 50_000,
}
ONE = {"number": [1.0]}
WHOLE = {"instances": [{"text": "a", "number": [1], "whole": 1, "flag": True}]}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "echo"
    base.mkdir()
    return base


def serve(base: Path, **changes: Any) -> Any:
    config = {"model_name": "echo", "model_base_path": base} | OFTEN | changes
    return running(ServerConfig(**config))


def served(server: Server) -> list[int]:
    """The versions that answer, by the status."""
    statuses = get(server, "/v1/models/echo").json().get("model_version_status", [])
    return [int(one["version"]) for one in statuses if one["state"] == "AVAILABLE"]


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def config_of(base: Path, **policy: Any) -> Any:
    config = model_server_config_pb2.ModelConfig(base_path=str(base))
    if "latest" in policy:
        config.model_version_policy.latest.num_versions = policy["latest"]
    elif "all" in policy:
        config.model_version_policy.all.SetInParent()
    elif "specific" in policy:
        config.model_version_policy.specific.versions.extend(policy["specific"])
    return config


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ({}, [30]),
        ({"latest": 2}, [30, 9]),
        ({"all": True}, [30, 9, 2]),
        ({"specific": [2, 9, 77]}, [9, 2]),
    ],
)
def test_version_policies(base: Path, policy: dict[str, Any], wanted: list[int]) -> None:
    for name in ("2", "9", "30", ".31", "32.part", "tmp", "٣"):
        (base / name).mkdir()
    (base / "40").write_text("no folder")
    found = wanted_versions(config_of(base, **policy))
    assert list(found) == wanted
    assert all(path == base / str(number) for number, path in found.items())
    assert wanted_versions(config_of(base / "gone", **policy)) == {}


def test_configs_are_checked() -> None:
    config = model_server_config_pb2.ModelServerConfig()
    models = config.model_config_list.config
    models.add(name="a", base_path="/a", model_platform="tensorflow")
    assert list(model_configs(config)) == ["a"]
    models.add(name="a", base_path="/b")
    with pytest.raises(UserError, match="the name a is given twice"):
        model_configs(config)
    models[1].name, models[1].model_platform = "b", "other"
    with pytest.raises(UserError, match="b is not of model_platform tensorflow"):
        model_configs(config)


def test_a_version_that_cannot_be_loaded_never_replaces_a_good_one(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        corrupt(base, 2)
        statuses: dict[str, Any] = {}

        def reported() -> bool:
            found = get(server, "/v1/models/echo").json()["model_version_status"]
            statuses.update({one["version"]: one for one in found})
            return statuses.get("2", {}).get("state") == "END"

        wait_for(reported)
        assert statuses["2"]["status"]["error_code"] != "OK"
        assert statuses["2"]["status"]["error_message"]
        for _ in range(10):
            answer = post(server, "/v1/models/echo:predict", WHOLE)
            assert answer.json()["predictions"][0]["whole"] == 1
            time.sleep(0.02)
        # Mended, it is served at the next attempt.
        shutil.rmtree(base / "2")
        save_echo(base, 2)
        wait_for(lambda: served(server) == [2])


@pytest.mark.parametrize("name", ["m[1]", "m*", "m?", "a\\b", "m{1,2}"])
def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path, name: str) -> None:
    """TensorFlow takes the path of the variables as a pattern."""
    base = tmp_path / name / "echo"
    save_echo(tmp_path / "plain", 2)
    base.parent.mkdir()
    (tmp_path / "plain").rename(base)
    with serve(base) as server:
        assert served(server) == [2]
        assert post(server, "/v1/models/echo:predict", WHOLE).json() == {
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
        answer = post(server, "/v1/models/echo:predict", WHOLE)
        words = {"error": "Servable not found for request: Latest(echo)"}
        assert (answer.status_code, answer.json()) == (404, words)
        assert not server.models.available()
        save_echo(base, 1)
        wait_for(lambda: served(server) == [1])
        assert server.models.available()


def test_a_folder_that_is_gone_for_a_moment_stops_nothing(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        base.rename(base.with_name("away"))
        time.sleep(0.3)
        assert served(server) == [1]
        assert stub(server).Predict(request_of("echo", ONE, "one")).outputs


def warmup(folder: Path, *requests: Any) -> None:
    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def test_a_version_is_served_once_its_warm_up_has_passed(base: Path, tmp_path: Path) -> None:
    save_echo(base, 1)
    good, bad = save_echo(tmp_path, 2), save_echo(tmp_path, 3)
    warmup(good, request_of("", ONE, "one"))
    warmup(bad, request_of("", ONE, "no such signature"))
    with serve(base) as server:
        good.rename(base / "2")
        wait_for(lambda: served(server) == [2])
        bad.rename(base / "3")
        wait_for(lambda: "no such signature" in get(server, "/v1/models/echo/versions/3").text)
        assert served(server) == [2]


def test_a_version_whose_warm_up_fails_is_let_go(base: Path) -> None:
    warmup(save_echo(base, 1), request_of("", ONE, "no such signature"))
    once = {"load_retry_interval_micros": 3_600_000_000}
    # A server of other tests may have threads of its own.
    others = batch_threads()
    with serve(base, batching=Batching(), **once) as server:
        assert not server.models.available()
        wait_for(lambda: batch_threads() <= others)


def batch_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "batch"}


def test_a_version_drains_before_it_goes(base: Path) -> None:
    save_echo(base, 1)
    with serve(base) as server:
        call = stub(server)
        call.Predict(slow_request(0))
        waiting = call.Predict.future(slow_request(0.8))
        save_echo(base, 2)
        wait_for(lambda: served(server) == [2])
        answer = waiting.result()
        assert answer.model_spec.version.value == 1
        wait_for(lambda: '"END"' in get(server, "/v1/models/echo/versions/1").text)


@pytest.mark.parametrize("batching", [None, Batching(max_batch_size=16)])
def test_no_request_fails_while_versions_change(base: Path, batching: Batching | None) -> None:
    save_echo(base, 1)
    stop = threading.Event()
    answered: Counter[str] = Counter()
    versions: set[int] = set()
    with serve(base, batching=batching, metrics_path="/figures") as server:

        def ask_grpc() -> None:
            call = stub(server)
            while not stop.is_set():
                try:
                    answer = call.Predict(request_of("echo", ONE, "one"), timeout=30)
                    versions.add(answer.model_spec.version.value)
                    answered["OK"] += 1
                except grpc.RpcError as error:
                    answered[str(error)] += 1

        def ask_rest() -> None:
            with httpx.Client(timeout=30) as client:
                url = f"{server.rest_url}/v1/models/echo:predict"
                while not stop.is_set():
                    answer = client.post(url, json=WHOLE)
                    answered["OK" if answer.status_code == 200 else answer.text] += 1

        threads = [threading.Thread(target=ask) for ask in [ask_grpc, ask_rest] * 2]
        for thread in threads:
            thread.start()
        for version in (2, 3):
            save_echo(base, version)
            wait_for(lambda version=version: served(server) == [version])
        # A rollback: the newest goes, the one before is served again.
        shutil.rmtree(base / "3")
        wait_for(lambda: served(server) == [2])
        stop.set()
        for thread in threads:
            thread.join()
    assert versions == {1, 2, 3}
    assert list(answered) == ["OK"]
    assert answered["OK"] > 100
