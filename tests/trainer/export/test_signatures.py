"""The signatures of the exported model, compared with each other and with the training."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tfx import v1 as tfx

from schema import features as raw
from schema import names
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from tests.data.tiny_training import TINY_HPARAMS
from tests.end_to_end.project import MOVIES, Project, Run
from trainer import run
from trainer.encoder.pretrained import ENCODERS
from trainer.ensemble.decision_rule import MISSINGNESS_PATTERNS
from trainer.hparams import HParams
from transform import features as xf

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval", "test")


@pytest.fixture(scope="module")
def project(first_run: tuple[Project, Run]) -> Project:
    """Return the project of the first run. Tests only read it."""
    return first_run[0]


@pytest.fixture(scope="module")
def saved_model(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the pushed model, apart from the output directory."""
    [version] = project.served.values()
    return Path(shutil.copytree(version, tmp_path_factory.mktemp("served") / version.name))


@pytest.fixture(scope="module")
def signatures(saved_model: Path) -> dict[str, Any]:
    return tf.saved_model.load(str(saved_model)).signatures


@pytest.fixture(scope="module")
def defaults(saved_model: Path) -> dict[str, tf.Tensor]:
    return signature_defaults(saved_model)


@pytest.fixture(scope="module")
def examples(project: Project) -> dict[str, list[bytes]]:
    """Return raw serialized examples by split."""
    [directory] = project.artifacts("CsvExampleGen", "examples")
    return {split: records(directory, split) for split in SPLITS}


@pytest.fixture(scope="module")
def movies(project: Project) -> list[dict[str, str]]:
    """Return the rows of the movies CSV files. An empty cell is a missing value."""
    rows = []
    for shard in sorted((project.output / "movies").glob("movies-*.csv")):
        with shard.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def records(directory: Path, split: str) -> list[bytes]:
    files = sorted(str(path) for path in (directory / f"Split-{split}").iterdir())
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def signature_defaults(directory: Path) -> dict[str, tf.Tensor]:
    """Return the values that TensorFlow Serving uses for inputs that a request omits."""
    saved = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def[names.SERVING_SIGNATURE]
    return {name: tf.constant(tf.make_ndarray(value)) for name, value in signature.defaults.items()}


def named_inputs(rows: list[dict[str, str]]) -> dict[str, tf.Tensor]:
    """Return rows of the CSV files as model inputs; an empty cell becomes empty text or NaN."""
    return {
        name: tf.constant([float(row[name] or "nan") for row in rows])
        if name in raw.NUMBERS
        else tf.constant([row[name] for row in rows])
        for name in raw.MODEL_INPUTS
    }


def example(**values: str | int | float) -> bytes:
    """Return a serialized example with only these features."""
    feature = {}
    for name, value in values.items():
        if isinstance(value, str):
            texts = tf.train.BytesList(value=[value.encode()])
            feature[name] = tf.train.Feature(bytes_list=texts)
        elif isinstance(value, int):
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        else:
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def assert_same(outputs: dict[str, tf.Tensor], expected: dict[str, tf.Tensor]) -> None:
    """Assert that two outputs agree in all rows."""
    assert (
        set(outputs)
        == set(expected)
        == {
            "genres",
            "probabilities",
            "predicted",
            "thresholds",
            "unfamiliar_language",
            "known_words",
        }
    )
    np.testing.assert_array_equal(outputs["genres"], expected["genres"])
    np.testing.assert_allclose(
        outputs["probabilities"], expected["probabilities"], atol=1e-5, rtol=0
    )
    for name in ("predicted", "thresholds", "unfamiliar_language", "known_words"):
        np.testing.assert_array_equal(outputs[name], expected[name])


def assert_valid(outputs: dict[str, tf.Tensor], rows: int) -> None:
    """Assert that outputs have the documented names, types and shapes."""
    assert {name: (value.dtype, tuple(value.shape)) for name, value in outputs.items()} == {
        "genres": (tf.string, (rows, NUM_GENRES)),
        "probabilities": (tf.float32, (rows, NUM_GENRES)),
        "predicted": (tf.bool, (rows, NUM_GENRES)),
        "thresholds": (tf.float32, (rows, NUM_GENRES)),
        "unfamiliar_language": (tf.bool, (rows,)),
        "known_words": (tf.float32, (rows,)),
    }
    assert outputs["genres"].numpy().tolist() == [[name.encode() for name in GENRES]] * rows
    probabilities = outputs["probabilities"].numpy()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    predicted, thresholds = outputs["predicted"].numpy(), outputs["thresholds"].numpy()
    assert predicted.any(axis=1).all()
    assert predicted[probabilities > thresholds + 1e-5].all()
    several = predicted.sum(axis=1) > 1
    assert not (predicted & (probabilities < thresholds - 1e-5))[several].any()


