"""The exported model: what it answers is what it was trained on, whatever way it is asked."""

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
from tests.data.tiny_training import SHIPPED_BUT_SMALL
from tests.end_to_end.project import MOVIES, Project, Run
from trainer import run
from trainer.encoder.pretrained import ENCODERS
from trainer.ensemble.thresholds import PATTERNS
from trainer.hparams import HParams
from transform import features as xf

pytestmark = pytest.mark.slow

SPLITS = ("train", "eval", "test")


@pytest.fixture(scope="module")
def project(first_run: tuple[Project, Run]) -> Project:
    """Only read here."""
    return first_run[0]


@pytest.fixture(scope="module")
def saved_model(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pushed model, away from all that made it."""
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
    """Raw serialized examples by split."""
    [folder] = project.artifacts("CsvExampleGen", "examples")
    return {split: records(folder, split) for split in SPLITS}


@pytest.fixture(scope="module")
def movies(project: Project) -> list[dict[str, str]]:
    """Rows of the movies CSV; an empty cell is missing."""
    rows = []
    for shard in sorted((project.output / "movies").glob("movies-*.csv")):
        with shard.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def records(folder: Path, split: str) -> list[bytes]:
    files = sorted(str(path) for path in (folder / f"Split-{split}").iterdir())
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def signature_defaults(folder: Path) -> dict[str, tf.Tensor]:
    """What TensorFlow Serving puts in place of inputs that a request does not name."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def[names.SERVING_SIGNATURE]
    return {name: tf.constant(tf.make_ndarray(value)) for name, value in signature.defaults.items()}


def named(rows: list[dict[str, str]]) -> dict[str, tf.Tensor]:
    """Rows of the CSV as a client sends them: an empty cell as empty text or NaN."""
    return {
        name: tf.constant([float(row[name] or "nan") for row in rows])
        if name in raw.NUMBERS
        else tf.constant([row[name] for row in rows])
        for name in raw.MODEL_INPUTS
    }


def example(**values: str | int | float) -> bytes:
    """A serialized example that has nothing but these features."""
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


def assert_same(answer: dict[str, tf.Tensor], other: dict[str, tf.Tensor]) -> None:
    """Two answers agree, row by row."""
    assert set(answer) == set(other) == {"genres", "probabilities", "predicted"}
    np.testing.assert_array_equal(answer["genres"], other["genres"])
    np.testing.assert_allclose(answer["probabilities"], other["probabilities"], atol=1e-5, rtol=0)
    np.testing.assert_array_equal(answer["predicted"], other["predicted"])


def assert_is_an_answer(answer: dict[str, tf.Tensor], rows: int) -> None:
    """It has the documented form."""
    assert {name: (value.dtype, tuple(value.shape)) for name, value in answer.items()} == {
        "genres": (tf.string, (rows, NUM_GENRES)),
        "probabilities": (tf.float32, (rows, NUM_GENRES)),
        "predicted": (tf.bool, (rows, NUM_GENRES)),
    }
    assert answer["genres"].numpy().tolist() == [[name.encode() for name in GENRES]] * rows
    probabilities = answer["probabilities"].numpy()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert answer["predicted"].numpy().any(axis=1).all()


@pytest.mark.parametrize("split", SPLITS)
def test_served_features_are_the_trained_ones(
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
    """Ids [N, longest], -1 behind the last of a row; a signature gives a sparse tensor as one."""
    return tf.sparse.to_dense(outputs[name], default_value=-1)


def test_the_requests_that_warm_a_server_up_are_answered(
    saved_model: Path, signatures: dict[str, Any]
) -> None:
    file = saved_model / names.WARMUP_FILE
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {n: tf.constant(tf.make_ndarray(t)) for n, t in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](**inputs)
        [rows] = {len(values) for values in inputs.values()}
        assert_is_an_answer(answer, rows)


def test_named_features_answer_as_examples_do(
    signatures: dict[str, Any], examples: dict[str, list[bytes]], movies: list[dict[str, str]]
) -> None:
    serialized = [one for split in SPLITS for one in examples[split]]
    by_title = {tconst(one): one for one in serialized}
    assert len(movies) == len(by_title) == MOVIES
    gaps = {name: sum(not movie[name] for movie in movies) for name in raw.MODEL_INPUTS}
    assert gaps == {
        **dict.fromkeys(raw.TEXTS, 0),
        **dict.fromkeys(raw.NUMBERS + raw.PEOPLE, 55),
    }

    answer = signatures[names.SERVING_SIGNATURE](**named(movies))
    of_examples = signatures[names.EXAMPLES_SIGNATURE](
        examples=tf.constant([by_title[movie[raw.TCONST]] for movie in movies])
    )
    assert_is_an_answer(answer, MOVIES)
    assert_same(answer, of_examples)


def tconst(serialized: bytes) -> str:
    feature = tf.train.Example.FromString(serialized).features.feature[raw.TCONST]
    return feature.bytes_list.value[0].decode()


def test_an_input_that_is_left_out_is_one_that_is_empty(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor], movies: list[dict[str, str]]
) -> None:
    serve = signatures[names.SERVING_SIGNATURE]
    assert set(defaults) == set(raw.MODEL_INPUTS)
    rows = movies[:20]
    for name in raw.MODEL_INPUTS:
        left_out = {**named(rows), name: defaults[name]}
        empty = named([{**row, name: ""} for row in rows])
        assert_same(serve(**left_out), serve(**empty))


def test_only_a_plot(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor], movies: list[dict[str, str]]
) -> None:
    plots = [movie[raw.PLOT] for movie in movies[:5]]
    answer = signatures[names.SERVING_SIGNATURE](**{**defaults, raw.PLOT: tf.constant(plots)})
    of_examples = signatures[names.EXAMPLES_SIGNATURE](
        examples=tf.constant([example(plot=plot) for plot in plots])
    )
    assert_is_an_answer(answer, 5)
    assert_same(answer, of_examples)


