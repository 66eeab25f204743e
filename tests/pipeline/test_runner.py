"""The runner on a small pipeline of real components with a real metadata store."""

import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts

from components.resolvers import OptionalLatestArtifactStrategy
from metadata import COMMAND_PROPERTY, COMMIT_PROPERTY, read_history
from pipeline import runner
from pipeline.runner import NodeResult, NodeStatus
from schema.errors import UserError

Text = standard_artifacts.ModelRun
"""Any artifact type."""

pytestmark = pytest.mark.filterwarnings(
    # TFX causes the warning, but protobuf attributes it to the caller.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)


@component
def Source(  # noqa: N802
    words: tfx.dsl.components.OutputArtifact[Text], text: tfx.dsl.components.Parameter[str]
) -> None:
    """Write a text."""
    Path(words.uri).mkdir(parents=True, exist_ok=True)
    (Path(words.uri) / "words").write_text(text)
    words.set_int_custom_property("length", len(text))
    words.set_string_custom_property("text", text)
    words.set_float_custom_property("half", len(text) / 2)


@component
def Copy(  # noqa: N802
    words: tfx.dsl.components.InputArtifact[Text],
    copy: tfx.dsl.components.OutputArtifact[Text],
    marks: tfx.dsl.components.OutputArtifact[Text],
    end: tfx.dsl.components.Parameter[str],
) -> None:
    """Write a text and its last letter, or fail as the parameter says."""
    for artifact in (copy, marks):
        Path(artifact.uri).mkdir(parents=True, exist_ok=True)
    text = (Path(words.uri) / "words").read_text()
    (Path(copy.uri) / "words").write_text(text)
    if end == "interrupted":
        raise KeyboardInterrupt
    if end == "interrupted in a library":
        signal.raise_signal(signal.SIGUSR1)
        raise ZeroDivisionError("an error that a library makes of the interruption")
    if end == "crash":
        raise ZeroDivisionError("a crash on purpose")
    if end == "validation_message":
        raise UserError("the words are wrong")
    (Path(marks.uri) / "words").write_text(text[-1] + end)


class Recorder:
    """Records the calls of the runner."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.results: list[NodeResult] = []

    def on_start(self, node: str) -> None:
        self.events.append(f"{node} started")

    def on_end(self, result: NodeResult) -> None:
        self.events.append(f"{result.node} {result.status}")
        self.results.append(result)


def pipeline(
    directory: Path, text: str = "one", end: str = "", *, cache: bool = True, stray: bool = False
) -> tfx.dsl.Pipeline:
    """Make the pipeline Source -> Left -> LeftCopy, Source -> Right; `end` is for Left."""
    source = Source(text=text)
    left = Copy(words=source.outputs["words"], end=end).with_id("Left")
    left_copy = Copy(words=left.outputs["copy"], end="").with_id("LeftCopy")
    right = Copy(words=source.outputs["words"], end="").with_id("Right")
    nodes = [source, left, left_copy, right]
    if stray:
        latest = Resolver(
            strategy_class=OptionalLatestArtifactStrategy, words=tfx.dsl.Channel(type=Text)
        ).with_id("Latest")
        stray_copy = Copy(words=latest.outputs["words"], end="").with_id("StrayCopy")
        nodes = [latest, stray_copy, *nodes]
    return tfx.dsl.Pipeline(
        pipeline_name="small",
        pipeline_root=str(directory / "artifacts"),
        components=nodes,
        enable_cache=cache,
        metadata_connection_config=connection(directory),
    )


def connection(directory: Path) -> mlmd.ConnectionConfig:
    return tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(directory / "metadata.sqlite")
    )


def run(
    directory: Path, from_node: str | None = None, **arguments: object
) -> dict[str, NodeResult]:
    recorder = Recorder()
    runner.run(pipeline(directory, **arguments), recorder.on_start, recorder.on_end, from_node)
    return {result.node: result for result in recorder.results}


def statuses(results: dict[str, NodeResult]) -> dict[str, str]:
    return {name: result.status.value for name, result in results.items()}


def states(directory: Path) -> Counter[str]:
    executions = MetadataStore(connection(directory)).get_executions()
    return Counter(mlmd.Execution.State.Name(one.last_known_state) for one in executions)


def artifact_directories(directory: Path) -> list[str]:
    """Return the directories of artifacts and the nodes' working directories."""
    root = directory / "artifacts"
    found = [*root.glob("[!.]*/[!.]*/*"), *root.glob("*/.system/*/*")]
    return sorted(str(path.relative_to(root)) for path in found)


def test_the_run_is_recorded_with_its_properties(tmp_path: Path) -> None:
    for number in ("1", "2"):  # The second run takes all nodes from the cache.
        recorder = Recorder()
        runner.run(
            pipeline(tmp_path),
            recorder.on_start,
            recorder.on_end,
            properties={COMMIT_PROPERTY: number, COMMAND_PROPERTY: "ordained run"},
        )
    assert [result.status.value for result in recorder.results] == ["cached"] * 4
    runs = read_history(connection(tmp_path)).runs
    assert [runs[run] for run in sorted(runs)] == [
        {COMMIT_PROPERTY: number, COMMAND_PROPERTY: "ordained run"} for number in ("1", "2")
    ]


def test_the_first_run_runs_all_nodes_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    runner.run(pipeline(tmp_path), recorder.on_start, recorder.on_end)
    assert recorder.events == [
        f"{node} {what}"
        for node in ("Source", "Left", "Right", "LeftCopy")
        for what in ("started", "done")
    ]
    source, left = recorder.results[:2]
    words = tmp_path / "artifacts" / "Source" / "words" / "1"
    assert source == NodeResult(
        "Source",
        NodeStatus.DONE,
        source.seconds,
        {"words": words},
        {"words": source.properties["words"]},
    )
    assert 0 < source.seconds < 60
    recorded = source.properties["words"]
    assert {name: recorded[name] for name in ("length", "text", "half")} == {
        "length": 3,
        "text": "one",
        "half": 1.5,
    }
    assert set(left.outputs) == {"copy", "marks"}
    assert (left.outputs["marks"] / "words").read_text() == "e"


def test_an_unchanged_run_uses_the_cache(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path)
    assert statuses(second) == dict.fromkeys(first, "cached")
    for name, result in second.items():
        assert (result.outputs, result.properties) == (first[name].outputs, first[name].properties)
    assert states(tmp_path) == {"COMPLETE": 4, "CACHED": 4}


def test_a_change_runs_the_dependent_nodes(tmp_path: Path) -> None:
    run(tmp_path)
    assert statuses(run(tmp_path, end="!")) == {
        "Source": "cached",
        "Left": "done",
        "Right": "cached",
        "LeftCopy": "done",
    }
    assert statuses(run(tmp_path, text="two", end="!")) == dict.fromkeys(
        ("Source", "Left", "Right", "LeftCopy"), "done"
    )
    assert statuses(run(tmp_path)) == dict.fromkeys(
        ("Source", "Left", "Right", "LeftCopy"), "cached"
    )


@pytest.mark.parametrize(
    ("node", "done"),
    [
        ("Source", {"Source", "Left", "Right", "LeftCopy"}),
        ("Left", {"Left", "LeftCopy"}),
        ("LeftCopy", {"LeftCopy"}),
        ("Right", {"Right"}),
    ],
)
def test_from_a_node(tmp_path: Path, node: str, done: set[str]) -> None:
    run(tmp_path)
    results = statuses(run(tmp_path, from_node=node))
    assert {name for name, status in results.items() if status == "done"} == done
    assert {name for name, status in results.items() if status == "cached"} == set(results) - done


def test_a_pipeline_without_cache(tmp_path: Path) -> None:
    run(tmp_path)
    assert set(statuses(run(tmp_path, cache=False)).values()) == {"done"}


def test_an_unknown_node(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path, from_node="Centre")
    assert str(caught.value) == (
        "--from Centre: there is no such node. Choose one of: Source, Left, Right, LeftCopy."
    )
    assert not (tmp_path / "metadata.sqlite").exists()


@pytest.mark.parametrize(
    ("end", "error"), [("crash", ZeroDivisionError), ("validation_message", UserError)]
)
def test_a_failure_is_reported_raised_and_cleaned_up(
    tmp_path: Path, end: str, error: type[Exception]
) -> None:
    recorder = Recorder()
    with pytest.raises(error):
        runner.run(pipeline(tmp_path, end=end), recorder.on_start, recorder.on_end)
    assert recorder.events == ["Source started", "Source done", "Left started", "Left failed"]
    assert states(tmp_path) == {"COMPLETE": 1, "FAILED": 1}
    assert not any(
        name.startswith(("Left/copy", "Left/marks")) for name in artifact_directories(tmp_path)
    )

    assert statuses(run(tmp_path)) == {
        "Source": "cached",
        "Left": "done",
        "Right": "done",
        "LeftCopy": "done",
    }


def test_missing_inputs(tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="StrayCopy: the inputs could not be resolved"):
        runner.run(pipeline(tmp_path, stray=True), recorder.on_start, recorder.on_end)
    assert recorder.events[-2:] == ["StrayCopy started", "StrayCopy failed"]


def test_outputs_of_an_interrupted_run_are_deleted(tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        runner.run(pipeline(tmp_path, end="interrupted"), recorder.on_start, recorder.on_end)
    assert recorder.events[-1] == "Left interrupted"
    assert states(tmp_path) == {"COMPLETE": 1, "RUNNING": 1}
    left = [name for name in artifact_directories(tmp_path) if name.startswith("Left/")]
    assert {"Left/copy/2", "Left/marks/2"} <= set(left)
    others = [name for name in artifact_directories(tmp_path) if not name.startswith("Left/")]

    cleared = runner.clear_unfinished(connection(tmp_path), tmp_path / "artifacts")
    assert cleared == [2]
    assert states(tmp_path) == {"COMPLETE": 1, "CANCELED": 1}
    assert artifact_directories(tmp_path) == others
    assert runner.clear_unfinished(connection(tmp_path), tmp_path / "artifacts") == []


def test_a_failed_execution_leaves_no_working_directory(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, end="crash")
    assert list((tmp_path / "artifacts" / "Source" / ".system").iterdir())
    assert list(tmp_path.glob("artifacts/*/.system/stateful_working_dir/*")) == []


def test_what_a_killed_run_left_is_deleted(tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        runner.run(pipeline(tmp_path, end="interrupted"), recorder.on_start, recorder.on_end)
    left = tmp_path / "artifacts" / "Left" / ".system" / "stateful_working_dir" / "a run"
    left.mkdir(parents=True)
    runner.clear_unfinished(connection(tmp_path), tmp_path / "artifacts")
    assert not left.exists()


def test_an_interruption_that_a_library_turns_into_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, end="crash")
    time.sleep(0.01)
    started, interrupted = time.time(), threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: interrupted.set())
    recorder = Recorder()
    try:
        with pytest.raises(ZeroDivisionError):
            runner.run(
                pipeline(tmp_path, end="interrupted in a library"),
                recorder.on_start,
                recorder.on_end,
                interrupted=interrupted,
            )
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert recorder.events[-1] == "Left interrupted"
    assert states(tmp_path) == {"COMPLETE": 1, "CACHED": 1, "FAILED": 2}
    artifacts = tmp_path / "artifacts"
    cleared = runner.clear_unfinished(connection(tmp_path), artifacts, interrupted_since=started)
    assert cleared == [4]
    assert states(tmp_path) == {"COMPLETE": 1, "CACHED": 1, "FAILED": 1, "CANCELED": 1}


def test_a_moved_output_directory_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(UserError, match=r"after: this output directory was moved from .*before"):
        run(tmp_path / "after")
    (tmp_path / "before").symlink_to("after")
    assert set(statuses(run(tmp_path / "after")).values()) == {"cached"}


def test_a_run_deletes_the_outputs_of_an_interrupted_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, end="interrupted")
    results = run(tmp_path)
    assert statuses(results)["Left"] == "done"
    assert not (tmp_path / "artifacts" / "Left" / "copy" / "2").exists()
    assert states(tmp_path) == {"COMPLETE": 4, "CACHED": 1, "CANCELED": 1}


