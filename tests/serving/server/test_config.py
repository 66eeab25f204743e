"""Tests of the configuration files in text format."""

from pathlib import Path

import pytest

from schema.errors import UserError
from serving.server import BatchingConfig, config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_batching(file: Path) -> None:
    file.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 500 }\n"
        "num_batch_threads { value: 3 } allowed_batch_sizes: 4 allowed_batch_sizes: 8\n"
        "pad_variable_length_inputs: true thread_pool_name { value: 'x' }"
    )
    assert config.read_batching_config(file) == BatchingConfig(
        max_batch_size=8,
        batch_timeout_micros=500,
        num_batch_threads=3,
        allowed_batch_sizes=(4, 8),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 8", "file: line 1:17"),
        ("max_batch_sice { value: 8 }", "file: line 1:1"),
        ("max_batch_size { value: 0 }", "max_batch_size must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must not be negative"),
        ("allowed_batch_sizes: 4", "allowed_batch_sizes must be in ascending order"),
    ],
)
def test_invalid_batching_parameters(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        config.read_batching_config(file)


def test_a_missing_file(file: Path) -> None:
    with pytest.raises(UserError, match="file: cannot be read: No such file"):
        config.read_model_server_config(file)


def test_monitoring(file: Path) -> None:
    file.write_text("prometheus_config { enable: true }")
    assert config.read_metrics_path(file) == "/monitoring/prometheus/metrics"
    file.write_text("prometheus_config { enable: false path: '/x' }")
    assert config.read_metrics_path(file) is None


def test_ssl(file: Path) -> None:
    file.write_text("server_key: 'k' server_cert: 'c' client_verify: true")
    ssl = config.read_ssl_config(file)
    assert (ssl.server_key, ssl.server_cert, ssl.custom_ca) == ("k", "c", "")
    assert ssl.client_verify
    file.write_text("server_key: 'k'")
    with pytest.raises(UserError, match="expected both server_key and server_cert"):
        config.read_ssl_config(file)