@pytest.mark.parametrize(
    ("given", "known"),
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
    given: dict[str, Any],
    known: dict[str, Any],
) -> None:
    inputs = {**defaults, **{name: tf.constant([value]) for name, value in given.items()}}
    answer = signatures[names.SERVING_SIGNATURE](**inputs)
    of_example = signatures[names.EXAMPLES_SIGNATURE](examples=tf.constant([example(**known)]))
    assert_is_an_answer(answer, 1)
    assert_same(answer, of_example)


def test_a_person_that_training_has_not_seen_is_known_to_be_unknown(
    signatures: dict[str, Any], defaults: dict[str, tf.Tensor]
) -> None:
    def ids(name: str) -> list[int]:
        serialized = tf.constant([example(directors=name)])
        features = signatures[names.TRANSFORM_SIGNATURE](examples=serialized)
        return features[xf.PEOPLE_IDS[raw.DIRECTORS]].values.numpy().tolist()

    assert len(ids("Nobody That Ever Was")) == 1
    assert ids("Nobody That Ever Was") != ids("Nor This One")
    answers = [
        signatures[names.SERVING_SIGNATURE](**{**defaults, raw.DIRECTORS: tf.constant([name])})
        for name in ("Nobody That Ever Was", "Nor This One")
    ]
    assert_is_an_answer(answers[0], 1)
    assert_same(*answers)


