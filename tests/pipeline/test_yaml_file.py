"""The YAML syntax of configuration files."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import yaml_file
from schema.errors import UserError


def read(directory: Path, text: str) -> dict[str, Any]:
    file = directory / "settings.yaml"
    file.write_text(text)
    return yaml_file.read(file)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-2e+2", -200.0),
        (".5e1", 5.0),
        ("1.e2", 100.0),
        ("1.0e-3", 0.001),
        ("'1e-3'", "1e-3"),
        ("e3", "e3"),
        ("1e", "1e"),
        ("1e3x", "1e3x"),
        ("3", 3),
    ],
)
def test_numbers_with_an_exponent_are_numbers(tmp_path: Path, written: str, value: Any) -> None:
    found = read(tmp_path, f"hparams: {{learning_rate: {written}}}")
    assert found == {"hparams": {"learning_rate": value}}
    assert type(found["hparams"]["learning_rate"]) is type(value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {}


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("hparams: {epochs: 2}\ngate: {floor: 0.1}\nhparams: {dropout: 0.2}\n", 3, "hparams"),
        ("hparams:\n  epochs: 2\n  dropout: 0.2\n  epochs: 3\n", 4, "epochs"),
        ("gate:\n  genre_floors: {War: 0.1, Drama: 0.2, War: 0.3}\n", 2, "War"),
        ("a: [{x: 1, x: 2}]\n", 1, "x"),
    ],
)
def test_a_duplicate_key_is_refused(tmp_path: Path, text: str, line: int, name: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == (
        f"{tmp_path / 'settings.yaml'}: line {line}: the key {name} is a duplicate. Merge its "
        "settings into one place."
    )


def test_merged_values_can_be_overridden(tmp_path: Path) -> None:
    text = "gate: &usual {floor: 0.1, min_support: 5}\nother: {<<: *usual, floor: 0.2}\n"
    assert read(tmp_path, text)["other"] == {"floor": 0.2, "min_support": 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"gate: [", "is not valid YAML: line 1, column 8: expected the node content, but found"),
        (
            b"gate: {floor: 0.7\nhparams: {}",
            "is not valid YAML: line 2, column 8: expected ',' or '}', but got ':'",
        ),
        (b"gate: {floor: \xff}", "is not valid YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"[1, 2]", "expected sections such as `gate:` at the top"),
        (b"gate", "expected sections such as `gate:` at the top"),
        (b"? [1]\n: 2", "is not valid YAML: line 1, column 3: found unhashable key"),
        (
            b"a: !!python/object:os.system {}",
            "is not valid YAML: line 1, column 4: could not determine a constructor",
        ),
        (
            b"a: 1\n---\nb: 2",
            "is not valid YAML: line 2, column 1: expected a single document in the stream, but",
        ),
        (b"[" * 5000, "lists or sections are nested too deeply"),
        (b"a: " + b"[" * 300 + b"]" * 300, "lists or sections are nested too deeply"),
        (b"a: &a [*a]", "lists or sections are nested too deeply"),
        (b"a: " + b"1" * 1_000_000, "is not valid YAML: Exceeds the limit (4300 digits)"),
        (b"a: 2024-13-45", "is not valid YAML: month must be in 1..12"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_invalid_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        yaml_file.read(file)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        yaml_file.read(tmp_path / "none.yaml")
