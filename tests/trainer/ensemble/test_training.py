"""The scores of a training, and the choice of the best epoch."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.ensemble.test_network import FOREST, LOG_ODDS, MOMENTS, VECTORS, rows
from trainer.data import Rows, inference_function, input_names
from trainer.ensemble import decision_rule, network, training
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

NUM_GENRES = 5

HPARAMS = HParams(
    filters=4, rnn_units=3, hidden_units=8, batch_size=16, epochs=4, patience=4, learning_rate=0.05
)


def split(count: int, seed: int) -> Rows:
    """Return movies whose first two genres depend on a word and on a number."""
    inputs = rows(count, words=5, seed=seed)
    labels = np.zeros((count, NUM_GENRES), np.float32)
    labels[:, 0] = inputs[xf.PLOT_WORDS][:, 0] % 2
    labels[:, 1] = inputs[xf.NUMBERS][:, 0] > 0
    inputs[xf.PLOT_WORDS] = tf.RaggedTensor.from_tensor(inputs[xf.PLOT_WORDS])
    inputs[xf.TITLE_WORDS] = tf.RaggedTensor.from_tensor(np.full((count, 1), 3, np.int32))
    inputs[fields.TITLE_VECTORS] = 0.5 * inputs[fields.SENTENCE_VECTORS]
    return Rows(inputs, labels)


def test_the_weights_of_the_best_epoch_are_restored(tmp_path: Path) -> None:
    train, evaluation = split(64, 1), split(40, 2)
    deep = network.build(HPARAMS, VECTORS, LOG_ODDS, MOMENTS)
    members = network.build_members(deep, FOREST)
    history = training.fit(deep, members, HPARAMS, train, evaluation, tmp_path)
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ("loss", "val_loss", "val_map", "val_macro_f1"), 4
    )
    best = training.best_epoch(history)
    scores = training.GenreScores(members, evaluation)
    scores.set_model(deep)
    scores.set_params({"epochs": 4})
    logs: dict[str, float] = {}
    scores.on_epoch_end(0, logs)
    assert logs["val_map"] == pytest.approx(history["val_map"][best], abs=1e-6)
    assert logs["val_macro_f1"] == pytest.approx(history["val_macro_f1"][best], abs=1e-6)


def test_the_best_epoch_is_the_first_with_the_highest_map() -> None:
    history = {"val_map": [0.2, 0.5, 0.5, 0.4], "val_macro_f1": [0.1, 0.2, 0.3, 0.9]}
    assert training.best_epoch(history) == 1


def test_the_decision_rule_has_weights_for_each_pattern() -> None:
    evaluation = split(60, 3)
    deep = network.build(HPARAMS, VECTORS, LOG_ODDS, MOMENTS)
    members = network.build_members(deep, FOREST)
    rule = training.fit_decision_rule(members, evaluation, LOG_ODDS)
    assert rule.weights.shape == (9, 2, NUM_GENRES)
    batch = next(iter(evaluation.batches(60)))[0]
    masked = decision_rule.mask_to_pattern(batch, 0)
    assert not np.asarray(masked[fields.PEOPLE_TARGET_ENCODING]).any()
    logits, labels = training.predict_logits(
        inference_function(members),
        [({name: masked[name] for name in input_names(members)}, evaluation.labels)],
        NUM_GENRES,
    )
    weights, intercepts = decision_rule.fit_stacking(logits, labels)
    np.testing.assert_allclose(rule.weights[0], weights, atol=1e-3)
    np.testing.assert_allclose(rule.intercepts[0], intercepts, atol=1e-3)


def test_mean_average_precision_is_over_the_genres_that_occur() -> None:
    labels = np.zeros((4, NUM_GENRES))
    labels[[0, 2], 0] = 1
    labels[3, 1] = 1
    probabilities = np.zeros_like(labels)
    probabilities[:, 0] = [0.9, 0.8, 0.7, 0.1]
    probabilities[:, 1] = [0.4, 0.3, 0.2, 0.9]
    # First genre: hits at ranks 1 and 3, (1 + 2 / 3) / 2; second: a hit at rank 1.
    expected = ((1 + 2 / 3) / 2 + 1) / 2
    assert training.mean_average_precision(probabilities, labels) == pytest.approx(expected)
    assert training.mean_average_precision(probabilities, 0 * labels) == 0