def test_a_deleted_artifact_is_made_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    [file] = first["Left"].outputs["marks"].iterdir()
    file.unlink()
    file.parent.rmdir()
    assert statuses(run(tmp_path)) == {
        "Source": "cached",
        "Left": "done",
        "Right": "cached",
        "LeftCopy": "done",
    }


def test_a_deleted_file_is_made_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    run(tmp_path)
    (first["Left"].outputs["marks"] / "words").unlink()
    again = run(tmp_path)
    assert statuses(again) == {
        "Source": "cached",
        "Left": "done",
        "Right": "cached",
        "LeftCopy": "done",
    }
    assert (again["Left"].outputs["marks"] / "words").read_text() == "e"
    assert set(statuses(run(tmp_path)).values()) == {"cached"}


@pytest.mark.parametrize("has_record", [True, False])
def test_a_damaged_file_is_named_with_its_node(has_record: bool, tmp_path: Path) -> None:
    first = run(tmp_path)
    if not has_record:  # as in an output directory of an earlier release
        for record in tmp_path.glob("artifacts/*/.manifests/*/*"):
            record.unlink()
        run(tmp_path)
    damaged = first["Left"].outputs["marks"] / "words"
    damaged.write_text("f")
    recorder = Recorder()
    with pytest.raises(UserError) as error:
        runner.run(pipeline(tmp_path), recorder.on_start, recorder.on_end)
    assert str(error.value) == (f"{damaged} is damaged. Run Left again (--from Left)")
    assert recorder.events[-2:] == ["Left started", "Left failed"]
    (damaged.parent / "more").touch()
    damaged.unlink()
    with pytest.raises(UserError, match=r"words is missing\. Run Left again \(--from Left\)"):
        run(tmp_path)
    assert statuses(run(tmp_path, from_node="Left"))["Left"] == "done"
    assert set(statuses(run(tmp_path)).values()) == {"cached"}
