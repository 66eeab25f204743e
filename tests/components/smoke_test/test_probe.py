"""A good model passes, and a model with one fault is refused with a reason that names it."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from components.smoke_test.probe import ProbeReport, probe
from schema.genres import GENRES
from tests.data.tiny_model import (
    OutputChange,
    Tensors,
    save_tiny_model,
    write_examples,
    write_genres,
)

EDGE_CASES = [
    "edge case 'all empty'",
    "edge case 'plot only'",
    "edge case 'unknown people'",
    "edge case 'separators as people'",
    "edge case 'plot of 100,000 words'",
    "edge case 'very long word'",
    "edge case 'odd Unicode'",
    "edge case 'invalid UTF-8'",
    "edge case 'negative numbers'",
    "edge case 'zeros'",
    "edge case 'infinite numbers'",
    "edge case 'huge numbers'",
]
NAMED_INPUTS = (
    "average_rating, cast, directors, num_votes, plot, runtime_minutes, title, writers, year"
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_examples(tmp_path_factory.mktemp("examples") / "Split-test", 6)


def with_output(output: str, change: Callable[[Tensors, tf.Tensor], tf.Tensor]) -> OutputChange:
    return lambda features, answer: {**answer, output: change(features, answer[output])}


def empty_plot(features: Tensors) -> tf.Tensor:
    return (tf.strings.length(features["plot"]) == 0)[:, tf.newaxis]


def test_a_good_model_passes(tmp_path: Path, examples: Path) -> None:
    report = probe(save_tiny_model(tmp_path / "model"), examples, rows=5)

    assert report.reasons == []
    assert report.passed
    assert report.rows == [
        "row 0 (tt0000001)",
        "row 1 (tt0000003)",
        "row 2 (tt0000005)",
        "row 3 (tt0000002)",
        "row 4 (tt0000004)",
        *EDGE_CASES,
    ]
    assert set(report.largest_difference) == {
        "evaluate",
        "serving_default",
        "examples",
        "single rows",
        "requests with plots only",
    }
    assert max(report.largest_difference.values()) < 1e-6
    assert list(report.seconds) == [
        "reading the examples",
        "reading the graph",
        "loading the model",
        "calling serving_default",
        "calling evaluate",
        "calling examples",
        "calling serving_default row by row",
        "calling serving_default with plots only",
    ]


def test_the_genres_are_those_of_the_training(tmp_path: Path, examples: Path) -> None:
    genres = ("Космос", "Cowboys & Co.", "Gespenster")
    model = save_tiny_model(tmp_path / "model", genres=genres)
    assert probe(model, examples, rows=2).reasons == []
    write_genres(model, (genres[0], "Ghosts", genres[2]))
    assert probe(model, examples, rows=2).reasons == [
        "serving_default: genres are not those of the training in the same order in 14 of 14 rows, "
        "first row 0 (tt0000001), Ghosts"
    ]
    write_genres(model, genres[:2])
    assert sorted(probe(model, examples, rows=2).reasons) == [
        f"serving_default: '{name}' has the shape [14, 3]. Expected: [14, 2]"
        for name in ("genres", "predicted", "probabilities", "thresholds")
    ]


FAULTY_OUTPUTS: dict[str, tuple[OutputChange, str]] = {
    "nan": (
        with_output("probabilities", lambda f, p: tf.where(empty_plot(f), math.nan, p)),
        "serving_default: probabilities are not finite in 3 of 18 rows, first row 1 (tt0000003), "
        "Action",
    ),
    "range": (
        with_output("probabilities", lambda f, p: p + tf.one_hot(2, len(GENRES))),
        "serving_default: probabilities are not between 0 and 1 in 18 of 18 rows, first "
        "row 0 (tt0000001), Animation",
    ),
    "order": (
        with_output("genres", lambda f, g: tf.gather(g, [1, 0, *range(2, len(GENRES))], axis=1)),
        "serving_default: genres are not those of the training in the same order in 18 of 18 rows, "
        "first row 0 (tt0000001), Action",
    ),
    "nothing predicted": (
        with_output("predicted", lambda f, p: p & ~empty_plot(f)),
        "serving_default: no genre is predicted in 3 of 18 rows, first row 1 (tt0000003)",
    ),
    "one row of genres": (
        with_output("genres", lambda f, g: g[:1]),
        "serving_default: 'genres' has the shape [1, 22]. Expected: [18, 22]",
    ),
}


@pytest.mark.parametrize("fault", FAULTY_OUTPUTS)
def test_faulty_outputs_are_refused(fault: str, tmp_path: Path, examples: Path) -> None:
    change, reason = FAULTY_OUTPUTS[fault]
    report = probe(save_tiny_model(tmp_path / "model", serving_default=change), examples, rows=6)
    assert report.reasons == [reason]
    assert not report.passed


def test_a_signature_with_other_probabilities_is_refused(tmp_path: Path, examples: Path) -> None:
    shifted = with_output("probabilities", lambda f, p: tf.abs(p - 0.01))
    report = probe(save_tiny_model(tmp_path / "model", examples=shifted), examples, rows=6)
    assert report.reasons == [
        "examples: probabilities differ by up to 0.01 from those of serving_default for all rows "
        "in one batch (allowed: 0.005) in 18 of 18 rows, first row 0 (tt0000001), Action"
    ]
    assert report.largest_difference["examples"] == pytest.approx(0.01, abs=1e-6)


def in_bfloat16(probabilities: tf.Tensor) -> tf.Tensor:
    """Add noise like that of products in bfloat16."""
    rows = tf.range(tf.shape(probabilities)[0], dtype=tf.int32)
    seeds = tf.stack([rows, rows], axis=1)
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_uniform([len(GENRES)], seed, -0.001, 0.001),
        seeds,
        fn_output_signature=tf.float32,
    )
    return tf.clip_by_value(probabilities + noise, 0.0, 1.0)


WRONG_PREDICTIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "every genre": tf.ones_like,
    "none but the first": lambda p: tf.one_hot(
        tf.zeros(tf.shape(p)[:1], tf.int32), 22, True, False
    ),
    "another threshold": lambda p: p >= tf.minimum(0.6, tf.reduce_max(p, axis=1, keepdims=True)),
    "reversed genres": lambda p: tf.reverse(
        p >= tf.minimum(0.5, tf.reduce_max(p, axis=1, keepdims=True)), [1]
    ),
}


@pytest.mark.parametrize(
    ("fault", "signature", "noise"),
    [
        *((fault, "examples", True) for fault in WRONG_PREDICTIONS),
        ("every genre", "examples", False),
        ("every genre", "serving_default", True),
    ],
)
def test_a_signature_that_predicts_wrong_genres_is_refused(
    fault: str, signature: str, noise: bool, tmp_path: Path, examples: Path
) -> None:
    def wrong(features: Tensors, answer: Tensors) -> Tensors:
        p = answer["probabilities"]
        predicted = tf.cast(WRONG_PREDICTIONS[fault](p), tf.bool)
        return {**answer, "probabilities": in_bfloat16(p) if noise else p, "predicted": predicted}

    model = save_tiny_model(tmp_path / "model", **{signature: wrong})
    report = probe(model, examples, rows=6)
    assert report.reasons[0].startswith(
        f"{signature}: predicted genres do not follow from the probabilities and the thresholds of "
    )
    assert max(report.largest_difference.values()) < (0.005 if noise else 1e-6)


def test_noise_of_bfloat16_alone_passes(tmp_path: Path, examples: Path) -> None:
    def noisy(features: Tensors, answer: Tensors) -> Tensors:
        p = in_bfloat16(answer["probabilities"])
        best = tf.reduce_max(p, axis=1, keepdims=True)
        return {**answer, "probabilities": p, "predicted": p >= tf.minimum(0.5, best)}

    report = probe(save_tiny_model(tmp_path / "model", examples=noisy), examples, rows=6)
    assert report.reasons == []
    assert report.largest_difference["examples"] > 1e-4


def test_an_evaluation_of_other_probabilities_is_refused(tmp_path: Path, examples: Path) -> None:
    halved = with_output("probabilities", lambda f, p: p / 2)
    report = probe(save_tiny_model(tmp_path / "model", evaluate=halved), examples, rows=6)
    (reason,) = report.reasons
    assert reason.startswith("evaluate: probabilities differ by up to ")


def test_outputs_that_depend_on_other_rows_are_refused(tmp_path: Path, examples: Path) -> None:
    mixed = with_output("probabilities", lambda f, p: (p + tf.reduce_mean(p, axis=0)) / 2)
    model = save_tiny_model(
        tmp_path / "model", serving_default=mixed, examples=mixed, evaluate=mixed
    )
    report = probe(model, examples, rows=6)
    assert [reason.split(":")[0] for reason in report.reasons] == [
        "single rows",
        "requests with plots only",
    ]


def test_a_default_other_than_missing_is_refused(tmp_path: Path, examples: Path) -> None:
    report = probe(save_tiny_model(tmp_path / "model", number_default=1999.0), examples, rows=6)
    (reason,) = report.reasons
    assert reason.startswith("requests with plots only: probabilities differ by up to ")
    assert reason.endswith("in 3 of 3 rows, first edge case 'all empty', Action")


def test_an_input_without_default_is_refused(tmp_path: Path, examples: Path) -> None:
    report = probe(save_tiny_model(tmp_path / "model", has_defaults=False), examples, rows=6)
    assert len(report.reasons) == 9
    assert report.reasons[0] == (
        "input 'plot' of signature 'serving_default' has no default: a request cannot leave it out"
    )


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        ("examples", "evaluate, serving_default"),
        ("serving_default", "evaluate, examples"),
        ("evaluate", "examples, serving_default"),
    ],
)
def test_a_missing_signature_is_refused(
    missing: str, found: str, tmp_path: Path, examples: Path
) -> None:
    report = probe(save_tiny_model(tmp_path / "model", leave_out=missing), examples, rows=6)
    assert report.reasons[0].startswith(f"the model has no signature '{missing}' (found: ")
    assert report.reasons[0].endswith(f"{found})")


def test_other_inputs_outputs_and_types_are_refused(tmp_path: Path, examples: Path) -> None:
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="overview")])
    def predict(overview: tf.Tensor) -> Tensors:
        return {"probabilities": tf.zeros([tf.size(overview), 22], tf.float64)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="examples")])
    def predict_examples(serialized: tf.Tensor) -> Tensors:
        wrong = "genres", "predicted", "thresholds", "unfamiliar_language", "known_words"
        others = dict.fromkeys(wrong, serialized)
        return {"probabilities": tf.zeros([1, 22])} | others

    tf.saved_model.save(
        module, str(tmp_path), {"serving_default": predict, "examples": predict_examples}
    )
    report = probe(tmp_path, examples, rows=1)
    assert report.reasons[:5] == [
        f"signature 'serving_default' has the inputs overview. Expected: {NAMED_INPUTS}",
        "signature 'serving_default' has the outputs probabilities. "
        "Expected: genres, known_words, predicted, probabilities, thresholds, unfamiliar_language",
        "output 'probabilities' of signature 'serving_default' is float64. Expected: float32",
        "input 'plot' of signature 'serving_default' has no default: a request cannot leave it out",
        "input 'title' of signature 'serving_default' has no default: a request cannot leave it "
        "out",
    ]
    examples_input, *outputs, missing = report.reasons[-7:]
    assert examples_input == "input 'examples' of signature 'examples' is int64. Expected: string"
    assert outputs == [
        f"output '{name}' of signature 'examples' is int64. Expected: {dtype}"
        for name, dtype in {
            "genres": "string",
            "predicted": "bool",
            "thresholds": "float32",
            "unfamiliar_language": "bool",
            "known_words": "float32",
        }.items()
    ]
    assert missing.startswith("the model has no signature 'evaluate' (found: ")


def test_a_graph_that_needs_python_is_refused(tmp_path: Path, examples: Path) -> None:
    def through_python(features: Tensors, probabilities: tf.Tensor) -> tf.Tensor:
        same = tf.numpy_function(lambda p: p, [probabilities], tf.float32, stateful=False)
        return tf.ensure_shape(same, [None, len(GENRES)])

    change = with_output("probabilities", through_python)
    report = probe(save_tiny_model(tmp_path / "model", serving_default=change), examples, rows=6)
    assert report.reasons == ["the graph has ops that TensorFlow Serving lacks: PyFuncStateless"]


def test_a_graph_with_an_op_that_tensorflow_lacks_is_refused(
    tmp_path: Path, examples: Path
) -> None:
    model = save_tiny_model(tmp_path / "model")
    graph = model / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"StringLength", b"StrangLength"))
    report = probe(model, examples, rows=6)
    assert report.reasons == ["the graph has ops that TensorFlow Serving lacks: StrangLength"]


def test_a_graph_that_fails_on_one_row_is_refused(tmp_path: Path, examples: Path) -> None:
    def fail(features: Tensors, probabilities: tf.Tensor) -> tf.Tensor:
        short = tf.strings.length(features["plot"]) < 100_000
        with tf.control_dependencies(
            [tf.debugging.Assert(tf.reduce_all(short), ["the plot is too long"])]
        ):
            return tf.identity(probabilities)

    change = with_output("probabilities", fail)
    report = probe(save_tiny_model(tmp_path / "model", serving_default=change), examples, rows=6)
    (reason,) = report.reasons
    assert reason.startswith("calling serving_default failed: ")
    assert "the plot is too long" in reason


@pytest.mark.parametrize("damage", ["no variables", "cut graph", "no graph", "no words"])
def test_a_model_that_does_not_load_is_refused(damage: str, tmp_path: Path, examples: Path) -> None:
    model = save_tiny_model(tmp_path / "model")
    if damage == "no variables":
        shutil.rmtree(model / "variables")
    elif damage == "no words":
        shutil.rmtree(model / "assets")
    elif damage == "no graph":
        (model / "saved_model.pb").unlink()
    else:
        graph = model / "saved_model.pb"
        graph.write_bytes(graph.read_bytes()[:-100])
    report = probe(model, examples, rows=6)
    (reason,) = report.reasons
    stage = (
        "loading the model"
        if damage.startswith("no ") and damage != "no graph"
        else ("reading the graph")
    )
    assert reason.startswith(f"{stage} failed: ")
    assert not report.passed


def test_the_command_needs_neither_tfx_nor_the_training_code(
    tmp_path: Path, examples: Path
) -> None:
    model = save_tiny_model(tmp_path / "model")
    report = tmp_path / "report.json"
    script = (
        "import sys; from components.smoke_test import probe; status = probe.main(); "
        "print(sorted({'tfx', 'tensorflow_transform', 'trainer', 'transform'} "
        "& set(sys.modules))); sys.exit(status)"
    )
    command = [sys.executable, "-c", script, "--model", str(model), "--examples", str(examples)]
    done = subprocess.run(
        [*command, "--report", str(report), "--rows", "2"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "absl::InitializeLog" not in done.stderr
    assert done.stdout.splitlines()[0] == "stage: reading the examples"
    assert done.stdout.splitlines()[-2:] == [
        "stage: calling serving_default with plots only",
        "[]",
    ]
    report_from_file = ProbeReport(**json.loads(report.read_text()))
    assert report_from_file.passed
    assert report_from_file.rows == ["row 0 (tt0000001)", "row 1 (tt0000003)", *EDGE_CASES]