@pytest.mark.parametrize("split", SPLITS)
def test_served_features_equal_transformed_examples(
    project: Project, signatures: dict[str, Any], examples: dict[str, list[bytes]], split: str
) -> None:
    [graph] = project.artifacts("Transform", "transform_graph")
    [transformed] = project.artifacts("Transform", "transformed_examples")
    spec = tft.TFTransformOutput(str(graph)).transformed_feature_spec()
    trained = tf.io.parse_example(records(transformed, split), spec)
    served = signatures[names.TRANSFORM_SIGNATURE](examples=tf.constant(examples[split]))

    assert set(trained) == {
        *xf.ID_FEATURES,
        *xf.TEXT_FEATURES,
        xf.NUMBERS,
        xf.NUMBERS_MISSING,
        xf.LABEL,
        *xf.SLICE_KEYS,
        xf.SPLIT_GROUP,
    }
    for name, values in trained.items():
        if name in xf.ID_FEATURES:
            np.testing.assert_array_equal(
                tf.sparse.to_dense(values, default_value=-1),
                dense_ids(served, name),
                err_msg=name,
            )
        elif values.dtype == tf.float32:
            np.testing.assert_allclose(values, served[name], atol=1e-6, rtol=0, err_msg=name)
        else:
            np.testing.assert_array_equal(tf.reshape(values, [-1]), tf.reshape(served[name], [-1]))


def dense_ids(outputs: dict[str, tf.Tensor], name: str) -> tf.Tensor:
    """Return the ids of a signature's sparse output; int64 [N, longest], padded with -1."""
    return tf.sparse.to_dense(outputs[name], default_value=-1)


def test_warm_up_requests(saved_model: Path, signatures: dict[str, Any]) -> None:
    file = saved_model / names.WARMUP_FILE
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {n: tf.constant(tf.make_ndarray(t)) for n, t in request.inputs.items()}
        outputs = signatures[request.model_spec.signature_name](**inputs)
        [rows] = {len(values) for values in inputs.values()}
        assert_valid(outputs, rows)


def test_named_inputs_give_the_outputs_of_examples(
    signatures: dict[str, Any], examples: dict[str, list[bytes]], movies: list[dict[str, str]]
) -> None:
    serialized = [record for split in SPLITS for record in examples[split]]
    by_tconst = {tconst(record): record for record in serialized}
    assert len(movies) == len(by_tconst) == MOVIES
    gaps = {name: sum(not movie[name] for movie in movies) for name in raw.MODEL_INPUTS}
    assert gaps == {
        **dict.fromkeys(raw.TEXTS, 0),
        **dict.fromkeys(raw.NUMBERS + raw.PEOPLE, 55),
    }

    outputs = signatures[names.SERVING_SIGNATURE](**named_inputs(movies))
    expected = signatures[names.EXAMPLES_SIGNATURE](
        examples=tf.constant([by_tconst[movie[raw.TCONST]] for movie in movies])
    )
    assert_valid(outputs, MOVIES)
    assert_same(outputs, expected)


def tconst(serialized: bytes) -> str:
    feature = tf.train.Example.FromString(serialized).features.feature[raw.TCONST]
    return feature.bytes_list.value[0].decode()


def test_an_omitted_input_equals_an_empty_input(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor], movies: list[dict[str, str]]
) -> None:
    serve = signatures[names.SERVING_SIGNATURE]
    assert set(defaults) == set(raw.MODEL_INPUTS)
    rows = movies[:20]
    for name in raw.MODEL_INPUTS:
        omitted = {**named_inputs(rows), name: defaults[name]}
        empty = named_inputs([{**row, name: ""} for row in rows])
        assert_same(serve(**omitted), serve(**empty))


