"""The runner on a small DAG of real components with a real metadata store."""

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
from pipeline import runner
from pipeline.runner import NodeResult, Status
from schema.errors import UserError

Words = standard_artifacts.ModelRun
"""Any type whose artifacts are folders."""

pytestmark = pytest.mark.filterwarnings(
    # TFX's, but protobuf gives it to whoever called.
    r"ignore:label\(\) is deprecated:DeprecationWarning"
)


@component
def Source(  # noqa: N802
    words: tfx.dsl.components.OutputArtifact[Words], text: tfx.dsl.components.Parameter[str]
) -> None:
    """Write a text."""
    Path(words.uri).mkdir(parents=True, exist_ok=True)
    (Path(words.uri) / "words").write_text(text)
    words.set_int_custom_property("length", len(text))
    words.set_string_custom_property("text", text)
    words.set_float_custom_property("half", len(text) / 2)


@component
def Copy(  # noqa: N802
    words: tfx.dsl.components.InputArtifact[Words],
    copy: tfx.dsl.components.OutputArtifact[Words],
    marks: tfx.dsl.components.OutputArtifact[Words],
    end: tfx.dsl.components.Parameter[str],
) -> None:
    """Write a text and its last letter, unless told to end otherwise."""
    for artifact in (copy, marks):
        Path(artifact.uri).mkdir(parents=True, exist_ok=True)
    text = (Path(words.uri) / "words").read_text()
    (Path(copy.uri) / "words").write_text(text)
    if end == "interrupted":
        raise KeyboardInterrupt
    if end == "crash":
        raise ZeroDivisionError("a crash on purpose")
    if end == "mistake":
        raise UserError("the words are wrong")
    (Path(marks.uri) / "words").write_text(text[-1] + end)


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.results: list[NodeResult] = []

    def started(self, node: str) -> None:
        self.events.append(f"{node} started")

    def ended(self, result: NodeResult) -> None:
        self.events.append(f"{result.node} {result.status}")
        self.results.append(result)


def pipeline(
    folder: Path, text: str = "one", end: str = "", *, cache: bool = True, stray: bool = False
) -> tfx.dsl.Pipeline:
    """Source -> Left -> LeftCopy, Source -> Right; `end` goes to Left."""
    source = Source(text=text)
    left = Copy(words=source.outputs["words"], end=end).with_id("Left")
    left_copy = Copy(words=left.outputs["copy"], end="").with_id("LeftCopy")
    right = Copy(words=source.outputs["words"], end="").with_id("Right")
    nodes = [source, left, left_copy, right]
    if stray:
        latest = Resolver(
            strategy_class=OptionalLatestArtifactStrategy, words=tfx.dsl.Channel(type=Words)
        ).with_id("Latest")
        stray_copy = Copy(words=latest.outputs["words"], end="").with_id("StrayCopy")
        nodes = [latest, stray_copy, *nodes]
    return tfx.dsl.Pipeline(
        pipeline_name="small",
        pipeline_root=str(folder / "artifacts"),
        components=nodes,
        enable_cache=cache,
        metadata_connection_config=connection(folder),
    )


def connection(folder: Path) -> mlmd.ConnectionConfig:
    return tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(folder / "metadata.sqlite")
    )


def run(folder: Path, from_node: str | None = None, **arguments: object) -> dict[str, NodeResult]:
    notes = Notes()
    runner.run(pipeline(folder, **arguments), notes.started, notes.ended, from_node)
    return {result.node: result for result in notes.results}


def statuses(results: dict[str, NodeResult]) -> dict[str, str]:
    return {name: result.status.value for name, result in results.items()}


def states(folder: Path) -> Counter[str]:
    executions = MetadataStore(connection(folder)).get_executions()
    return Counter(mlmd.Execution.State.Name(one.last_known_state) for one in executions)


def folders(folder: Path) -> list[str]:
    """Folders of artifacts and of what the nodes keep beside them."""
    root = folder / "artifacts"
    found = [*root.glob("[!.]*/[!.]*/*"), *root.glob("*/.system/*/*")]
    return sorted(str(path.relative_to(root)) for path in found)


