"""One-line summaries of the nodes' outputs."""

import json
from pathlib import Path

import pytest

from components.evaluator import decision
from pipeline.node_summary import summarize
from pipeline.runner import NodeResult, NodeStatus
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import VERDICT_FILE
from tests.data.tiny_movies import make_movies, serialize, write_examples
from transform import features as xf


def summary(node: str, **outputs: Path) -> str:
    return summarize(NodeResult(node, NodeStatus.DONE, 1.0, outputs))


def test_examples_are_counted_by_split(tmp_path: Path) -> None:
    rows = serialize(make_movies(1234))
    write_examples(tmp_path, {"test": rows[:3], "train": rows, "eval": []})
    assert summary("CsvExampleGen", examples=tmp_path) == "1,234 train, 0 eval, 3 test"


def test_shards_are_counted_together(tmp_path: Path) -> None:
    rows = serialize(make_movies(5))
    write_examples(tmp_path, {"train": rows[:3]})
    write_examples(tmp_path / "more", {"train": rows[3:]})
    [shard] = (tmp_path / "more" / "Split-train").iterdir()
    shard.rename(tmp_path / "Split-train" / "data_tfrecord-00001-of-00002.gz")
    assert summary("CsvExampleGen", examples=tmp_path) == "5 train"


def test_a_damaged_file_is_named_with_its_node(tmp_path: Path) -> None:
    write_examples(tmp_path, {"train": serialize(make_movies(50))})
    [shard] = (tmp_path / "Split-train").iterdir()
    shard.write_bytes(shard.read_bytes()[:-300])
    with pytest.raises(UserError) as error:
        summary("CsvExampleGen", examples=tmp_path)
    assert str(error.value) == (
        f"{shard} is damaged. Run CsvExampleGen again (--from CsvExampleGen)"
    )
    (tmp_path / "training.json").write_text('{"history":')
    with pytest.raises(UserError, match=r"training\.json is damaged\. .* \(--from Trainer\)"):
        summary("Trainer", model_run=tmp_path)


def test_transform(tmp_path: Path) -> None:
    assets = tmp_path / "transform_fn" / "assets"
    assets.mkdir(parents=True)
    (assets / xf.PLOT_WORDS).write_text("word\n" * 4062)
    assert summary("Transform", transform_graph=tmp_path) == "4,062 words"


def test_word_vectors(tmp_path: Path) -> None:
    (tmp_path / "Format-Serving").mkdir()
    info = tmp_path / "Format-Serving" / "info.json"
    info.write_text(json.dumps({"source": "glove", "dimensions": 50}))
    assert summary("WordVectors", model=tmp_path) == "glove, 50 dimensions"


def test_the_simple_baseline(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"macro_f1": 0.41049}))
    assert summary("SimpleBaseline", metrics=tmp_path) == "macro-F1 0.410 on test"


@pytest.mark.parametrize(
    ("largest", "epochs"), [(3, "2 of 3"), (10, "2; stopped after 3 of at most 10")]
)
def test_training(tmp_path: Path, largest: int, epochs: str) -> None:
    # The best epoch has the highest val_map, not the best macro-F1.
    history = {"val_macro_f1": [0.1, 0.5156, 0.55], "loss": [3.0, 2.0, 1.0]}
    record = {"history": history, "best_epoch": 1, "hparams": {"epochs": largest}}
    (tmp_path / "training.json").write_text(json.dumps(record))
    found = summary("Trainer", model_run=tmp_path)
    assert found == f"best epoch {epochs}; macro-F1 0.516 on eval"


@pytest.mark.parametrize(("floor", "ending"), [(0.5, "blessed"), (0.7, "not blessed")])
def test_the_verdict(tmp_path: Path, floor: float, ending: str) -> None:
    scores = decision.ModelScores(
        examples=100,
        genres={genre: decision.GenreScores(30, 0.6, 0.6, 0.6, 0.6) for genre in GENRES},
        aggregates={},
    )
    verdict = decision.apply_gate(scores, None, None, decision.GateConfig(floor=floor))
    (tmp_path / VERDICT_FILE).write_text(verdict.to_json())
    assert summary("Evaluator", blessing=tmp_path) == f"macro-F1 0.600, {ending}"


def test_the_smoke_test(tmp_path: Path) -> None:
    not_run = "not run: the gate did not bless the model"
    assert summary("SmokeTest", blessing=tmp_path) == not_run
    (tmp_path / "probe.log").touch()
    assert summary("SmokeTest", blessing=tmp_path) == "not blessed"
    (tmp_path / "INFRA_BLESSED").touch()
    assert summary("SmokeTest", blessing=tmp_path) == "blessed"


def test_labels(tmp_path: Path) -> None:
    counts = {"labels": 1207, "unsure": 130, "doubts": 14}
    found = [
        summarize(
            NodeResult(
                "Labeller", NodeStatus.DONE, 1.0, {"labels": tmp_path}, {"labels": properties}
            )
        )
        for properties in (counts, {})
    ]
    assert found == [
        "1,207 movies labelled (130 unsure), 14 doubted",
        "not run: no model was pushed",
    ]


def test_nodes_without_a_summary(tmp_path: Path) -> None:
    assert summary("SchemaGen", schema=tmp_path) == ""
    assert summarize(NodeResult("Trainer", NodeStatus.FAILED, 1.0)) == ""