def test_decisions_follow_the_recorded_thresholds(
    project: Project,
    signatures: dict[str, Any],
    examples: dict[str, list[bytes]],
    movies: list[dict[str, str]],
) -> None:
    trained = {movie[raw.TCONST]: movie for movie in movies}
    people: dict[str, set[str]] = {name: set() for name in raw.PEOPLE}
    for one in examples["train"]:
        for name in raw.PEOPLE:
            people[name] |= people_of(trained[tconst(one)], name)
    [model_run] = project.artifacts("Trainer", "model_run")
    decisions = json.loads((model_run / names.TRAINING_RECORD_FILE).read_text())["decisions"]
    thresholds = np.array(
        [
            [genres[genre]["threshold"] for genre in GENRES]
            for genres in (decisions[pattern] for pattern in PATTERNS)
        ]
    )[[pattern_of(movie, people) for movie in movies]]

    answer = signatures[names.SERVING_SIGNATURE](**named(movies))
    margins = logit(answer["probabilities"].numpy()) - logit(thresholds)
    expected = (margins >= 0) | (margins == margins.max(axis=1, keepdims=True))
    clear = np.abs(margins) > 1e-4
    np.testing.assert_array_equal(answer["predicted"].numpy()[clear], expected[clear])
    assert clear.mean() > 0.99


def pattern_of(movie: dict[str, str], people: dict[str, set[str]]) -> int:
    """Which of `PATTERNS` a row has, given who was seen in training."""
    seen = any(people[name] & people_of(movie, name) for name in raw.PEOPLE)
    return 2 * seen + bool(movie[raw.RATING] and movie[raw.VOTES])


def people_of(movie: dict[str, str], field: str) -> set[str]:
    """The names of a field that the model reads."""
    names = movie[field].split(raw.LIST_SEPARATOR)[: xf.TransformConfig().max_cast]
    return {name for name in names if name}


def logit(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities) - np.log1p(-probabilities)


def test_the_evaluator_sees_the_same_decisions_labels_and_slices(
    signatures: dict[str, Any], examples: dict[str, list[bytes]], movies: list[dict[str, str]]
) -> None:
    by_title = {movie[raw.TCONST]: movie for movie in movies}
    rows = [by_title[tconst(one)] for one in examples["test"]]
    serialized = tf.constant(examples["test"])
    given = signatures[names.EVALUATE_SIGNATURE](examples=serialized)
    answer = signatures[names.EXAMPLES_SIGNATURE](examples=serialized)

    np.testing.assert_array_equal(given[names.PROBABILITIES_OUTPUT], answer["probabilities"])
    np.testing.assert_array_equal(given[names.SCORES_OUTPUT].numpy() > 0.5, answer["predicted"])
    labels = [[genre in row[raw.GENRES_FIELD].split("|") for genre in GENRES] for row in rows]
    np.testing.assert_array_equal(given[xf.LABEL], np.array(labels, np.float32))
    decades = [f"{row[raw.YEAR][:3]}0s" if row[raw.YEAR] else "unknown" for row in rows]
    assert given[xf.DECADE].numpy().tolist() == [decade.encode() for decade in decades]
    alone = [not any(row[name] for name in (*raw.PEOPLE, raw.RATING)) for row in rows]
    assert (given[xf.METADATA].numpy() == b"plot and title only").tolist() == alone


def test_the_model_stands_alone(
    project: Project, saved_model: Path, signatures: dict[str, Any], movies: list[dict[str, str]]
) -> None:
    before = signatures[names.SERVING_SIGNATURE](**named(movies))
    away = project.output.rename(project.folder / "away")
    try:
        moved = tf.saved_model.load(str(saved_model)).signatures[names.SERVING_SIGNATURE]
        assert_same(moved(**named(movies)), before)
    finally:
        away.rename(project.output)


# The run of all tests has both encoders.
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
    of = {"word_encoder": words, "sentence_encoder": sentences, "encoder_layers": 2, "epochs": 1}
    hparams = HParams(**SHIPPED_BUT_SMALL | of)
    try:
        if hparams.reads_sentences:
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
    by_title = {movie[raw.TCONST]: movie for movie in movies}
    rows = [by_title[tconst(one)] for one in examples["test"]]
    answer = signatures[names.SERVING_SIGNATURE](**named(rows))
    assert_is_an_answer(answer, len(rows))
    serialized = tf.constant(examples["test"])
    assert_same(answer, signatures[names.EXAMPLES_SIGNATURE](examples=serialized))
