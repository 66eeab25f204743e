"""Calibration, thresholds and decisions."""

import numpy as np
import pytest
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.ensemble import thresholds
from trainer.features import fields
from transform import features as xf


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_with_many_positives_the_best_threshold_on_the_labels_counts() -> None:
    probabilities = np.array([[0.9], [0.7], [0.4], [0.2]] * 100_000)
    labels = np.array([[1.0], [1.0], [0.0], [0.0]] * 100_000)
    # Halfway between the probabilities of the last positive and the first negative.
    np.testing.assert_allclose(
        thresholds.choose_thresholds(probabilities, labels), [0.55], atol=1e-3
    )


def test_without_positives_the_probabilities_are_taken_at_their_word() -> None:
    probabilities = np.array([[0.8], [0.3], [0.1]])
    # Expected F1 of predicting the first one, two and three: 1.6 / 2.2, 2.2 / 3.2 and 2.4 / 4.2.
    chosen = thresholds.choose_thresholds(probabilities, np.zeros((3, 1)))
    assert chosen[0] == pytest.approx((0.8 + 0.3) / 2)


def test_few_positives_move_the_threshold_a_little() -> None:
    probabilities = np.array([[0.8], [0.3], [0.1]])
    labels = np.array([[0.0], [0.0], [1.0]])
    expected = np.log(0.55 / 0.45)
    own = np.log(0.075 / 0.925)  # below the last probability: all three are predicted
    weight = 1 / (1 + thresholds.SHRINKAGE)
    mixed = sigmoid(weight * own + (1 - weight) * expected)
    assert thresholds.choose_thresholds(probabilities, labels)[0] == pytest.approx(mixed, abs=1e-6)


def test_weighing_finds_the_weights_and_the_shift_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    members = rng.normal(size=(200_000, 3, 2)) * 3
    made_by = np.array([[0.5, 0.1], [0.2, 0.6], [0.0, 0.0]])
    chances = sigmoid((members * made_by).sum(1) - 1)
    labels = (rng.uniform(size=chances.shape) < chances).astype(float)
    weights, shift = thresholds.weigh(members, labels)
    np.testing.assert_allclose(weights, made_by, atol=0.02)
    np.testing.assert_allclose(shift, [-1, -1], atol=0.03)


def test_no_member_speaks_against_a_genre_that_it_finds() -> None:
    rng = np.random.default_rng(2)
    members = rng.normal(size=(20_000, 2, 1))
    labels = (rng.uniform(size=(20_000, 1)) < sigmoid(members[:, 0] - members[:, 1])).astype(float)
    weights, _ = thresholds.weigh(members, labels)
    assert weights[0, 0] > 0.7
    assert weights[1, 0] == 0


def test_a_genre_of_few_movies_is_weighed_as_the_others_are() -> None:
    rng = np.random.default_rng(3)
    members = rng.normal(size=(50_000, 2, 2)) * 2
    labels = (rng.uniform(size=(50_000, 2)) < sigmoid(members[:, 0])).astype(float)
    few = members.copy()
    few[20:, :, 1] = -9.0
    labels[20:, 1] = 0
    weights, _ = thresholds.weigh(few, labels)
    assert weights[0, 0] == pytest.approx(1, abs=0.1)
    assert weights[1, 1] < weights[0, 1]


def test_predict_gives_at_least_one_genre() -> None:
    probabilities = np.array([[0.6, 0.2], [0.1, 0.3], [0.7, 0.8]])
    predicted = thresholds.predict(probabilities, np.array([0.5, 0.5]))
    assert predicted.tolist() == [[True, False], [False, True], [True, True]]


def test_macro_f1_is_over_the_genres_that_occur() -> None:
    labels = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    predicted = np.array([[True, True, True], [True, False, False]])
    # First genre: 2 * 1 / (2 + 1); second: 2 * 1 / (1 + 2); the third does not occur.
    assert thresholds.macro_f1(predicted, labels) == pytest.approx(2 / 3)


def inputs(directors: int, missing: list[float]) -> dict[str, tf.Tensor]:
    lifts = np.zeros((1, 4 * fields.LIFT_SIZE), np.float32)
    lifts[0, fields.LIFT_SIZE - 1] = np.log1p(directors)
    values = {fields.PEOPLE_LIFTS: tf.constant(lifts)}
    values[xf.NUMBERS] = tf.constant([[0.5, 0.5, 0.5, 0.5]])
    values[xf.NUMBERS_MISSING] = tf.constant([missing])
    return values


@pytest.mark.parametrize(
    ("directors", "missing", "pattern"),
    [
        (0, [1.0, 1.0, 1.0, 1.0], 0),
        (0, [1.0, 1.0, 0.0, 0.0], 1),
        (3, [0.0, 0.0, 1.0, 0.0], 2),
        (7, [0.0, 0.0, 0.0, 0.0], 3),
    ],
)
def test_pattern_of(directors: int, missing: list[float], pattern: int) -> None:
    assert thresholds.pattern_of(inputs(directors, missing)).numpy().tolist() == [pattern]


@pytest.mark.parametrize("pattern", range(4))
def test_hide_leaves_what_the_pattern_knows(pattern: int) -> None:
    complete = inputs(7, [0.0, 0.0, 0.0, 0.0])
    hidden = thresholds.hide(complete, pattern)
    assert thresholds.pattern_of(hidden).numpy().tolist() == [pattern]
    year_hidden = bool(hidden[xf.NUMBERS_MISSING][0, 0])
    assert year_hidden == (pattern == 0)


def test_margins_decide_by_the_pattern_of_the_row() -> None:
    threshold = np.full((4, NUM_GENRES), 0.9, np.float32)
    threshold[3] = 0.5
    weights = np.full((4, 2, NUM_GENRES), 0.5, np.float32)
    weights[3] = [[1.0], [0.0]]
    decisions = thresholds.Decisions(weights, np.zeros_like(threshold), threshold)
    logits = np.full((2, NUM_GENRES), -3.0, np.float32)
    logits[:, :2] = 1.0, 0.8
    more = np.array([5.0, 0.0], np.float32)[:, np.newaxis]
    members = np.stack([logits + more, logits - more], 1)
    members[0, 0] = logits[0]
    probabilities, margin = decisions.margins(tf.constant(members), tf.constant([3, 0]))
    np.testing.assert_allclose(probabilities, sigmoid(logits), rtol=1e-5)
    predicted = margin.numpy() >= 0
    assert np.flatnonzero(predicted[0]).tolist() == [0, 1]
    # Nothing reaches 0.9, so the nearest is predicted all the same.
    assert np.flatnonzero(predicted[1]).tolist() == [0]


def test_fit_takes_all_rows_for_a_pattern_without_any() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(500, 2, NUM_GENRES)).astype(np.float32)
    labels = (logits[:, 0] > 0.2).astype(np.float32)
    no_logits, no_labels = logits[:0], labels[:0]
    decisions = thresholds.fit(
        {0: logits, 1: no_logits, 2: no_logits, 3: logits},
        {0: labels, 1: no_labels, 2: no_labels, 3: labels},
    )
    assert decisions.threshold.shape == (4, NUM_GENRES)
    assert decisions.weights.shape == (4, 2, NUM_GENRES)
    assert np.isfinite(decisions.weights).all()
    np.testing.assert_allclose(decisions.threshold[1], decisions.threshold[2])
