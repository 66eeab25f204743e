"""A training from transformed movies to the SavedModel."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import yaml
from scipy.special import expit
from tfx import v1 as tfx

from schema import features as raw
from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import SERVING_SIGNATURE
from tests.data.tiny_training import MOVIES, TINY_HPARAMS, trainer_arguments
from trainer import data, run
from trainer.encoder.sentence import SentenceEncoder
from trainer.ensemble import training
from trainer.features import extractor, fields
from trainer.hparams import HParams
from trainer.tune import TrainingTuner, build_oracle
from transform import features as xf

UNKNOWN = {
    name: tf.constant([float("nan") if name in raw.NUMBERS else ""]) for name in raw.MODEL_INPUTS
}
"""Inputs of a movie of which nothing is known."""

Trained = tuple[tfx.components.FnArgs, dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Arguments and record of a small training with the default encoders."""
    arguments = trainer_arguments(tmp_path_factory.mktemp("trained"), **TINY_HPARAMS)
    run.run_fn(arguments)
    return arguments, json.loads(Path(arguments.model_run_dir, "training.json").read_text())


@pytest.fixture(scope="module")
def training_inputs(trained: Trained) -> run.TrainingInputs:
    return run.prepare(trained[0], HParams(**TINY_HPARAMS))


def test_hyperparameters_equal_those_of_tiny_yaml() -> None:
    file = Path(__file__).parents[1] / "data" / "tiny.yaml"
    assert yaml.safe_load(file.read_text())["hparams"] == TINY_HPARAMS


def test_training_record(trained: Trained) -> None:
    arguments, record = trained
    expected = HParams(**TINY_HPARAMS).model_dump()
    assert record["hparams"] == expected | {"precision": record["hparams"]["precision"]}
    assert record["hparams"]["precision"] in ("float32", "bfloat16")
    history = record["history"]
    assert {name: len(values) for name, values in history.items()} == {
        "loss": 2,
        "val_loss": 2,
        "val_map": 2,
        "val_macro_f1": 2,
    }
    assert all(math.isfinite(value) for values in history.values() for value in values)
    assert record["genres"] == list(GENRES)
    assert record["languages"] == {"English": len(MOVIES["train"])}
    assert record["best_epoch"] == int(np.argmax(history["val_map"]))
    assert set(record["decision_rule"]) == {
        "plot and title only",
        "numbers known",
        "credits known",
        "credits and numbers known",
        "title only",
        "numbers known, no plot",
        "credits known, no plot",
        "credits and numbers known, no plot",
        "nothing known",
    }
    copy = Path(arguments.serving_model_dir, "assets.extra", "training.json")
    assert json.loads(copy.read_text()) == record
    assert manifest.check(copy.parents[1]) == manifest.describe(copy.parents[1])


def test_the_served_model_tells_languages_that_it_has_hardly_seen(trained: Trained) -> None:
    serve = tf.saved_model.load(trained[0].serving_model_dir).signatures[SERVING_SIGNATURE]
    plots = [
        "A keeper counts the ships.",
        "Смотритель считает корабли.",
        "",
        "Der Wärter und das Meer",
    ]
    outputs = serve(**UNKNOWN | {"plot": tf.constant(plots)})
    assert outputs["unfamiliar_language"].numpy().tolist() == [False, True, False, True]


def test_the_served_model_returns_the_share_of_known_words(trained: Trained) -> None:
    serve = tf.saved_model.load(trained[0].serving_model_dir).signatures[SERVING_SIGNATURE]
    vocabulary = tft.TFTransformOutput(trained[0].transform_graph_path).vocabulary_by_name(
        xf.PLOT_WORDS
    )
    known = vocabulary[0].decode()
    plots = [f"{known} {known} xqzzk {known}", "", "xqzzk qqqzzx", known]
    outputs = serve(**UNKNOWN | {"plot": tf.constant(plots)})
    assert outputs["known_words"].numpy().tolist() == [0.75, 1.0, 0.0, 1.0]


