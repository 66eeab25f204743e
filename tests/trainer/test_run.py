"""One training from transformed movies to the SavedModel."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml
from tfx import v1 as tfx

from schema import features as raw
from schema.errors import UserError
from schema.names import SERVING_SIGNATURE
from tests.data.tiny_training import MOVIES, SHIPPED_BUT_SMALL, trainer_arguments
from trainer import data, run
from trainer.encoder.sentence import SentenceEncoder
from trainer.ensemble import network, training
from trainer.features import fields
from trainer.features import network as features
from trainer.hparams import HParams
from trainer.tune import TrainingTuner, oracle
from transform import features as xf

Trained = tuple[tfx.components.FnArgs, dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training of the shipped encoders, small: its arguments and its record."""
    arguments = trainer_arguments(tmp_path_factory.mktemp("trained"), **SHIPPED_BUT_SMALL)
    run.run_fn(arguments)
    return arguments, json.loads(Path(arguments.model_run_dir, "training.json").read_text())


@pytest.fixture(scope="module")
def prepared(trained: Trained) -> run.Prepared:
    return run.prepare(trained[0], HParams(**SHIPPED_BUT_SMALL))


def test_the_settings_are_those_of_the_file_for_tests() -> None:
    file = Path(__file__).parents[1] / "data" / "tiny.yaml"
    assert yaml.safe_load(file.read_text())["hparams"] == SHIPPED_BUT_SMALL


def test_the_record_says_what_was_trained(trained: Trained) -> None:
    arguments, record = trained
    expected = HParams(**SHIPPED_BUT_SMALL).model_dump()
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
    assert record["best_pass"] == int(np.argmax(history["val_map"]))
    assert set(record["decisions"]) == {
        "plot and title only",
        "numbers known",
        "credits known",
        "credits and numbers known",
    }
    beside = Path(arguments.serving_model_dir, "assets.extra", "training.json")
    assert json.loads(beside.read_text()) == record


def test_the_served_model_answers_as_the_trained_one(
    trained: Trained, prepared: run.Prepared
) -> None:
    """Features, vectors and members computed apart give the served probabilities."""
    arguments, record = trained
    hparams = HParams(**SHIPPED_BUT_SMALL)
    serve = tf.saved_model.load(arguments.serving_model_dir).signatures[SERVING_SIGNATURE]
    movies = MOVIES["eval"]
    answer = serve(
        **{
            name: tf.constant([movie[name] for movie in movies], tf.float32)
            if name in raw.NUMBERS
            else tf.constant([movie[name] for movie in movies])
            for name in raw.MODEL_INPUTS
        }
    )
    members, _ = run.train(hparams, prepared, Path(arguments.model_run_dir, "again"))
    decisions = training.decide(members, prepared.evaluation)
    inputs = prepared.evaluation.only(data.input_names(members))
    logits, _ = training.predict(data.inference(members), inputs.batches(len(movies)))
    probabilities, margin = decisions.margins(tf.constant(logits), tf.fill([len(movies)], 3))
    # Features are kept in half precision in training.
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=0.01)
    clear = np.abs(margin) > 0.05
    np.testing.assert_array_equal(answer["predicted"].numpy()[clear], margin.numpy()[clear] >= 0)
    assert record["parameters"] > 11_000_000


def test_the_split_key_trains_and_is_no_input_of_the_served_model(
    trained: Trained, prepared: run.Prepared
) -> None:
    arguments, _ = trained
    serve = tf.saved_model.load(arguments.serving_model_dir).signatures[SERVING_SIGNATURE]
    assert set(serve.structured_input_signature[1]) == set(raw.MODEL_INPUTS)
    groups = prepared.train.inputs[xf.SPLIT_GROUP].numpy()
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
    given = {raw.PLOT: tf.constant(["a"] * plots), raw.TITLE: tf.constant(["b"] * titles)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have one value for each row"):
        serve(**unknown | given)
    one = serve(**unknown | {raw.PLOT: tf.constant(["a"] * 3)})
    assert one["probabilities"].shape[0] == 3


def test_features_of_the_training_split_are_out_of_fold(prepared: run.Prepared) -> None:
    hparams = HParams(**SHIPPED_BUT_SMALL)
    train = prepared.train
    extract = features.build(prepared.fitted, hparams)
    of_fold = features.compute(extract, train, features.folds_of(train, hparams))
    of_all = features.compute(extract, train)
    for name in (fields.PLOT_LOGITS, fields.PEOPLE_LIFTS):
        np.testing.assert_array_equal(train.inputs[name], of_fold[name])
        assert np.abs(of_fold[name].astype(float) - of_all[name]).mean() > 0.01
    np.testing.assert_array_equal(
        prepared.evaluation.inputs[fields.PLOT_LOGITS],
        features.compute(extract, prepared.evaluation)[fields.PLOT_LOGITS],
    )


def test_vectors_are_those_of_the_fine_tuned_encoder(prepared: run.Prepared) -> None:
    hparams = HParams(**SHIPPED_BUT_SMALL)
    assert prepared.finetuned
    encoder = SentenceEncoder.from_hparams(hparams, weight_overrides=prepared.finetuned)
    pieces = prepared.evaluation.inputs[data.PIECES][:9].to_tensor()
    found = prepared.evaluation.inputs[network.SENTENCE][:9]
    np.testing.assert_allclose(found, encoder(pieces), atol=0.02)
    assert prepared.seconds_before > 0


def test_some_training_movies_are_read_without_their_title(prepared: run.Prepared) -> None:
    end = prepared.train.inputs[data.PIECES][0, -1].numpy()
    untitled = [text[1] == end for text in prepared.train.inputs[data.PIECES].to_list()]
    rng = np.random.default_rng(HParams().seed)
    assert untitled == (rng.random(len(untitled)) < run.UNTITLED).tolist()
    assert not any(text[1] == end for text in prepared.evaluation.inputs[data.PIECES].to_list())


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_split_without_movies_is_refused(trained: Trained, tmp_path: Path, split: str) -> None:
    given = dict(vars(trained[0]))
    with tf.io.TFRecordWriter(
        str(tmp_path / "none.gz"), tf.io.TFRecordOptions(compression_type="GZIP")
    ):
        pass
    given[f"{split}_files"] = [str(tmp_path / "none.gz")]
    with pytest.raises(UserError, match=f"the split `{split}` has no movies"):
        run.prepare(tfx.components.FnArgs(**given), HParams(**SHIPPED_BUT_SMALL))


def test_a_trial_has_the_scores_of_its_best_pass(
    trained: Trained, prepared: run.Prepared, tmp_path: Path
) -> None:
    _, record = trained
    defaults = HParams(**SHIPPED_BUT_SMALL)
    tuner = TrainingTuner(
        prepared,
        defaults,
        tmp_path / "logs",
        oracle=oracle(defaults, 1),
        directory=tmp_path,
        project_name="trials",
    )
    # The first trial has the settings of the training.
    scores = tuner.run_trial(tuner.oracle.create_trial("tuner0"))
    best = record["best_pass"]
    assert scores == {
        name: pytest.approx(record["history"][name][best], abs=0.005)
        for name in ("val_map", "val_macro_f1")
    }