def test_the_first_run_does_all_in_order_and_says_so(tmp_path: Path) -> None:
    notes = Notes()
    runner.run(pipeline(tmp_path), notes.started, notes.ended)
    assert notes.events == [
        f"{node} {what}"
        for node in ("Source", "Left", "Right", "LeftCopy")
        for what in ("started", "done")
    ]
    source, left = notes.results[:2]
    words = tmp_path / "artifacts" / "Source" / "words" / "1"
    assert source == NodeResult(
        "Source",
        Status.DONE,
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


def test_nothing_changed(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path)
    assert statuses(second) == dict.fromkeys(first, "cached")
    for name, result in second.items():
        assert (result.outputs, result.properties) == (first[name].outputs, first[name].properties)
    assert states(tmp_path) == {"COMPLETE": 4, "CACHED": 4}


def test_a_change_runs_what_depends_on_it(tmp_path: Path) -> None:
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
def test_from_a_node_on(tmp_path: Path, node: str, done: set[str]) -> None:
    run(tmp_path)
    results = statuses(run(tmp_path, from_node=node))
    assert {name for name, status in results.items() if status == "done"} == done
    assert {name for name, status in results.items() if status == "cached"} == set(results) - done


def test_a_pipeline_without_cache(tmp_path: Path) -> None:
    run(tmp_path)
    assert set(statuses(run(tmp_path, cache=False)).values()) == {"done"}


def test_a_node_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path, from_node="Centre")
    assert str(caught.value) == ("there is no node Centre. Nodes: Source, Left, Right, LeftCopy")
    assert not (tmp_path / "metadata.sqlite").exists()


@pytest.mark.parametrize(("end", "error"), [("crash", ZeroDivisionError), ("mistake", UserError)])
def test_a_failure_is_told_passed_on_and_cleaned_up(
    tmp_path: Path, end: str, error: type[Exception]
) -> None:
    notes = Notes()
    with pytest.raises(error):
        runner.run(pipeline(tmp_path, end=end), notes.started, notes.ended)
    assert notes.events == ["Source started", "Source done", "Left started", "Left failed"]
    assert states(tmp_path) == {"COMPLETE": 1, "FAILED": 1}
    assert not any(name.startswith(("Left/copy", "Left/marks")) for name in folders(tmp_path))

    assert statuses(run(tmp_path)) == {
        "Source": "cached",
        "Left": "done",
        "Right": "done",
        "LeftCopy": "done",
    }


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    notes = Notes()
    with pytest.raises(RuntimeError, match="StrayCopy: its inputs could not be resolved"):
        runner.run(pipeline(tmp_path, stray=True), notes.started, notes.ended)
    assert notes.events[-2:] == ["StrayCopy started", "StrayCopy failed"]


def test_what_an_interruption_leaves_is_cleared(tmp_path: Path) -> None:
    notes = Notes()
    with pytest.raises(KeyboardInterrupt):
        runner.run(pipeline(tmp_path, end="interrupted"), notes.started, notes.ended)
    assert notes.events[-1] == "Left failed"
    assert states(tmp_path) == {"COMPLETE": 1, "RUNNING": 1}
    left = [name for name in folders(tmp_path) if name.startswith("Left/")]
    assert {"Left/copy/2", "Left/marks/2"} <= set(left)
    assert any(name.startswith("Left/.system/stateful_working_dir/") for name in left)
    others = [name for name in folders(tmp_path) if not name.startswith("Left/")]

    cleared = runner.clear_unfinished(connection(tmp_path), tmp_path / "artifacts")
    assert cleared == [2]
    assert states(tmp_path) == {"COMPLETE": 1, "CANCELED": 1}
    assert folders(tmp_path) == others
    assert runner.clear_unfinished(connection(tmp_path), tmp_path / "artifacts") == []


def test_artifacts_that_were_moved_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(UserError, match=r"after: this directory was .*before when it was made"):
        run(tmp_path / "after")
    (tmp_path / "before").symlink_to("after")
    assert set(statuses(run(tmp_path / "after")).values()) == {"cached"}


def test_a_run_clears_what_the_one_before_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, end="interrupted")
    results = run(tmp_path)
    assert statuses(results)["Left"] == "done"
    assert not (tmp_path / "artifacts" / "Left" / "copy" / "2").exists()
    assert states(tmp_path) == {"COMPLETE": 4, "CACHED": 1, "CANCELED": 1}


def test_an_artifact_that_somebody_deleted_is_made_again(tmp_path: Path) -> None:
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