def test_a_plot_alone(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor], movies: list[dict[str, str]]
) -> None:
    plots = [movie[raw.PLOT] for movie in movies[:5]]
    outputs = signatures[names.SERVING_SIGNATURE](**{**defaults, raw.PLOT: tf.constant(plots)})
    expected = signatures[names.EXAMPLES_SIGNATURE](
        examples=tf.constant([example(plot=plot) for plot in plots])
    )
    assert_valid(outputs, 5)
    assert_same(outputs, expected)


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({}, {}),
        ({raw.YEAR: 0.0, raw.VOTES: -1.0, raw.RUNTIME: math.inf}, {}),
        ({raw.YEAR: 1994.0, raw.RATING: 8.5}, {raw.YEAR: 1994, raw.RATING: 8.5}),
        ({raw.TITLE: " \u2003!? "}, {raw.TITLE: " \u2003!? "}),
        ({raw.CAST: "|"}, {raw.CAST: "|"}),
        ({raw.CAST: "|", raw.TITLE: "?"}, {raw.TITLE: "?"}),
    ],
)
def test_empty_and_impossible_values_are_unknown(
    signatures: dict[str, Any],
    defaults: dict[str, tf.Tensor],
    values: dict[str, Any],
    known: dict[str, Any],
) -> None:
    inputs = {**defaults, **{name: tf.constant([value]) for name, value in values.items()}}
    outputs = signatures[names.SERVING_SIGNATURE](**inputs)
    expected = signatures[names.EXAMPLES_SIGNATURE](examples=tf.constant([example(**known)]))
    assert_valid(outputs, 1)
    assert_same(outputs, expected)


def test_people_who_are_not_in_the_training_split_are_unknown(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor]
) -> None:
    def ids(name: str) -> list[int]:
        serialized = tf.constant([example(directors=name)])
        features = signatures[names.TRANSFORM_SIGNATURE](examples=serialized)
        return features[xf.PEOPLE_IDS[raw.DIRECTORS]].values.numpy().tolist()

    assert len(ids("Nobody That Ever Was")) == 1
    assert ids("Nobody That Ever Was") != ids("Nor This One")
    outputs = [
        signatures[names.SERVING_SIGNATURE](**{**defaults, raw.DIRECTORS: tf.constant([name])})
        for name in ("Nobody That Ever Was", "Nor This One")
    ]
    assert_valid(outputs[0], 1)
    assert_same(*outputs)


def test_predicted_genres_follow_from_the_recorded_thresholds(
    project: Project,
    signatures: dict[str, Any],
    examples: dict[str, list[bytes]],
    movies: list[dict[str, str]],
) -> None:
    by_tconst = {movie[raw.TCONST]: movie for movie in movies}
    people: dict[str, set[str]] = {name: set() for name in raw.PEOPLE}
    for serialized in examples["train"]:
        for name in raw.PEOPLE:
            people[name] |= names_of(by_tconst[tconst(serialized)], name)
    [model_run] = project.artifacts("Trainer", "model_run")
    rule = json.loads((model_run / names.TRAINING_RECORD_FILE).read_text())["decision_rule"]
    thresholds = np.array(
        [
            [genres[genre]["threshold"] for genre in GENRES]
            for genres in (rule[pattern] for pattern in MISSINGNESS_PATTERNS)
        ]
    )[[missingness_pattern(movie, people) for movie in movies]]

    outputs = signatures[names.SERVING_SIGNATURE](**named_inputs(movies))
    margins = logit(outputs["probabilities"].numpy()) - logit(thresholds)
    expected = (margins >= 0) | (margins == margins.max(axis=1, keepdims=True))
    clear = np.abs(margins) > 1e-4
    np.testing.assert_array_equal(outputs["predicted"].numpy()[clear], expected[clear])
    assert clear.mean() > 0.99


def missingness_pattern(movie: dict[str, str], people: dict[str, set[str]]) -> int:
    """Return the index of a row's pattern, given the people of the training split."""
    known = any(people[name] & names_of(movie, name) for name in raw.PEOPLE)
    assert movie[raw.PLOT]
    return 2 * known + bool(movie[raw.RATING] and movie[raw.VOTES])


def names_of(movie: dict[str, str], field: str) -> set[str]:
    """Return the names of a field that the model reads."""
    names = movie[field].split(raw.LIST_SEPARATOR)[: xf.TransformConfig().max_cast]
    return {name for name in names if name}


def logit(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities) - np.log1p(-probabilities)


