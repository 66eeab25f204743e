"""ModelReport shows what a run measured, also for a model that the gate refused."""

import json
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from sklearn.metrics import f1_score
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator.component import GenreEvaluator
from components.evaluator.decision import GateConfig
from components.evaluator.verdict import read_verdict
from components.model_report.collect import (
    _push_outcome,
    _read_anomalies,
    _read_distances,
    _with_counts,
    collect_content,
)
from components.model_report.component import ModelReport, ReportPage
from report.content import ReportContent
from schema import features as raw
from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES
from schema.verdict import Verdict
from tests.data.known_predictions import (
    NUM_MOVIES,
    RARE_GENRE,
    make_movie,
    save_model,
    write_movies,
)

BEAM = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]

TRAINING = {
    "hparams": {"epochs": 2, "word_encoder": "cnn", "sentence_encoder": "minilm"},
    "history": {"loss": [1.0], "val_loss": [0.5], "val_map": [0.6], "val_macro_f1": [0.5]},
    "parameters": 7,
    "seconds": 1.5,
    "versions": {"tfx": "1.21.0"},
}

Artifacts = dict[str, list[types.Artifact]]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Return inputs of ModelReport for a model that the gate refused, as it never predicts War."""
    directory = tmp_path_factory.mktemp("refused")
    model = save_model(directory / "model", {"War": 2, "Horror": 1})
    extra = Path(model.uri, "Format-Serving", "assets.extra")
    extra.mkdir(exist_ok=True)
    (extra / "training.json").write_text(json.dumps(TRAINING))
    manifest.write(extra.parent)
    outputs = {}
    for key, kind in (
        ("evaluation", standard_artifacts.ModelEvaluation),
        ("blessing", standard_artifacts.ModelBlessing),
    ):
        outputs[key] = kind()
        outputs[key].uri = str(directory / key)
    examples = write_movies(directory / "examples")
    GenreEvaluator.test_call(
        examples=examples,
        model=model,
        **outputs,
        gate=GateConfig(floor=0.5, min_support=10).to_json(),
        beam_pipeline=beam.Pipeline(argv=BEAM),
    )
    return {
        "examples": [examples],
        "model": [model],
        **{key: [artifact] for key, artifact in outputs.items()},
    }


@pytest.fixture(scope="module")
def content(refused: Artifacts) -> ReportContent:
    return collect_content({key: artifacts[0] for key, artifacts in refused.items()}, "", "")


@pytest.fixture(scope="module")
def verdict(refused: Artifacts) -> Verdict:
    return read_verdict(Path(refused["blessing"][0].uri))


def test_the_report_of_a_refused_model_begins_with_the_reasons(
    refused: Artifacts, verdict: Verdict, tmp_path: Path
) -> None:
    page = ReportPage()
    page.uri = str(tmp_path / "report")
    executor = ModelReport.EXECUTOR_SPEC.executor_class()
    executor.Do(refused, {"report": [page]}, {"movies": "", "metadata": "", "code_fingerprint": ""})
    text = Path(page.uri, "report.html").read_text(encoding="utf-8")
    begin = text.partition("<nav>")[0]
    assert "Not blessed by the gate and not pushed" in begin
    assert verdict.reasons == ("War: F1 0.000 is below its floor 0.500 (15 test movies)",)
    assert verdict.reasons[0] in begin
    assert page.macro_f1 == pytest.approx(verdict.macro_f1)


def test_predictions_are_those_that_the_gate_judged(
    content: ReportContent, verdict: Verdict
) -> None:
    movies = content.predictions
    assert len(movies.labels) == NUM_MOVIES == content.verdict.examples
    f1 = f1_score(movies.labels, movies.predicted, average=None, zero_division=0)
    assert f1 == pytest.approx([row.f1 for row in verdict.genres], abs=1e-6)
    counted = {
        row.genre: (row.support, row.true_positives, row.predicted_positives)
        for row in content.verdict.genres
    }
    # War is never predicted.
    assert counted["War"] == (15, 0, 0)
    assert all(
        counts == (labels.sum(), (labels & predicted).sum(), predicted.sum())
        for counts, labels, predicted in zip(
            counted.values(), movies.labels.T, movies.predicted.T, strict=True
        )
    )


def test_predictions_without_a_hit_are_counted(content: ReportContent, verdict: Verdict) -> None:
    column = GENRES.index("War")
    predicted = content.predictions.predicted.copy()
    predicted[np.flatnonzero(~content.predictions.labels[:, column])[:40], column] = True
    row = _with_counts(verdict, replace(content.predictions, predicted=predicted)).genres[column]
    assert (row.support, row.true_positives, row.predicted_positives) == (15, 0, 40)
    # 0 of 55 movies: Wilson's interval of J ends at z²/(55 + z²) = .0653, and F1 at 2J/(1 + J).
    assert row.interval == pytest.approx((0.0, 0.1225), abs=1e-4)


def test_corrected_movies_are_left_out(tmp_path: Path) -> None:
    examples = write_movies(
        tmp_path / "examples", more=[make_movie(number, corrected=True) for number in range(9)]
    )
    model = save_model(tmp_path / "model", {"War": 2})
    extra = Path(model.uri, "Format-Serving", "assets.extra")
    extra.mkdir(exist_ok=True)
    (extra / "training.json").write_text(json.dumps(TRAINING))
    manifest.write(extra.parent)
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
    GenreEvaluator.test_call(
        examples=examples,
        model=model,
        evaluation=evaluation,
        blessing=blessing,
        gate=GateConfig().to_json(),
        beam_pipeline=beam.Pipeline(argv=BEAM),
    )
    content = collect_content(
        {"examples": examples, "model": model, "evaluation": evaluation, "blessing": blessing},
        "",
        "",
    )
    assert len(content.predictions.labels) == content.verdict.examples == NUM_MOVIES
    assert content.verdict.with_corrected
    assert content.verdict.with_corrected.movies == 18
    assert {one.feature for one in content.slices} == {
        "decade",
        "plot_length",
        "metadata",
        "language",
    }
    assert sum(one.movies for one in content.slices if one.feature == "decade") == NUM_MOVIES
    assert content.data.movies == {"test": NUM_MOVIES + 18}


def test_slices_are_those_of_the_evaluation(content: ReportContent) -> None:
    decades = [one for one in content.slices if one.feature == "decade"]
    assert [one.value for one in decades] == ["1950s", "1960s", "1970s", "1980s", "1990s"]
    assert sum(one.movies for one in decades) == NUM_MOVIES
    kinds = list(dict.fromkeys(one.feature for one in content.slices))
    assert kinds == ["decade", "plot_length", "metadata", "language"]
    war = GENRES.index("War")
    assert all(one.f1[war] == 0 for one in decades)
    assert sum(int(one.support[war]) for one in decades) == 15


def test_the_word_with_the_largest_effect_is_found(content: ReportContent) -> None:
    good = [one for one in content.examples if one.correct]
    assert len(good) == 3
    for one in good:
        assert one.listed == one.predicted
        assert one.genre == one.listed[0]
        strongest = one.effects[0]
        assert strongest.field == raw.PLOT
        # The plot begins with a word such as strong_Drama, which is two words for occlusion.
        assert strongest.word in ("", "strong", "weak", one.genre.lower())
        assert strongest.difference > 1
    bad = [one for one in content.examples if not one.correct]
    assert {name for one in bad for name in one.listed} <= {"War", "Horror"}
    assert {one.genre for one in bad} <= {"War", "Horror"}


def test_counts_by_split_and_genre(content: ReportContent) -> None:
    assert content.data.movies == {"test": NUM_MOVIES}
    counts = dict(zip(GENRES, content.data.genres["test"].tolist(), strict=True))
    assert (counts[RARE_GENRE], counts["Drama"], counts["War"]) == (3, 27, 15)


def test_a_model_without_a_training_record(refused: Artifacts, tmp_path: Path) -> None:
    bare = save_model(tmp_path / "model")
    [record] = Path(bare.uri).rglob("training.json")
    record.unlink()
    artifacts = {key: one[0] for key, one in refused.items()} | {"model": bare}
    with pytest.raises(UserError, match=r"training\.json does not exist\. Train the model again"):
        collect_content(artifacts, "", "")


def test_the_outcome_of_a_push() -> None:
    pushed, smoke_test = standard_artifacts.PushedModel(), standard_artifacts.InfraBlessing()
    pushed.set_int_custom_property("pushed", 0)
    pushed.set_string_custom_property("reason", "the smoke test failed: no answer")
    smoke_test.set_string_custom_property("reason", "no answer\nand no sign of one")
    outcome = _push_outcome(smoke_test, pushed)
    assert (outcome.version, outcome.reasons) == ("", ("no answer", "and no sign of one"))
    smoke_test.set_string_custom_property("reason", "")
    assert _push_outcome(smoke_test, pushed).reasons == ("the smoke test failed: no answer",)
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_version", "12")
    pushed.set_string_custom_property("pushed_destination", "serving/12")
    assert (
        _push_outcome(smoke_test, pushed).version,
        _push_outcome(smoke_test, pushed).reasons,
    ) == (
        "12",
        (),
    )


def test_results_of_the_anomaly_gate(tmp_path: Path) -> None:
    accepted = {
        "skew": {"eval": {"distances": {"year": {"kind": "l", "value": 0.1, "limit": 0.2}}}},
        "drift": {"rows": 5, "not_compared": "fewer than 100 rows"},
    }
    (tmp_path / "report.json").write_text(json.dumps(accepted))
    [found] = _read_distances(tmp_path)
    assert (found.compared, found.feature, found.value, found.limit) == (
        "eval and train",
        "year",
        0.1,
        0.2,
    )
    artifact = standard_artifacts.ExampleAnomalies()
    artifact.uri = str(tmp_path / "anomalies")
    artifact.split_names = artifact_utils.encode_split_names(["train"])
    split = tmp_path / "anomalies" / "Split-train"
    split.mkdir(parents=True)
    info = anomalies_pb2.Anomalies()
    info.anomaly_info["title"].short_description = "Column dropped"
    info.anomaly_info["title"].description = "It is gone"
    (split / "SchemaDiff.pb").write_bytes(info.SerializeToString())
    assert _read_anomalies(artifact) == ["train: title: Column dropped: It is gone"]
