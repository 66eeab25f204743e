"""The files of `deploy/` and `serving/parameters` agree with the code."""

from pathlib import Path
from typing import Any

import yaml

from cli.serve import web_options
from schema.names import MODEL_NAME, SERVING_DIRECTORY
from serving import launch
from serving.server import config

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_parameter_files_are_read() -> None:
    batching = config.read_batching_config(launch.PARAMETERS_DIRECTORY / "batching.config")
    assert (batching.max_batch_size, batching.batch_timeout_micros) == (128, 4000)
    metrics = config.read_metrics_path(launch.PARAMETERS_DIRECTORY / "monitoring.config")
    [scrape] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["metrics_path"] == metrics == "/monitoring/prometheus/metrics"
    assert scrape["static_configs"] == [{"targets": ["tensorflow-serving:8501"]}]


def test_the_model_config_names_the_model() -> None:
    [model] = config.read_model_server_config(DEPLOY / "models.config").model_config_list.config
    assert (model.name, model.base_path) == (MODEL_NAME, f"/models/{MODEL_NAME}")


def test_the_files_that_the_compose_file_names_exist() -> None:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    assert set(services) == {"tensorflow-serving", "web", "prometheus"}
    server = services["tensorflow-serving"]
    models, *files = server["volumes"]
    pushed = f"${{SERVING_DIRECTORY:-../output/{SERVING_DIRECTORY}/{MODEL_NAME}}}"
    assert models == f"{pushed}:/models/{MODEL_NAME}:ro"
    mounts = {}
    for mount in files:
        source, target, mode = mount.split(":")
        assert mode == "ro"
        mounts[target] = DEPLOY / source
    paths = [Path(flag.partition("=")[2]) for flag in server["command"] if "_file=" in flag]
    assert [mounts[str(path.parent)] / path.name for path in paths] == [
        DEPLOY / "models.config",
        DEPLOY / "../serving/parameters/batching.config",
        DEPLOY / "../serving/parameters/monitoring.config",
    ]
    assert all((mounts[str(path.parent)] / path.name).is_file() for path in paths)


def test_the_compose_file_starts_the_web_page_as_launch_does() -> None:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    web = services["web"]
    assert (DEPLOY / web["build"] / "Dockerfile").is_file()
    address = launch.Address("0.0.0.0", 8500, 8501, 8080, Path("x"))
    command = web_options(address)
    pairs = dict(zip(command[::2], command[1::2], strict=True))
    compose_options = {
        "--rest-url": "http://tensorflow-serving:8501",
        "--grpc": "tensorflow-serving:8500",
    }
    assert web["command"] == [
        f"{name}={value}" for name, value in (pairs | compose_options).items()
    ]
    [volume] = services["prometheus"]["volumes"]
    assert (DEPLOY / volume.partition(":")[0]).is_file()


def test_the_documents_name_the_model() -> None:
    documents = (DEPLOY.parent / "README.md", DEPLOY.parent / "docs" / "client.md")
    text = "\n".join(path.read_text() for path in documents)
    assert f"/v1/models/{MODEL_NAME}:predict" in text
    assert f'"name": "{MODEL_NAME}"' in text
    assert f'Path("output/{SERVING_DIRECTORY}/{MODEL_NAME}")' in text
