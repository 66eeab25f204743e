"""Configuration files in text form, those of `deploy/` among them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.rollback import MODEL_DIRECTORY
from schema.errors import UserError
from serving import launch
from serving.server import Batching, Ssl, text_config

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_batching(file: Path) -> None:
    file.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 500 }\n"
        "num_batch_threads { value: 3 } allowed_batch_sizes: 4 allowed_batch_sizes: 8\n"
        "pad_variable_length_inputs: true thread_pool_name { value: 'x' }"
    )
    assert text_config.read_batching(file) == Batching(
        max_batch_size=8,
        batch_timeout_micros=500,
        num_batch_threads=3,
        allowed_batch_sizes=(4, 8),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size: 8", "is not as expected: line 1:17"),
        ("max_batch_sice { value: 8 }", "is not as expected: line 1:1"),
        ("max_batch_size { value: 0 }", "max_batch_size must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must not be negative"),
        ("allowed_batch_sizes: 4", "must rise and end in max_batch_size, 1000"),
    ],
)
def test_mistakes_are_told(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        text_config.read_batching(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(UserError, match="file cannot be read"):
        text_config.read_models(file)


def test_monitoring(file: Path) -> None:
    file.write_text("prometheus_config { enable: true }")
    assert text_config.read_monitoring(file) == "/monitoring/prometheus/metrics"
    file.write_text("prometheus_config { enable: false path: '/x' }")
    assert text_config.read_monitoring(file) is None


def test_ssl(file: Path) -> None:
    file.write_text("server_key: 'k' server_cert: 'c' client_verify: true")
    assert text_config.read_ssl(file) == Ssl("k", "c", "", client_verify=True)
    file.write_text("server_key: 'k'")
    with pytest.raises(UserError, match="server_key and server_cert must both be given"):
        text_config.read_ssl(file)


def test_the_files_of_deploy_are_read() -> None:
    assert text_config.read_batching(DEPLOY / "batching.config").max_batch_size == 128
    metrics = text_config.read_monitoring(DEPLOY / "monitoring.config")
    [model] = text_config.read_models(DEPLOY / "models.config").model_config_list.config
    assert (model.name, model.base_path) == (launch.MODEL_NAME, f"/models/{launch.MODEL_NAME}")
    [scrape] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["metrics_path"] == metrics
    assert scrape["static_configs"] == [{"targets": ["tensorflow-serving:8501"]}]


def test_the_compose_file_mounts_and_names_what_is_there() -> None:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    assert set(services) == {"tensorflow-serving", "web", "prometheus"}
    server = services["tensorflow-serving"]
    [models, deploy] = server["volumes"]
    assert f"-../output/{MODEL_DIRECTORY}}}:/models/{launch.MODEL_NAME}:ro" in models
    assert deploy == ".:/deploy:ro"
    files = [flag.partition("=")[2] for flag in server["command"] if "=/deploy/" in flag]
    assert len(files) == 3
    assert all((DEPLOY / Path(name).name).is_file() for name in files)
    assert (DEPLOY / services["web"]["build"] / "Dockerfile").is_file()
    address = launch.Address("0.0.0.0", 8500, 8501, 8080, Path("x"))
    flags = [part for part in launch.web_command(address)[3:] if part.startswith("--")]
    assert [part.partition("=")[0] for part in services["web"]["command"]] == flags
    [mounted] = services["prometheus"]["volumes"]
    assert (DEPLOY / mounted.partition(":")[0]).is_file()
