"""GenreEvaluator evaluates with TFMA, blesses as TFX's Evaluator does, and gives its reasons."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from ml_metadata.proto import Execution
from sklearn.metrics import average_precision_score, f1_score
from tensorflow_model_analysis.view import util as tfma_view
from tfx import v1 as tfx
from tfx.components.util import model_utils
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.evaluator.component import GenreEvaluator
from components.evaluator.decision import GateConfig
from components.evaluator.measurement import read_metrics
from components.evaluator.verdict import read_verdict
from components.resolvers import LatestOtherBlessedModelStrategy
from components.simple_baseline.component import SimpleBaselineMetrics
from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from schema.names import SIMPLE_BASELINE_FILE, Node
from schema.verdict import CorrectedMetrics, Judgement, Verdict
from tests.data.known_predictions import (
    NUM_MOVIES,
    RARE_GENRE,
    make_movie,
    save_model,
    write_movies,
)

GATE = GateConfig(floor=0.5, min_support=10, max_drop=0.1)
BEAM = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]


@dataclass
class EvaluatorOutputs:
    """Outputs of one run of the executor."""

    evaluation: str
    blessing: standard_artifacts.ModelBlessing
    verdict: Verdict

    def failed_genres(self) -> dict[str, Judgement]:
        """Return the genres that did not pass."""
        return {
            row.genre: row.judgement
            for row in self.verdict.genres
            if row.judgement is not Judgement.PASS
        }


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    return write_movies(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, standard_artifacts.Model]:
    directory = tmp_path_factory.mktemp("models")
    weaknesses = {"good": {}, "worse in Horror": {"Horror": 1}, "blind to War": {"War": 2}}
    found = {name: save_model(directory / name, weak) for name, weak in weaknesses.items()}
    for number, model in enumerate(found.values()):
        model.id = 70 + number
    return found


def simple_baseline(directory: Path, f1: Mapping[str, float]) -> SimpleBaselineMetrics:
    directory.mkdir(parents=True, exist_ok=True)
    genres = {genre: {"f1": value} for genre, value in f1.items()}
    (directory / SIMPLE_BASELINE_FILE).write_text(json.dumps({"macro_f1": 0.5, "genres": genres}))
    artifact = SimpleBaselineMetrics()
    artifact.uri = str(directory)
    return artifact


def evaluate(
    directory: Path,
    examples: standard_artifacts.Examples,
    model: standard_artifacts.Model,
    last_blessed: standard_artifacts.Model | None = None,
    baseline: SimpleBaselineMetrics | None = None,
    **parameters: Any,
) -> EvaluatorOutputs:
    """Run the component's executor."""
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    for name, artifact in (("evaluation", evaluation), ("blessing", blessing)):
        artifact.uri = str(directory / name)
        (directory / name).mkdir(parents=True)
    GenreEvaluator.test_call(
        examples=examples,
        model=model,
        evaluation=evaluation,
        blessing=blessing,
        last_blessed_model=last_blessed,
        simple_baseline=baseline,
        beam_pipeline=beam.Pipeline(argv=BEAM),
        **{"gate": GATE.to_json()} | parameters,
    )
    return EvaluatorOutputs(evaluation.uri, blessing, read_verdict(Path(blessing.uri)))


