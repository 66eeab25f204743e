"""Stacking, calibration and thresholds."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.ensemble import decision_rule
from trainer.features import fields
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_with_many_positives_the_threshold_has_the_best_f1() -> None:
    probabilities = np.array([[0.9], [0.7], [0.4], [0.2]] * 100_000)
    labels = np.array([[1.0], [1.0], [0.0], [0.0]] * 100_000)
    # Halfway between the probabilities of the last positive and the first negative.
    np.testing.assert_allclose(
        decision_rule.choose_thresholds(probabilities, labels), [0.55], atol=1e-3
    )


def test_without_positives_the_threshold_has_the_best_expected_f1() -> None:
    probabilities = np.array([[0.8], [0.3], [0.1]])
    # Expected F1 of predicting the first one, two and three: 1.6 / 2.2, 2.2 / 3.2 and 2.4 / 4.2.
    chosen = decision_rule.choose_thresholds(probabilities, np.zeros((3, 1)))
    assert chosen[0] == pytest.approx((0.8 + 0.3) / 2)


def test_few_positives_change_the_threshold_slightly() -> None:
    probabilities = np.array([[0.8], [0.3], [0.1]])
    labels = np.array([[0.0], [0.0], [1.0]])
    expected = np.log(0.55 / 0.45)
    empirical = np.log(0.075 / 0.925)  # below the last probability: all three are predicted
    weight = 1 / (1 + decision_rule.THRESHOLD_SHRINKAGE)
    mixed = sigmoid(weight * empirical + (1 - weight) * expected)
    chosen = decision_rule.choose_thresholds(probabilities, labels)
    assert chosen[0] == pytest.approx(mixed, abs=1e-6)


def test_stacking_finds_the_weights_and_intercepts_that_generated_the_labels() -> None:
    rng = np.random.default_rng(1)
    members = rng.normal(size=(200_000, 3, 2)) * 3
    true_weights = np.array([[0.5, 0.1], [0.2, 0.6], [0.0, 0.0]])
    probabilities = sigmoid((members * true_weights).sum(1) - 1)
    labels = (rng.uniform(size=probabilities.shape) < probabilities).astype(float)
    weights, intercepts = decision_rule.fit_stacking(members, labels)
    np.testing.assert_allclose(weights, true_weights, atol=0.02)
    np.testing.assert_allclose(intercepts, [-1, -1], atol=0.03)


def test_stacking_weights_are_not_negative() -> None:
    rng = np.random.default_rng(2)
    members = rng.normal(size=(20_000, 2, 1))
    labels = (rng.uniform(size=(20_000, 1)) < sigmoid(members[:, 0] - members[:, 1])).astype(float)
    weights, _ = decision_rule.fit_stacking(members, labels)
    assert weights[0, 0] > 0.7
    assert weights[1, 0] == 0


def test_stacking_weights_of_a_rare_genre_are_shrunk_to_those_of_all_genres() -> None:
    rng = np.random.default_rng(3)
    members = rng.normal(size=(50_000, 2, 2)) * 2
    labels = (rng.uniform(size=(50_000, 2)) < sigmoid(members[:, 0])).astype(float)
    rare = members.copy()
    rare[20:, :, 1] = -9.0
    labels[20:, 1] = 0
    weights, _ = decision_rule.fit_stacking(rare, labels)
    assert weights[0, 0] == pytest.approx(1, abs=0.1)
    assert weights[1, 1] < weights[0, 1]


def test_at_least_one_genre_is_predicted() -> None:
    probabilities = np.array([[0.6, 0.2], [0.1, 0.3], [0.7, 0.8]])
    predicted = decision_rule.predict_genres(probabilities, np.array([0.5, 0.5]))
    assert predicted.tolist() == [[True, False], [False, True], [True, True]]


def test_macro_f1_ignores_genres_that_do_not_occur() -> None:
    labels = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    predicted = np.array([[True, True, True], [True, False, False]])
    # First genre: 2 * 1 / (2 + 1); second: 2 * 1 / (1 + 2); the third does not occur.
    assert decision_rule.macro_f1(predicted, labels) == pytest.approx(2 / 3)


def inputs(
    directors: int, missing: list[float], plot: int = 7, title: int = 5
) -> dict[str, tf.Tensor]:
    """Return the inputs of a movie. An id of 0 of plot or title means that it is not known."""
    encoding = np.zeros((1, 4 * SIZE), np.float32)
    encoding[0, SIZE - 1] = np.log1p(directors)
    values = {fields.PEOPLE_TARGET_ENCODING: tf.constant(encoding)}
    values[fields.CREDIT_COUNTS] = tf.constant([[float(directors), 0.0, 0.0]])
    values[xf.PLOT_WORDS], values[xf.TITLE_WORDS] = tf.constant([[plot]]), tf.constant([[title]])
    values[fields.SENTENCE_VECTORS] = tf.constant([[1.0, 2.0]])
    values[fields.TITLE_VECTORS] = tf.constant([[3.0, 4.0]])
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
def test_missingness_pattern(directors: int, missing: list[float], pattern: int) -> None:
    patterns = decision_rule.missingness_patterns(inputs(directors, missing))
    assert patterns.numpy().tolist() == [pattern]
    patterns = decision_rule.missingness_patterns(inputs(directors, missing, plot=0))
    assert patterns.numpy().tolist() == [pattern + 4]


@pytest.mark.parametrize(
    ("directors", "missing", "title", "pattern"),
    [
        (0, [1.0, 1.0, 1.0, 1.0], 0, "nothing known"),
        (0, [1.0, 1.0, 1.0, 1.0], 5, "title only"),
        (0, [0.0, 1.0, 1.0, 1.0], 0, "title only"),
        (3, [1.0, 1.0, 1.0, 1.0], 0, "credits known, no plot"),
    ],
)
def test_pattern_without_a_plot(
    directors: int, missing: list[float], title: int, pattern: str
) -> None:
    [found] = decision_rule.missingness_patterns(inputs(directors, missing, 0, title)).numpy()
    assert decision_rule.MISSINGNESS_PATTERNS[found] == pattern


@pytest.mark.parametrize("pattern", decision_rule.FITTED_PATTERNS)
def test_masking_leaves_the_fields_of_the_pattern(pattern: int) -> None:
    complete = inputs(7, [0.0, 0.0, 0.0, 0.0])
    masked = decision_rule.mask_to_pattern(complete, pattern)
    assert decision_rule.missingness_patterns(masked).numpy().tolist() == [pattern]
    year_is_masked = bool(masked[xf.NUMBERS_MISSING][0, 0])
    assert year_is_masked == (pattern in (0, 4))
    vectors = masked[fields.SENTENCE_VECTORS].numpy().tolist()
    assert vectors == [[3.0, 4.0] if pattern >= 4 else [1.0, 2.0]]


def test_each_row_is_decided_by_its_pattern() -> None:
    thresholds = np.full((4, NUM_GENRES), 0.9, np.float32)
    thresholds[3] = 0.5
    weights = np.full((4, 2, NUM_GENRES), 0.5, np.float32)
    weights[3] = [[1.0], [0.0]]
    rule = decision_rule.DecisionRule(weights, np.zeros_like(thresholds), thresholds)
    logits = np.full((2, NUM_GENRES), -3.0, np.float32)
    logits[:, :2] = 1.0, 0.8
    difference = np.array([5.0, 0.0], np.float32)[:, np.newaxis]
    members = np.stack([logits + difference, logits - difference], 1)
    members[0, 0] = logits[0]
    probabilities, margins = rule.apply(tf.constant(members), tf.constant([3, 0]))
    np.testing.assert_allclose(probabilities, sigmoid(logits), rtol=1e-5)
    predicted = margins.numpy() >= 0
    assert np.flatnonzero(predicted[0]).tolist() == [0, 1]
    # No probability reaches 0.9, so the genre with the highest margin is predicted.
    assert np.flatnonzero(predicted[1]).tolist() == [0]


def test_a_pattern_without_rows_is_fitted_on_all_rows() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(500, 2, NUM_GENRES)).astype(np.float32)
    labels = (logits[:, 0] > 0.2).astype(np.float32)
    no_logits, no_labels = logits[:0], labels[:0]
    log_odds = np.linspace(-3, 0, NUM_GENRES, dtype=np.float32)
    rule = decision_rule.fit(
        dict.fromkeys(decision_rule.FITTED_PATTERNS, no_logits) | {0: logits, 3: logits},
        dict.fromkeys(decision_rule.FITTED_PATTERNS, no_labels) | {0: labels, 3: labels},
        log_odds,
    )
    assert rule.thresholds.shape == (9, NUM_GENRES)
    assert rule.weights.shape == (9, 2, NUM_GENRES)
    assert np.isfinite(rule.weights).all()
    np.testing.assert_allclose(rule.thresholds[1], rule.thresholds[2])
    # Without any known field, the logits of the members do not matter.
    probabilities, _ = rule.apply(tf.constant(logits[:1]), [decision_rule.NOTHING_KNOWN])
    np.testing.assert_allclose(probabilities[0], sigmoid(log_odds), rtol=1e-6)
