"""AtomicPusher pushes only blessed models, records why not, and uses the cache correctly."""

import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import Execution
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.pusher import versions
from components.pusher.component import AtomicPusher
from components.smoke_test.component import SmokeTest
from schema import manifest
from schema.errors import UserError
from tests.data.tiny_model import (
    Tensors,
    save_tiny_model,
    unchanged,
    write_examples,
    write_verdict,
)


def make_model(directory: Path, content: str) -> standard_artifacts.Model:
    """Create a Model artifact whose serving model is a single file."""
    serving = directory / "Format-Serving"
    serving.mkdir(parents=True)
    (serving / "saved_model.pb").write_text(content)
    manifest.write(serving)
    model = standard_artifacts.Model()
    model.uri = str(directory)
    return model


def serving_model(model: standard_artifacts.Model) -> Path:
    return Path(model.uri) / "Format-Serving"


def push(
    model: standard_artifacts.Model,
    base: str,
    archive: Path,
    *,
    model_blessed: int = 1,
    infra_blessed: int = 1,
    smoke_test_reason: str = "",
    push_again: bool = False,
    token: str = "",
    judged: str = "",
) -> standard_artifacts.PushedModel:
    """Run the component with the given blessings."""
    model_blessing = standard_artifacts.ModelBlessing()
    model_blessing.set_int_custom_property("blessed", model_blessed)
    model_blessing.uri = str(archive.with_name(f"{archive.name} verdict"))
    write_verdict(Path(model_blessing.uri), judged or manifest.digest(serving_model(model)))
    infra_blessing = standard_artifacts.InfraBlessing()
    infra_blessing.set_int_custom_property("blessed", infra_blessed)
    infra_blessing.set_string_custom_property("reason", smoke_test_reason)
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(archive)
    AtomicPusher.test_call(
        model=model,
        pushed_model=pushed,
        base_directory=base,
        model_blessing=model_blessing,
        infra_blessing=infra_blessing,
        push_again=push_again,
        destination_token=token,
    )
    return pushed


def test_a_model_that_was_not_judged_is_not_pushed(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", "one")
    (serving_model(model) / "saved_model.pb").write_text("two")
    with pytest.raises(UserError, match="is not the one that was judged: saved_model"):
        push(model, str(tmp_path / "serving"), tmp_path / "archive")
    manifest.write(serving_model(model))
    with pytest.raises(UserError, match="is not the one that was judged: the verdict is on"):
        push(model, str(tmp_path / "serving"), tmp_path / "archive", judged="ab" * 32)
    assert versions.served(tmp_path / "serving") == {}
    assert not (tmp_path / "archive").exists()


def properties(artifact: standard_artifacts.PushedModel) -> dict[str, str | int]:
    """Return the custom properties of an artifact."""
    values = artifact.mlmd_artifact.custom_properties
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values.items()}


def test_a_blessed_model_is_pushed(tmp_path: Path) -> None:
    base = tmp_path / "serving" / "movie_genres"
    pushed = push(make_model(tmp_path / "model", "one"), str(base), tmp_path / "archive")

    version = versions.current(base)
    assert properties(pushed) == {
        "pushed": 1,
        "pushed_destination": str(base / str(version)),
        "pushed_version": str(version),
        "outcome": "pushed",
    }
    for directory in (base / str(version), tmp_path / "archive"):
        assert manifest.check(directory) == manifest.check(tmp_path / "model" / "Format-Serving")
        assert (directory / "saved_model.pb").read_text() == "one"


