"""Scores and intervals by hand-made numbers."""

import numpy as np
import pytest

from benchmarks.quality.scores import (
    RESAMPLES,
    Interval,
    Predictions,
    by_genre,
    calibration_errors,
    decide,
    interval,
    resampled_macro_f1,
    scores,
)
from schema.genres import NUM_GENRES


def labels(*columns: list[int]) -> np.ndarray:
    """The first genres' labels, column by column; no movie has the others."""
    given = np.zeros((len(columns[0]), NUM_GENRES), bool)
    given[:, : len(columns)] = np.array(columns, bool).T
    return given


def sure(given: np.ndarray) -> Predictions:
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


def test_a_probability_of_one_has_a_bin() -> None:
    assert not calibration_errors(np.ones((3, NUM_GENRES), bool), np.ones((3, NUM_GENRES))).any()


def test_scores_of_right_and_of_half_right_decisions() -> None:
    given = labels([1, 1, 0, 0], [0, 0, 1, 1])
    perfect = scores(given, sure(given))
    assert perfect["Hamming loss"] == 0
    assert perfect["ECE"] == pytest.approx(0.01)
    right = ("macro-F1", "micro-F1", "weighted F1", "samples F1", "mAP", "LRAP", "subset accuracy")
    assert [perfect[name] for name in right] == pytest.approx([1.0] * len(right))

    decided = labels([1, 1, 1, 1], [0, 0, 0, 0])
    half = scores(given, Predictions(np.where(decided, 0.9, 0.1), decided))
    assert half["macro-F1"] == pytest.approx((2 / 3 + 0) / 2)
    assert half["micro-F1"] == pytest.approx(0.5)
    assert half["subset accuracy"] == pytest.approx(0.5)
    assert half["Hamming loss"] == pytest.approx(4 / (4 * NUM_GENRES))
    assert by_genre(given, Predictions(decided, decided))[:2] == pytest.approx([2 / 3, 0])


def test_resamples_of_a_perfect_arm_do_not_vary() -> None:
    given = labels([1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1])
    resampled = resampled_macro_f1(given, {"arm": sure(given)})["arm"]
    assert resampled.shape == (1 + RESAMPLES,)
    assert interval(resampled) == Interval(1.0, 1.0, 1.0)


def test_a_paired_interval_is_narrower_than_that_of_either_arm() -> None:
    generator = np.random.default_rng(0)
    given = generator.random((400, NUM_GENRES)) < 0.3
    one = np.where(generator.random(given.shape) < 0.3, ~given, given)
    # The other arm differs from the first in few movies only.
    other = one.copy()
    other[:20] = given[:20]
    arms = {"one": Predictions(one, one), "other": Predictions(other, other)}
    resampled = resampled_macro_f1(given, arms)
    lead = interval(resampled["other"] - resampled["one"])
    alone = interval(resampled["one"])
    assert 0 < lead.low < lead.value < lead.high
    assert lead.high - lead.low < (alone.high - alone.low) / 2
    again = resampled_macro_f1(given, arms)
    assert all(np.array_equal(resampled[arm], again[arm]) for arm in arms)


def test_the_mean_of_a_resample_goes_over_the_genres_that_it_has() -> None:
    # One movie alone has the second genre: resamples without it have the first alone.
    given = labels([1] * 9 + [0], [0] * 9 + [1])
    resampled = resampled_macro_f1(given, {"arm": sure(given)})["arm"]
    assert np.allclose(resampled, 1.0)


def test_decisions_come_from_the_other_movies_and_always_name_a_genre() -> None:
    generator = np.random.default_rng(0)
    given = generator.random((600, NUM_GENRES)) < 0.2
    logits = np.where(given, 1.0, -1.0) + generator.normal(size=given.shape)
    # Logits of a scale and shift of their own: calibration takes both away.
    predictions = decide(3 * logits[:300] + 2, given[:300], 3 * logits[300:] + 2)
    assert predictions.decided.any(axis=1).all()
    assert calibration_errors(given[300:], predictions.probabilities).mean() < 0.06
    assert scores(given[300:], predictions)["macro-F1"] > 0.55
