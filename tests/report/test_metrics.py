"""Metrics of the report, against values worked out by hand or by other libraries."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from report import metrics

LABELS = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0]], np.bool_)
PREDICTED = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 0, 1]], np.bool_)


def test_ratio_is_zero_if_the_denominator_is_zero() -> None:
    assert metrics.ratio([1.0, 0.0], [2.0, 0.0]).tolist() == [0.5, 0.0]


def test_wilson_interval_of_known_shares() -> None:
    # Of 10 trials: Brown, Cai and DasGupta 2001 give (0, .278) for none and (.237, .763) for half.
    low, high = metrics.wilson_interval([0, 5, 10, 0], [10, 10, 10, 0])
    assert low == pytest.approx([0.0, 0.2366, 0.7225, 0.0], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.7634, 1.0, 1.0], abs=1e-4)


def test_f1_interval_narrows_with_more_movies() -> None:
    few_low, few_high = metrics.f1_interval(3, 3, 3)
    assert (float(few_low), float(few_high)) == pytest.approx((0.6097, 1.0), abs=1e-4)
    low, high = metrics.f1_interval([6, 60, 600], [10, 100, 1000], [8, 80, 800])
    assert (low < 2 / 3).all()
    assert (high > 2 / 3).all()
    assert (np.diff(high - low) < 0).all()


def test_f1_interval_is_that_of_the_bootstrap_for_many_movies() -> None:
    random = np.random.default_rng(3)
    labels = random.random(4000) < 0.3
    predicted = np.where(random.random(4000) < 0.85, labels, random.random(4000) < 0.3)
    low, high = metrics.f1_interval((labels & predicted).sum(), labels.sum(), predicted.sum())
    rows = random.integers(0, 4000, (800, 4000))
    resampled = [f1_score(labels[some], predicted[some]) for some in rows[:300]]
    assert (low, high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])), abs=0.006)


def test_movie_f1_averages_to_samples_f1() -> None:
    found = metrics.movie_f1(LABELS, PREDICTED)
    assert found == pytest.approx([0.5, 2 / 3, 1.0, 2 / 3])
    assert found.mean() == pytest.approx(f1_score(LABELS, PREDICTED, average="samples"))
    assert metrics.movie_f1(LABELS[:1] & False, PREDICTED[:1] & False).tolist() == [0.0]


def test_threshold_curve() -> None:
    labels = np.array([True, False, True, False])
    probabilities = np.array([0.9, 0.605, 0.3, 0.1])
    curve = metrics.threshold_curve(labels, probabilities)
    for threshold in (0.05, 0.2, 0.5, 0.8, 0.95):
        at = int(np.abs(metrics.THRESHOLDS - threshold).argmin())
        predicted = probabilities >= threshold
        assert curve.f1[at] == pytest.approx(f1_score(labels, predicted, zero_division=0))
        assert curve.recall[at] == pytest.approx(recall_score(labels, predicted))
        assert curve.precision[at] == pytest.approx(
            precision_score(labels, predicted, zero_division=0)
        )


def test_median_thresholds_are_computed_from_scores() -> None:
    probabilities = np.array([[0.2, 0.7], [0.5, 0.4], [0.9, 0.1]])
    thresholds = np.array([0.3, 0.6])
    odds = probabilities / (1 - probabilities) / (thresholds / (1 - thresholds))
    assert metrics.median_thresholds(probabilities, odds / (1 + odds)) == pytest.approx(thresholds)


def test_calibration_curve() -> None:
    # A thousand movies that surely lack the genre hide nothing: 80 at .13 and 40 at .52 remain.
    probabilities = np.repeat([0.01, 0.13, 0.52], [1000, 80, 40])
    labels = np.concatenate([np.arange(1000) < 0, np.arange(80) < 8, np.arange(40) < 30])
    found = metrics.calibration_curve(labels, probabilities)
    assert found.movies.tolist() == [80, 40]
    assert found.predicted == pytest.approx([0.13, 0.52])
    assert found.observed == pytest.approx([0.1, 0.75])
    assert found.expected_error == pytest.approx((80 * 0.03 + 40 * 0.23) / 120)
    assert (found.low <= found.observed).all()
    assert (found.observed <= found.high).all()
    assert metrics.calibration_curve(np.array([True]), np.array([1.0])).movies.tolist() == [1]
    small = metrics.calibration_curve(np.array([True]), np.array([0.25]))
    assert (small.movies.tolist(), small.expected_error) == ([1], 0.75)
    assert metrics.calibration_curve(labels[:0], probabilities[:0]).expected_error == 0.0


def test_confusion_and_co_occurrence() -> None:
    # The first movie misses genre 2 and has the wrong genre 1. The second misses genre 0 only.
    assert metrics.confusion_counts(LABELS, PREDICTED).tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert metrics.co_occurrence_counts(LABELS).tolist() == [[3, 1, 1], [1, 2, 0], [1, 0, 1]]
    shares = metrics.ratio(metrics.co_occurrence_counts(LABELS), np.array([3, 2, 0])[:, np.newaxis])
    assert shares.tolist() == [[1.0, 1 / 3, 1 / 3], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_log_losses() -> None:
    probabilities = np.array([[0.5, 0.9], [0.1, 0.2]])
    labels = np.array([[True, True], [True, False]])
    expected = [-(np.log(0.5) + np.log(0.9)) / 2, -(np.log(0.1) + np.log(0.8)) / 2]
    assert metrics.log_losses(labels, probabilities) == pytest.approx(expected)