def test_the_same_model_is_not_pushed_twice(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", "one")
    first = push(model, str(tmp_path / "serving"), tmp_path / "archive 1")
    second = push(model, str(tmp_path / "serving"), tmp_path / "archive 2")
    assert properties(second) == {**properties(first), "outcome": "unchanged"}
    assert len(versions.served(tmp_path / "serving")) == 1


@pytest.mark.parametrize(
    ("model_blessed", "infra_blessed", "smoke_test_reason", "reason"),
    [
        (0, 0, "not asked", "the Evaluator did not bless the model"),
        (0, 1, "", "the Evaluator did not bless the model"),
        (1, 0, "it hangs", "the smoke test refused the model: it hangs"),
        (1, 0, "", "the smoke test refused the model: no reason is given"),
    ],
)
def test_a_model_without_a_blessing_is_not_pushed(
    model_blessed: int, infra_blessed: int, smoke_test_reason: str, reason: str, tmp_path: Path
) -> None:
    base = tmp_path / "serving"
    pushed = push(
        make_model(tmp_path / "model", "one"),
        str(base),
        tmp_path / "archive",
        model_blessed=model_blessed,
        infra_blessed=infra_blessed,
        smoke_test_reason=smoke_test_reason,
        token="of this push",
    )
    assert properties(pushed) == {"pushed": 0, "outcome": "not blessed", "reason": reason}
    assert versions.served(base) == {}
    assert not (tmp_path / "archive").exists()
    assert versions.destination_token(base) == "of this push"


def test_a_rolled_back_model_is_pushed_again_only_with_push_again(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    push(make_model(tmp_path / "good", "good"), str(base), tmp_path / "archive 1")
    bad = make_model(tmp_path / "bad", "bad")
    push(bad, str(base), tmp_path / "archive 2")
    rolled = versions.rollback(base)

    again = push(bad, str(base), tmp_path / "archive 3")
    assert properties(again) == {
        "pushed": 0,
        "outcome": "rolled back",
        "reason": f"the same model was pushed as version {rolled.before} and rolled back. Run "
        "again with --push-again to push it anyway",
    }
    assert versions.current(base) == rolled.after

    forced = push(bad, str(base), tmp_path / "archive 4", push_again=True)
    assert properties(forced)["outcome"] == "pushed"
    current = versions.current(base)
    assert current is not None
    assert current > rolled.before


def test_a_remote_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gs://bucket/serving is not on a local file system"):
        push(make_model(tmp_path / "model", "one"), "gs://bucket/serving", tmp_path / "archive")


def pusher_states(store: metadata.Metadata) -> list[str]:
    """Return the names of the states of the Pusher's executions so far."""
    with store as handle:
        executions = handle.store.get_executions()
        names = {kind.id: kind.name for kind in handle.store.get_execution_types()}
    return [
        Execution.State.Name(execution.last_known_state)
        for execution in executions
        if names[execution.type_id].endswith("AtomicPusher")
    ]


def test_a_push_is_cached_until_the_directory_changes(tmp_path: Path) -> None:
    make_model(tmp_path / "model", "one")
    base = tmp_path / "serving" / "movie_genres"
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.sqlite")
    )

    def run() -> str:
        """Run the pipeline and return the state of the Pusher's execution."""
        model = tfx.dsl.Importer(
            source_uri=str(tmp_path / "model"), artifact_type=standard_artifacts.Model
        ).with_id("Model")
        pusher = AtomicPusher(
            model=model.outputs["result"],
            base_directory=str(base),
            destination_token=versions.destination_token(base),
        ).with_id("Pusher")
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                "push",
                str(tmp_path / "artifacts"),
                components=[model, pusher],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        return pusher_states(metadata.Metadata(connection))[-1]

    assert [run(), run(), run()] == ["COMPLETE", "CACHED", "CACHED"]
    (version,) = versions.served(base)

    shutil.rmtree(base)
    assert [run(), run()] == ["COMPLETE", "CACHED"]
    (again,) = versions.served(base)
    assert again >= version

    shutil.rmtree(base / str(again))
    assert [run(), run()] == ["COMPLETE", "CACHED"]
    (third,) = versions.served(base)
    assert third > again

    make_model(tmp_path / "better", "two")
    versions.push(tmp_path / "better" / "Format-Serving", base)
    versions.rollback(base)
    assert [run(), run()] == ["COMPLETE", "CACHED"]
    assert list(versions.served(base)) == [third]


@pytest.mark.parametrize("fault", [False, True])
def test_the_smoke_test_decides_what_the_pusher_does(fault: bool, tmp_path: Path) -> None:
    def not_a_number(features: Tensors, answer: Tensors) -> Tensors:
        return {**answer, "probabilities": answer["probabilities"] * float("nan")}

    save_tiny_model(
        tmp_path / "model" / "Format-Serving", serving_default=not_a_number if fault else unchanged
    )
    write_examples(tmp_path / "examples" / "Split-test", 4)
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.sqlite")
    )
    model = tfx.dsl.Importer(
        source_uri=str(tmp_path / "model"), artifact_type=standard_artifacts.Model
    ).with_id("Model")
    examples = tfx.dsl.Importer(
        source_uri=str(tmp_path / "examples"),
        artifact_type=standard_artifacts.Examples,
        properties={"split_names": '["test"]'},
    ).with_id("Examples")
    smoke_test = SmokeTest(
        model=model.outputs["result"], examples=examples.outputs["result"], rows=4
    )
    pusher = AtomicPusher(
        model=model.outputs["result"],
        infra_blessing=smoke_test.outputs["blessing"],
        base_directory=str(tmp_path / "serving"),
    ).with_id("Pusher")
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            "smoke_test",
            str(tmp_path / "artifacts"),
            components=[model, examples, smoke_test, pusher],
            metadata_connection_config=connection,
        )
    )

    with metadata.Metadata(connection) as handle:
        (pushed,) = handle.store.get_artifacts_by_type("PushedModel")
    found = {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in pushed.custom_properties.items()
    }
    if fault:
        assert found["pushed"] == 0
        assert found["outcome"] == "not blessed"
        assert found["reason"] == (
            "the smoke test refused the model: serving_default: probabilities are not finite in "
            "16 of 16 rows, first row 0 (tt0000001), Action"
        )
        assert versions.served(tmp_path / "serving") == {}
    else:
        assert found["pushed"] == 1
        assert found["pushed_destination"] == str(
            versions.served(tmp_path / "serving")[int(found["pushed_version"])]
        )