def test_a_movie_of_which_nothing_is_known_has_the_odds_of_the_training_movies(
    trained: Trained, training_inputs: run.TrainingInputs
) -> None:
    serve = tf.saved_model.load(trained[0].serving_model_dir).signatures[SERVING_SIGNATURE]
    expected = expit(training_inputs.train.genre_log_odds())
    probabilities = serve(**UNKNOWN)["probabilities"].numpy()
    np.testing.assert_allclose(probabilities[0], expected, rtol=1e-5)
    with_title = serve(**UNKNOWN | {"title": tf.constant(["The Keeper"])})["probabilities"].numpy()
    assert np.abs(with_title[0] - expected).max() > 1e-3


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"English": 950, "other Latin": 50, "none": 9_000}, ["English", "none"]),
        ({"English": 949, "other Latin": 51}, ["English", "other Latin", "none"]),
        ({"Cyrillic": 7}, ["Cyrillic", "none"]),
        ({}, ["none"]),
    ],
)
def test_familiar_languages(counts: dict[str, int], expected: list[str]) -> None:
    assert list(run.familiar_languages(counts)) == expected


def test_the_served_model_predicts_as_the_trained_one(
    trained: Trained, training_inputs: run.TrainingInputs
) -> None:
    """Features, vectors and members, computed separately, give the served probabilities."""
    arguments, record = trained
    hparams = HParams(**TINY_HPARAMS)
    serve = tf.saved_model.load(arguments.serving_model_dir).signatures[SERVING_SIGNATURE]
    movies = MOVIES["eval"]
    outputs = serve(
        **{
            name: tf.constant([movie[name] for movie in movies], tf.float32)
            if name in raw.NUMBERS
            else tf.constant([movie[name] for movie in movies])
            for name in raw.MODEL_INPUTS
        }
    )
    members, _ = run.train(hparams, training_inputs, Path(arguments.model_run_dir, "again"))
    decision_rule = training.fit_decision_rule(
        members, training_inputs.evaluation, training_inputs.train.genre_log_odds()
    )
    inputs = training_inputs.evaluation.select(data.input_names(members))
    logits, _ = training.predict_logits(
        data.inference_function(members), inputs.batches(len(movies)), len(GENRES)
    )
    probabilities, margins = decision_rule.apply(tf.constant(logits), tf.fill([len(movies)], 3))
    # In training, features have half precision.
    np.testing.assert_allclose(outputs["probabilities"], probabilities, atol=0.01)
    clear = np.abs(margins) > 0.05
    np.testing.assert_array_equal(outputs["predicted"].numpy()[clear], margins.numpy()[clear] >= 0)
    assert record["parameters"] > 11_000_000


def test_the_split_key_is_used_in_training_only(
    trained: Trained, training_inputs: run.TrainingInputs
) -> None:
    arguments, _ = trained
    serve = tf.saved_model.load(arguments.serving_model_dir).signatures[SERVING_SIGNATURE]
    assert set(serve.structured_input_signature[1]) == set(raw.MODEL_INPUTS)
    groups = training_inputs.train.inputs[xf.SPLIT_GROUP].numpy()
    keys = [movie[raw.SPLIT_KEY] for movie in MOVIES["train"]]
    expected = tf.strings.to_hash_bucket_fast(keys, xf.NUM_HASHES).numpy()
    np.testing.assert_array_equal(groups, expected)


def test_each_variable_is_saved_once(trained: Trained) -> None:
    prefix = Path(trained[0].serving_model_dir, "variables", "variables")
    shapes = tf.train.list_variables(str(prefix))
    assert sum(shape == [30522, 384] for _, shape in shapes) == 1


