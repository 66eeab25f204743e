"""SmokeTest blesses a good model and refuses others, even if the probe crashes."""

import json
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.components.util import model_utils
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.smoke_test.component import SmokeTest, run_probe
from schema import manifest
from schema.errors import UserError
from schema.names import Node
from tests.data.tiny_model import (
    Tensors,
    save_tiny_model,
    write_examples,
    write_genres,
    write_verdict,
)


def run_smoke_test(
    directory: Path,
    *,
    model_blessed: bool | None = None,
    rows: int = 4,
    time_limit_seconds: int = 120,
    judged: str = "",
) -> standard_artifacts.InfraBlessing:
    """Run the component on the model and the examples in a directory."""
    model = standard_artifacts.Model()
    model.uri = str(directory / "model")
    examples = standard_artifacts.Examples()
    examples.uri = str(directory / "examples")
    examples.split_names = artifact_utils.encode_split_names(["train", "test"])
    examples.span = 0
    blessing_of_evaluator = None
    if model_blessed is not None:
        blessing_of_evaluator = standard_artifacts.ModelBlessing()
        blessing_of_evaluator.set_int_custom_property("blessed", int(model_blessed))
        blessing_of_evaluator.uri = str(directory / "verdict")
        write_verdict(directory / "verdict", judged or manifest.digest(model_path(directory)))
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(directory / "blessing")
    SmokeTest.test_call(
        model=model,
        examples=examples,
        blessing=blessing,
        model_blessing=blessing_of_evaluator,
        rows=rows,
        time_limit_seconds=time_limit_seconds,
    )
    return blessing


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with examples as CsvExampleGen writes them. Tests add the model."""
    write_examples(tmp_path / "examples" / "Split-test", 4)
    return tmp_path


def model_path(directory: Path) -> Path:
    return directory / "model" / "Format-Serving"


def file_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_good_model_is_blessed_as_by_infra_validator(directory: Path) -> None:
    save_tiny_model(model_path(directory))

    blessing = run_smoke_test(directory, model_blessed=True)

    assert model_utils.is_infra_validated(blessing)
    assert blessing.get_string_custom_property("reason") == ""
    assert file_names(directory / "blessing") == ["INFRA_BLESSED", "probe.log", "report.json"]
    report = json.loads((directory / "blessing" / "report.json").read_text())
    assert report["passed"] is True
    assert report["rows"][:5] == [
        "row 0 (tt0000001)",
        "row 1 (tt0000003)",
        "row 2 (tt0000002)",
        "row 3 (tt0000004)",
        "edge case 'all empty'",
    ]


def test_a_faulty_model_is_refused_with_its_reason(directory: Path) -> None:
    def swapped(features: Tensors, answer: Tensors) -> Tensors:
        return {**answer, "genres": tf.reverse(answer["genres"], [1])}

    save_tiny_model(model_path(directory), serving_default=swapped)

    blessing = run_smoke_test(directory)

    assert blessing.get_int_custom_property("blessed") == 0
    assert not model_utils.is_infra_validated(blessing)
    assert blessing.get_string_custom_property("reason") == (
        "serving_default: genres are not those of the training in the same order in 16 of "
        "16 rows, first row 0 (tt0000001), Action"
    )
    assert file_names(directory / "blessing") == ["INFRA_NOT_BLESSED", "probe.log", "report.json"]


@pytest.mark.slow
def test_a_model_that_hangs_is_refused_after_the_time_limit(directory: Path) -> None:
    def endless(features: Tensors, answer: Tensors) -> Tensors:
        longest = tf.reduce_max(tf.strings.length(features["plot"]))
        turns = tf.while_loop(
            lambda turn: (longest > 100_000) | (turn < 1), lambda turn: turn * 0 + 1, [0]
        )[0]
        with tf.control_dependencies([turns]):
            return {name: tf.identity(tensor) for name, tensor in answer.items()}

    save_tiny_model(model_path(directory), serving_default=endless)
    began = time.monotonic()

    blessing = run_smoke_test(directory, time_limit_seconds=40)

    assert 40 <= time.monotonic() - began < 60
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_string_custom_property("reason") == (
        f"calling serving_default: no result within 40 s (see {directory}/blessing/probe.log)"
    )
    assert file_names(directory / "blessing") == ["INFRA_NOT_BLESSED", "probe.log"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'stage: loading the model'; kill -9 $$", "the process was killed by SIGKILL"),
        (
            "echo 'stage: loading the model'; echo 'ValueError: bad' >&2; echo; exit 1",
            "the process failed with status 1: ValueError: bad",
        ),
        ("echo 'stage: loading the model'; kill -ALRM $$", "no result within 60 s"),
    ],
)
def test_a_model_whose_probe_crashes_is_refused(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    assert run_probe("model", "examples", tmp_path, rows=1, time_limit_seconds=60) == [
        f"loading the model: {reason} (see {tmp_path}/probe.log)"
    ]


def test_a_model_that_the_evaluator_refused_is_not_tested(directory: Path) -> None:
    blessing = run_smoke_test(directory, model_blessed=False)

    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_string_custom_property("reason") == (
        "not tested, because the Evaluator did not bless the model"
    )
    assert file_names(directory / "blessing") == ["INFRA_NOT_BLESSED"]


def test_a_model_that_was_not_judged_is_not_tested(directory: Path) -> None:
    judged = manifest.digest(save_tiny_model(model_path(directory)))
    write_genres(model_path(directory), ["Drama"])
    with pytest.raises(UserError, match="is not the one that was judged: the verdict is on"):
        run_smoke_test(directory, model_blessed=True, judged=judged)
    (model_path(directory) / "assets" / "Format-Serving.words").unlink()
    with pytest.raises(UserError, match=r"is not the one that was exported: assets/\S+ is missing"):
        run_smoke_test(directory)
    assert file_names(directory / "blessing") == []


def test_the_component_has_the_types_of_the_pipeline() -> None:
    component = SmokeTest(
        model=channel_utils.as_channel([standard_artifacts.Model()]),
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        model_blessing=channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
        rows=7,
        code_fingerprint="abc",
    )
    assert component.id == Node.SMOKE_TEST
    assert component.outputs["blessing"].type is standard_artifacts.InfraBlessing
    assert component.exec_properties == {"rows": 7, "code_fingerprint": "abc"}
