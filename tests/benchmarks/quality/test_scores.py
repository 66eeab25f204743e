"""Scores and intervals of made-up predictions."""

import numpy as np
import pytest

from benchmarks.quality.scores import (
    RESAMPLES,
    Interval,
    Predictions,
    calibrate_and_predict,
    calibration_errors,
    f1_by_genre,
    interval,
    resampled_macro_f1,
    scores,
)
from schema.genres import NUM_GENRES


def labels(*columns: list[int]) -> np.ndarray:
    """Return labels from the columns of the first genres; no movie has the others."""
    given = np.zeros((len(columns[0]), NUM_GENRES), bool)
    given[:, : len(columns)] = np.array(columns, bool).T
    return given


def confident(given: np.ndarray) -> Predictions:
    return Predictions(np.where(given, 0.99, 0.01), given)


def test_calibration_error_is_the_mean_distance_in_a_bin() -> None:
    given = labels([1, 0, 0, 0])
    probabilities = np.zeros((4, NUM_GENRES))
    # All four in one bin: mean probability .41, share .25.
    probabilities[:, 0] = [0.41, 0.42, 0.40, 0.41]
    # No movie has the second genre: two bins, .9 for one movie and 0 for three.
    probabilities[:, 1] = [0.9, 0.0, 0.0, 0.0]
    errors = calibration_errors(given, probabilities)
    assert errors[0] == pytest.approx(0.16)
    assert errors[1] == pytest.approx(0.9 / 4)
    assert not errors[2:].any()


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    assert not calibration_errors(np.ones((3, NUM_GENRES), bool), np.ones((3, NUM_GENRES))).any()


def test_scores_of_right_and_of_half_right_decisions() -> None:
    given = labels([1, 1, 0, 0], [0, 0, 1, 1])
    perfect = scores(given, confident(given))
    assert perfect["Hamming loss"] == 0
    assert perfect["ECE"] == pytest.approx(0.01)
    right = ("macro-F1", "micro-F1", "weighted F1", "samples F1", "mAP", "LRAP", "subset accuracy")
    assert [perfect[name] for name in right] == pytest.approx([1.0] * len(right))

    predicted = labels([1, 1, 1, 1], [0, 0, 0, 0])
    half = scores(given, Predictions(np.where(predicted, 0.9, 0.1), predicted))
    assert half["macro-F1"] == pytest.approx((2 / 3 + 0) / 2)
    assert half["micro-F1"] == pytest.approx(0.5)
    assert half["subset accuracy"] == pytest.approx(0.5)
    assert half["Hamming loss"] == pytest.approx(4 / (4 * NUM_GENRES))
    assert f1_by_genre(given, Predictions(predicted, predicted))[:2] == pytest.approx([2 / 3, 0])


def test_resamples_of_a_perfect_model_do_not_vary() -> None:
    given = labels([1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1])
    resampled = resampled_macro_f1(given, {"model": confident(given)})["model"]
    assert resampled.shape == (1 + RESAMPLES,)
    assert interval(resampled) == Interval(1.0, 1.0, 1.0)


def test_a_paired_interval_is_narrower() -> None:
    generator = np.random.default_rng(0)
    given = generator.random((400, NUM_GENRES)) < 0.3
    one = np.where(generator.random(given.shape) < 0.3, ~given, given)
    # The other model differs from the first in few movies.
    other = one.copy()
    other[:20] = given[:20]
    models = {"one": Predictions(one, one), "other": Predictions(other, other)}
    resampled = resampled_macro_f1(given, models)
    lead = interval(resampled["other"] - resampled["one"])
    alone = interval(resampled["one"])
    assert 0 < lead.low < lead.value < lead.high
    assert lead.high - lead.low < (alone.high - alone.low) / 2
    again = resampled_macro_f1(given, models)
    assert all(np.array_equal(resampled[name], again[name]) for name in models)


def test_genres_without_movies_do_not_count_in_a_resample() -> None:
    # Only one movie has the second genre, so resamples without it have only the first.
    given = labels([1] * 9 + [0], [0] * 9 + [1])
    resampled = resampled_macro_f1(given, {"model": confident(given)})["model"]
    assert np.allclose(resampled, 1.0)


def test_calibration_and_thresholds_come_from_the_eval_movies() -> None:
    generator = np.random.default_rng(0)
    given = generator.random((600, NUM_GENRES)) < 0.2
    logits = np.where(given, 1.0, -1.0) + generator.normal(size=given.shape)
    # Calibration undoes the scale and shift of these logits.
    predictions = calibrate_and_predict(3 * logits[:300] + 2, given[:300], 3 * logits[300:] + 2)
    assert predictions.predicted.any(axis=1).all()
    assert calibration_errors(given[300:], predictions.probabilities).mean() < 0.06
    assert scores(given[300:], predictions)["macro-F1"] > 0.55