def test_a_first_good_model_is_blessed_with_the_properties_of_tfx(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    good = models["good"]
    baseline = simple_baseline(tmp_path / "baseline", dict.fromkeys(GENRES, 0.9))
    outputs = evaluate(tmp_path, movies, good, baseline=baseline)

    assert outputs.verdict.blessed
    exported = manifest.describe(Path(good.uri, "Format-Serving"))
    assert outputs.verdict.model_digest == exported.digest
    assert outputs.failed_genres() == {RARE_GENRE: Judgement.NOT_JUDGED}
    assert outputs.verdict.notes == (
        "no other model has been blessed yet: only the floors and the simple baseline were checked",
        "not judged, with fewer than 10 test movies: Film-Noir 3",
    )
    assert {row.genre: row.support for row in outputs.verdict.genres} == {
        **dict.fromkeys(GENRES, 15),
        "Drama": 27,
        RARE_GENRE: 3,
    }
    assert outputs.verdict.examples == NUM_MOVIES
    assert outputs.verdict.macro_f1 == 1.0
    assert outputs.verdict.simple_baseline_macro_f1 == pytest.approx(0.9)
    assert outputs.verdict.aggregates == {
        "micro_f1_score": 1.0,
        "samples_f1": 1.0,
        "subset_accuracy": 1.0,
        "hamming_accuracy": 1.0,
        "macro_auc_precision_recall": 1.0,
    }

    blessing = outputs.blessing
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("current_model_id") == good.id
    assert blessing.get_string_custom_property("current_model") == good.uri
    assert not blessing.has_custom_property("baseline_model")
    assert model_utils.is_model_blessed(blessing)
    assert (Path(blessing.uri) / "BLESSED").exists()


def test_a_model_worse_in_one_genre_only_is_refused(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    good, worse = models["good"], models["worse in Horror"]
    outputs = evaluate(tmp_path, movies, worse, last_blessed=good)

    horror = outputs.verdict.genres[GENRES.index("Horror")]
    assert (horror.f1, horror.precision, horror.recall) == (0.8, 1.0, pytest.approx(10 / 15))
    assert horror.last_blessed == 1.0
    assert outputs.failed_genres() == {
        RARE_GENRE: Judgement.NOT_JUDGED,
        "Horror": Judgement.WORSE,
    }
    reason = (
        "Horror: F1 0.800 is below the last blessed model's 1.000 (allowed difference: 0.1; "
        "15 test movies)"
    )
    assert outputs.verdict.reasons == (reason,)
    assert outputs.verdict.last_blessed_macro_f1 == 1.0
    assert outputs.verdict.macro_f1 == pytest.approx((21 + 0.8) / 22)

    blessing = outputs.blessing
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("baseline_model_id") == good.id
    assert blessing.get_string_custom_property("baseline_model") == good.uri
    assert blessing.get_string_custom_property("blessing_message").splitlines()[0] == reason
    assert not model_utils.is_model_blessed(blessing)
    assert (Path(blessing.uri) / "NOT_BLESSED").exists()
    assert not (Path(blessing.uri) / "BLESSED").exists()


def test_ignore_blessed_model_blesses_a_worse_model(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    outputs = evaluate(
        tmp_path, movies, models["worse in Horror"], models["good"], ignore_blessed_model=True
    )
    assert outputs.verdict.blessed
    assert outputs.verdict.ignore_blessed_model
    assert "--ignore-blessed-model" in outputs.verdict.notes[0]
    assert not outputs.blessing.has_custom_property("baseline_model")
    assert [spec.name for spec in tfma.load_eval_result(outputs.evaluation).config.model_specs] == [
        ""
    ]


def test_floor_and_simple_baseline_refuse_without_a_last_blessed_model(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    baseline = simple_baseline(tmp_path / "baseline", dict.fromkeys(GENRES, 0.97))
    outputs = evaluate(tmp_path, movies, models["blind to War"], baseline=baseline)
    assert outputs.failed_genres() == {
        RARE_GENRE: Judgement.NOT_JUDGED,
        "War": Judgement.BELOW_FLOOR,
    }
    assert outputs.verdict.reasons == (
        "War: F1 0.000 is below its floor 0.500 (15 test movies)",
        "macro-F1 0.955 is below the simple baseline's 0.970 (allowed difference: 0)",
    )


def test_tfma_results_of_all_genres_and_slices_agree_with_scikit_learn(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    worse = models["worse in Horror"]
    outputs = evaluate(tmp_path, movies, worse, models["blind to War"])

    # An array of bytes would drop zeros at the end of an example.
    serialized = [
        example
        for path in sorted(Path(movies.uri, "Split-test").iterdir())
        for example in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator()
    ]
    loaded = tf.saved_model.load(str(Path(worse.uri, "Format-Serving")))
    tensors = loaded.signatures["evaluate"](examples=tf.constant(serialized))
    predictions = {name: value.numpy() for name, value in tensors.items()}
    labels, predicted = predictions["genres_multi_hot"] > 0.5, predictions["decision_scores"] > 0.5

    results = tfma.load_eval_result(outputs.evaluation, model_name=tfma.CANDIDATE_KEY)
    slices = dict(results.slicing_metrics)
    assert set(slices) == {
        (),
        *((("decade", decade),) for decade in ("1950s", "1960s", "1970s", "1980s", "1990s")),
        (("plot_length", "short"),),
        (("plot_length", "medium"),),
        (("metadata", "complete"),),
        (("metadata", "no credits"),),
        (("language", "English"),),
        (("language", "other Latin"),),
    }
    for key, values in slices.items():
        rows = np.all([predictions[name] == value.encode() for name, value in key], axis=0)
        rows = np.broadcast_to(rows, len(labels))
        assert values[""][""]["example_count"]["doubleValue"] == rows.sum()
        expected = f1_score(labels[rows], predicted[rows], average=None, zero_division=0)
        found = [values[""][f"classId:{g}"]["f1_score"]["doubleValue"] for g in range(len(GENRES))]
        assert found == pytest.approx(list(expected))

    horror = GENRES.index("Horror")
    assert outputs.verdict.genres[horror].auc_pr == pytest.approx(
        average_precision_score(labels[:, horror], predictions["probabilities"][:, horror])
    )
    # The results also contain the difference from the last blessed model, for dashboards.
    war = slices[()][""][f"classId:{GENRES.index('War')}"]
    assert war["f1_score_diff"]["doubleValue"] == 1.0
    view_rows = tfma_view.get_slicing_metrics(results.slicing_metrics, slicing_column="metadata")
    by_slice = {row["slice"]: row["metrics"][""][f"classId:{horror}"] for row in view_rows}
    assert set(by_slice) == {"metadata:complete", "metadata:no credits"}
    complete = slices[(("metadata", "complete"),)][""][f"classId:{horror}"]
    assert by_slice["metadata:complete"]["f1_score"] == complete["f1_score"]


def test_corrected_movies_do_not_open_the_gate(
    tmp_path: Path, models: dict[str, standard_artifacts.Model]
) -> None:
    model = save_model(tmp_path / "model", {"War": 1})
    gate = GateConfig(min_support=10, genre_floors={"War": 0.85})
    # The model recognizes War in strong movies only, and all these are strong.
    numbers = [GENRES.index("War") + NUM_GENRES * i for i in range(16, 46, 3)]

    def verdict(name: str, *, corrected: bool) -> Verdict:
        more = [make_movie(number, corrected=corrected) for number in numbers]
        examples = write_movies(tmp_path / f"{name} examples", more=more)
        return evaluate(
            tmp_path / name, examples, model, last_blessed=models["good"], gate=gate.to_json()
        ).verdict

    opened = verdict("as given", corrected=False)
    assert opened.blessed
    assert opened.with_corrected is None
    war = opened.genres[GENRES.index("War")]
    assert (war.support, war.f1) == (35, pytest.approx(60 / 65))

    shut = verdict("corrected", corrected=True)
    assert shut.reasons == (
        "War: F1 0.800 is below its floor 0.850 (15 test movies)",
        "War: F1 0.800 is below the last blessed model's 1.000 (allowed difference: 0.1; "
        "15 test movies)",
    )
    assert shut.examples == NUM_MOVIES
    assert shut.with_corrected == CorrectedMetrics(
        movies=20, macro_f1=opened.macro_f1, aggregates=opened.aggregates
    )
    assert shut.macro_f1 == pytest.approx((21 + 0.8) / 22)
    assert shut.aggregates["micro_f1_score"] < opened.aggregates["micro_f1_score"]
    metrics = read_metrics(str(tmp_path / "corrected" / "evaluation"), tfma.CANDIDATE_KEY)
    counts = {key: values[""]["example_count"] for key, values in metrics.items()}
    assert counts[()] == NUM_MOVIES
    assert counts[(("corrected_movies", "included"),)] == NUM_MOVIES + 20
    assert sum(count for key, count in counts.items() if "decade" in dict(key)) == NUM_MOVIES


def test_a_test_split_of_corrected_movies_only_is_a_user_error(
    tmp_path: Path, models: dict[str, standard_artifacts.Model]
) -> None:
    more = [make_movie(number, corrected=True) for number in range(4)]
    examples = write_movies(tmp_path / "examples", movies=0, more=more)
    with pytest.raises(UserError) as error:
        evaluate(tmp_path, examples, models["good"])
    assert str(error.value) == (
        "the split 'test' has no examples with uncorrected genres, so the model cannot be "
        "evaluated. Add more movies"
    )


def test_models_with_other_genres_are_compared_on_those_that_both_have(
    tmp_path: Path, movies: standard_artifacts.Examples
) -> None:
    genres = ("War", "Puzzle", "Horror", "Drama")
    candidate = save_model(tmp_path / "own", {"Horror": 1}, genres=genres)
    last = save_model(tmp_path / "last", {"War": 1}, genres=("Opera", "Horror", "Western", "War"))
    outputs = evaluate(tmp_path, movies, candidate, last_blessed=last)
    by_genre = {row.genre: row for row in outputs.verdict.genres}
    assert list(by_genre) == list(genres)
    assert [round(row.f1, 3) for row in by_genre.values()] == [1.0, 0.0, 0.8, 1.0]
    assert [row.support for row in by_genre.values()] == [15, 0, 15, 27]
    before = [row.last_blessed for row in by_genre.values()]
    assert before == [pytest.approx(0.8), None, 1.0, None]
    assert outputs.failed_genres() == {"Horror": Judgement.WORSE, "Puzzle": Judgement.NOT_JUDGED}
    assert outputs.verdict.last_blessed_macro_f1 == pytest.approx(0.9)
    assert outputs.verdict.notes[0] == (
        "not compared with the last blessed model, which has other genres: Puzzle, Drama (new); "
        "Opera, Western (no longer predicted)"
    )
    results = tfma.load_eval_result(outputs.evaluation, model_name=tfma.CANDIDATE_KEY)
    values = dict(results.slicing_metrics)[()][""]
    assert all(
        np.isfinite(value["doubleValue"]) for named in values.values() for value in named.values()
    )


def test_a_last_blessed_model_without_a_common_genre_is_left_out(
    tmp_path: Path, movies: standard_artifacts.Examples
) -> None:
    candidate = save_model(tmp_path / "own", genres=("War", "Drama"))
    last = save_model(tmp_path / "last", genres=("Opera", "Western", "Horror"))
    outputs = evaluate(tmp_path, movies, candidate, last_blessed=last)
    assert outputs.verdict.blessed
    assert [row.last_blessed for row in outputs.verdict.genres] == [None, None]
    assert outputs.verdict.notes == (
        "the last blessed model predicts none of these genres: it was not compared",
        "there is no simple baseline: macro-F1 was not compared",
    )
    assert len(tfma.load_eval_result(outputs.evaluation).config.model_specs) == 1


def test_a_last_blessed_model_that_cannot_be_compared_is_a_user_error(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    gone = standard_artifacts.Model()
    gone.uri = str(tmp_path / "gone")
    with pytest.raises(UserError) as error:
        evaluate(tmp_path / "1", movies, models["good"], last_blessed=gone)
    assert str(error.value) == (
        f"the model {gone.uri}/Format-Serving no longer exists. Run once with "
        "--ignore-blessed-model to leave it out of the comparison"
    )
    other = save_model(tmp_path / "other", leave_out="probabilities")
    with pytest.raises(UserError) as error:
        evaluate(tmp_path / "2", movies, models["good"], last_blessed=other)
    assert str(error.value) == (
        f"the signature 'evaluate' of the model {other.uri}/Format-Serving has no output "
        "'probabilities' for 22 genres. Run once with --ignore-blessed-model to leave it out of "
        "the comparison"
    )
    assets = Path(other.uri, "Format-Serving", "assets.extra", "training.json")
    assets.write_text("{")
    with pytest.raises(UserError) as error:
        evaluate(tmp_path / "4", movies, models["good"], last_blessed=other)
    assert str(error.value) == (
        f"{other.uri}/Format-Serving is damaged: assets.extra/training.json has changed. Run once "
        "with --ignore-blessed-model to leave it out of the comparison"
    )
    with pytest.raises(UserError, match=r"has no output 'decade'\. Train the model again"):
        evaluate(tmp_path / "3", movies, save_model(tmp_path / "new", leave_out="decade"))


def test_a_model_that_was_damaged_after_its_export_is_not_judged(
    tmp_path: Path, movies: standard_artifacts.Examples
) -> None:
    model = save_model(tmp_path / "model")
    path = Path(model.uri, "Format-Serving")
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(UserError) as error:
        evaluate(tmp_path, movies, model)
    assert str(error.value) == (
        f"{path}: the model is not the one that was exported: saved_model.pb has changed. Train it "
        "again (--from Trainer)"
    )


def test_an_empty_split_is_a_user_error(
    tmp_path: Path, models: dict[str, standard_artifacts.Model]
) -> None:
    with pytest.raises(UserError) as error:
        evaluate(tmp_path, write_movies(tmp_path / "none", movies=0), models["good"])
    assert str(error.value) == (
        "the split 'test' has no examples, so the model cannot be evaluated. Add more movies"
    )


def create_pipeline(
    root: Path,
    examples: standard_artifacts.Examples,
    model: standard_artifacts.Model,
    *,
    ignore_blessed_model: bool = False,
) -> tfx.dsl.Pipeline:
    """Create a pipeline with imported examples and candidate, resolver and evaluator."""
    examples_importer = tfx.dsl.Importer(
        examples.uri,
        standard_artifacts.Examples,
        properties={"split_names": examples.split_names},
    ).with_id("Examples")
    model_importer = tfx.dsl.Importer(model.uri, standard_artifacts.Model).with_id("Candidate")
    candidate = model_importer.outputs["result"]
    last_blessed = Resolver(
        strategy_class=LatestOtherBlessedModelStrategy,
        candidate=candidate,
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(Node.LATEST_BLESSED_MODEL)
    evaluator = GenreEvaluator(
        examples=examples_importer.outputs["result"],
        model=candidate,
        gate=GATE.to_json(),
        last_blessed_model=last_blessed.outputs["model"],
        ignore_blessed_model=ignore_blessed_model,
    ).with_id(Node.EVALUATOR)
    return tfx.dsl.Pipeline(
        pipeline_name="judged",
        pipeline_root=str(root),
        components=[examples_importer, model_importer, last_blessed, evaluator],
        enable_cache=True,
        metadata_connection_config=metadata_connection(root),
        beam_pipeline_args=BEAM,
    )


def metadata_connection(root: Path) -> Any:
    return tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "mlmd.sqlite"))


def last_run(root: Path) -> tuple[bool, Verdict, str | None]:
    """Return whether the last execution was cached, its verdict, and the URI of its baseline."""
    with metadata.Metadata(metadata_connection(root)) as handle:
        store = handle.store
        execution = store.get_executions_by_type(
            f"{GenreEvaluator.__module__}.{GenreEvaluator.__name__}"
        )[-1]
        events = store.get_events_by_execution_ids([execution.id])
        by_name = {}
        for event in events:
            name = event.path.steps[0].key
            (by_name[name],) = store.get_artifacts_by_id([event.artifact_id])
    compared = by_name.get("last_blessed_model")
    return (
        execution.last_known_state == Execution.CACHED,
        read_verdict(Path(by_name["blessing"].uri)),
        None if compared is None else compared.uri,
    )


@pytest.mark.slow
def test_each_model_is_compared_with_the_last_blessed_other_model(
    tmp_path: Path,
    movies: standard_artifacts.Examples,
    models: dict[str, standard_artifacts.Model],
) -> None:
    root = tmp_path / "root"
    good, worse = models["good"], models["worse in Horror"]

    def run(model: standard_artifacts.Model, **settings: bool) -> tuple[bool, bool, str | None]:
        runner = tfx.orchestration.LocalDagRunner()
        runner.run(create_pipeline(root, movies, model, **settings))
        cached, verdict, compared = last_run(root)
        return cached, verdict.blessed, compared

    assert run(good) == (False, True, None)
    # A model that was blessed in the previous run is not compared with itself.
    assert run(good) == (True, True, None)
    assert run(worse) == (False, False, good.uri)
    # Refused models are never used for comparisons.
    assert run(good) == (True, True, None)
    assert run(worse) == (True, False, good.uri)
    assert run(worse, ignore_blessed_model=True) == (False, True, good.uri)
    # The worse model is blessed now, so the good one is compared with it.
    assert run(good) == (False, True, worse.uri)