@pytest.mark.parametrize(("plots", "titles"), [(3, 1), (1, 3), (2, 3)])
def test_inputs_of_different_lengths_are_refused(trained: Trained, plots: int, titles: int) -> None:
    serve = tf.saved_model.load(trained[0].serving_model_dir).signatures[SERVING_SIGNATURE]
    unknown = {
        name: tf.constant([math.nan] if name in raw.NUMBERS else [""]) for name in raw.MODEL_INPUTS
    }
    inputs = {raw.PLOT: tf.constant(["a"] * plots), raw.TITLE: tf.constant(["b"] * titles)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have one value for each row"):
        serve(**unknown | inputs)
    outputs = serve(**unknown | {raw.PLOT: tf.constant(["a"] * 3)})
    assert outputs["probabilities"].shape[0] == 3


def test_features_of_the_training_split_are_out_of_fold(
    training_inputs: run.TrainingInputs,
) -> None:
    hparams = HParams(**TINY_HPARAMS)
    train = training_inputs.train
    network = extractor.build(training_inputs.fitted_features, hparams)
    out_of_fold = extractor.compute(network, train, extractor.assign_folds(train, hparams))
    all_folds = extractor.compute(network, train)
    for name in (fields.PLOT_LOGITS, fields.PEOPLE_TARGET_ENCODING):
        np.testing.assert_array_equal(train.inputs[name], out_of_fold[name])
        assert np.abs(out_of_fold[name].astype(float) - all_folds[name]).mean() > 0.01
    np.testing.assert_array_equal(
        training_inputs.evaluation.inputs[fields.PLOT_LOGITS],
        extractor.compute(network, training_inputs.evaluation)[fields.PLOT_LOGITS],
    )


def test_sentence_vectors_come_from_the_fine_tuned_encoder(
    training_inputs: run.TrainingInputs,
) -> None:
    hparams = HParams(**TINY_HPARAMS)
    assert training_inputs.encoder_weights
    encoder = SentenceEncoder.from_hparams(
        hparams, weight_overrides=training_inputs.encoder_weights
    )
    pieces = training_inputs.evaluation.inputs[data.PIECES][:9].to_tensor()
    vectors = training_inputs.evaluation.inputs[fields.SENTENCE_VECTORS][:9]
    np.testing.assert_allclose(vectors, encoder(pieces), atol=0.02)
    assert training_inputs.cached_finetuning_seconds > 0


def test_some_training_movies_are_read_without_their_title(
    training_inputs: run.TrainingInputs,
) -> None:
    end = training_inputs.train.inputs[data.PIECES][0, -1].numpy()
    without_title = [text[1] == end for text in training_inputs.train.inputs[data.PIECES].to_list()]
    rng = np.random.default_rng(HParams().seed)
    assert without_title == (rng.random(len(without_title)) < run.TITLE_DROPOUT).tolist()
    assert not any(
        text[1] == end for text in training_inputs.evaluation.inputs[data.PIECES].to_list()
    )


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_without_movies_is_refused(trained: Trained, tmp_path: Path, split: str) -> None:
    arguments = dict(vars(trained[0]))
    with tf.io.TFRecordWriter(
        str(tmp_path / "none.gz"), tf.io.TFRecordOptions(compression_type="GZIP")
    ):
        pass
    arguments[f"{split}_files"] = [str(tmp_path / "none.gz")]
    with pytest.raises(UserError, match=f"{split} split has no movies"):
        run.prepare(tfx.components.FnArgs(**arguments), HParams(**TINY_HPARAMS))


def test_a_trial_has_the_scores_of_its_best_epoch(
    trained: Trained, training_inputs: run.TrainingInputs, tmp_path: Path
) -> None:
    _, record = trained
    defaults = HParams(**TINY_HPARAMS)
    tuner = TrainingTuner(
        training_inputs,
        defaults,
        tmp_path / "logs",
        oracle=build_oracle(defaults, 1),
        directory=tmp_path,
        project_name="trials",
    )
    # The first trial has the hyperparameters of the training.
    scores = tuner.run_trial(tuner.oracle.create_trial("tuner0"))
    best = record["best_epoch"]
    assert scores == {
        name: pytest.approx(record["history"][name][best], abs=0.005)
        for name in ("val_map", "val_macro_f1")
    }