def test_outputs_for_the_evaluator(
    signatures: dict[str, Any], examples: dict[str, list[bytes]], movies: list[dict[str, str]]
) -> None:
    by_tconst = {movie[raw.TCONST]: movie for movie in movies}
    rows = [by_tconst[tconst(record)] for record in examples["test"]]
    serialized = tf.constant(examples["test"])
    evaluated = signatures[names.EVALUATE_SIGNATURE](examples=serialized)
    outputs = signatures[names.EXAMPLES_SIGNATURE](examples=serialized)

    np.testing.assert_array_equal(evaluated[names.PROBABILITIES_OUTPUT], outputs["probabilities"])
    np.testing.assert_array_equal(
        evaluated[names.SCORES_OUTPUT].numpy() > 0.5, outputs["predicted"]
    )
    labels = [[genre in row[raw.GENRES_FIELD].split("|") for genre in GENRES] for row in rows]
    np.testing.assert_array_equal(evaluated[xf.LABEL], np.array(labels, np.float32))
    decades = [f"{row[raw.YEAR][:3]}0s" if row[raw.YEAR] else "unknown" for row in rows]
    assert evaluated[xf.DECADE].numpy().tolist() == [decade.encode() for decade in decades]
    plot_and_title_only = [not any(row[name] for name in (*raw.PEOPLE, raw.RATING)) for row in rows]
    assert (
        evaluated[xf.METADATA].numpy() == b"plot and title only"
    ).tolist() == plot_and_title_only


def test_texts_are_cleaned_in_the_model(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor]
) -> None:
    plots = {
        "A widow keeps bees in a café.": [
            "A\u00a0widow keeps\u2009bees in\r\na cafe\u0301.",
            "A wi\u200bdow <i>keeps</i> bees in a caf&eacute;.[1] — Ola Norman",
        ],
        "": ["No synopsis available.", "n/a", "Add a Plot »", " \u3000"],
    }
    for plot, others in plots.items():
        inputs = {**defaults, raw.PLOT: tf.constant([plot, *others])}
        outputs = signatures[names.SERVING_SIGNATURE](**inputs)
        probabilities = outputs[names.PROBABILITIES_OUTPUT].numpy()
        np.testing.assert_allclose(
            probabilities, probabilities[[0] * len(probabilities)], atol=1e-6
        )
        assert len({tuple(row) for row in outputs[names.PREDICTED_OUTPUT].numpy()}) == 1


def test_the_model_needs_no_other_files(
    project: Project, saved_model: Path, signatures: dict[str, Any], movies: list[dict[str, str]]
) -> None:
    before = signatures[names.SERVING_SIGNATURE](**named_inputs(movies))
    moved_output = project.output.rename(project.directory / "moved_output")
    try:
        moved = tf.saved_model.load(str(saved_model)).signatures[names.SERVING_SIGNATURE]
        assert_same(moved(**named_inputs(movies)), before)
    finally:
        moved_output.rename(project.output)


# The first run, which the other tests read, has both encoders.
@pytest.mark.parametrize(
    ("words", "sentences"),
    [("rnn", "none"), ("none", "minilm"), ("none", "none"), ("cnn", "mpnet")],
)
def test_each_encoder_trains_and_exports(
    project: Project,
    examples: dict[str, list[bytes]],
    movies: list[dict[str, str]],
    tmp_path: Path,
    words: str,
    sentences: str,
) -> None:
    [transformed] = project.artifacts("Transform", "transformed_examples")
    [graph] = project.artifacts("Transform", "transform_graph")
    [word_vectors] = project.artifacts("WordVectors", "model")
    changes = {
        "word_encoder": words,
        "sentence_encoder": sentences,
        "encoder_layers": 2,
        "epochs": 1,
    }
    hparams = HParams(**TINY_HPARAMS | changes)
    try:
        if hparams.has_sentence_encoder:
            ENCODERS[sentences].check_installed()
    except UserError as error:
        pytest.skip(str(error))
    run.run_fn(
        tfx.components.FnArgs(
            train_files=[str(transformed / "Split-train" / "*")],
            eval_files=[str(transformed / "Split-eval" / "*")],
            transform_graph_path=str(graph),
            base_model=str(word_vectors / "Format-Serving"),
            serving_model_dir=str(tmp_path / "model"),
            model_run_dir=str(tmp_path / "run"),
            custom_config={"hparams": hparams.model_dump()},
        )
    )

    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    assert set(signatures) == {"serving_default", "examples", "evaluate", "transform_features"}
    by_tconst = {movie[raw.TCONST]: movie for movie in movies}
    rows = [by_tconst[tconst(record)] for record in examples["test"]]
    outputs = signatures[names.SERVING_SIGNATURE](**named_inputs(rows))
    assert_valid(outputs, len(rows))
    serialized = tf.constant(examples["test"])
    assert_same(outputs, signatures[names.EXAMPLES_SIGNATURE](examples=serialized))
