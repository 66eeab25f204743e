"""Checks of given outputs."""

import numpy as np
import pytest
from scipy.special import expit, logit

from components.smoke_test.decision import (
    Outputs,
    check_outputs,
    check_predicted_genres,
    check_probabilities,
)
from schema.genres import GENRES

ROWS = ["first", "second"]
COMEDY = GENRES.index("Comedy")


def served(probability: float, predicted: bool) -> dict[str, np.ndarray]:
    """Return outputs for two rows with the same values for each genre except Action."""
    shape = (2, len(GENRES))
    outputs = {
        "genres": np.tile(np.array([name.encode() for name in GENRES], object), (2, 1)),
        "probabilities": np.full(shape, probability, np.float32),
        "predicted": np.full(shape, predicted),
        "thresholds": np.full(shape, 0.5, np.float32),
        "unfamiliar_language": np.array([False, True]),
        "known_words": np.array([1.0, 0.0], np.float32),
    }
    outputs["probabilities"][:, 0], outputs["predicted"][:, 0] = 0.99, True
    return outputs


def evaluated(probability: float, threshold: float) -> Outputs:
    """Return outputs of `evaluate` for two rows, with the same threshold for each genre."""
    probabilities = served(probability, True)["probabilities"]
    scores = expit(logit(probabilities) - logit(threshold)).astype(np.float32)
    return {"probabilities": probabilities, "decision_scores": scores}


def test_good_outputs_pass() -> None:
    assert check_outputs("other", served(0.4, False), ROWS, GENRES) == []


@pytest.mark.parametrize("threshold", [0.0, 1.0, np.nan])
def test_thresholds_must_be_between_0_and_1(threshold: float) -> None:
    outputs = served(0.4, False)
    outputs["thresholds"][1, COMEDY] = threshold
    assert check_outputs("other", outputs, ROWS, GENRES) == [
        "other: thresholds are not between 0 and 1 in 1 of 2 rows, first second, Comedy"
    ]


def test_probabilities_may_differ_within_the_tolerance() -> None:
    first, second = served(0.4, False), served(0.4, False)
    second["probabilities"][1, COMEDY] += 0.004
    reasons, difference = check_probabilities("other", second, first, ROWS)
    assert (reasons, difference) == ([], pytest.approx(0.004, abs=1e-6))
    second["probabilities"][1, COMEDY] += 0.004
    reasons, _ = check_probabilities("other", second, first, ROWS)
    assert reasons == [
        "other: probabilities differ by up to 0.008 from those of serving_default for all rows in "
        "one batch (allowed: 0.005) in 1 of 2 rows, first second, Comedy"
    ]
    second = served(0.4, False)
    second["probabilities"][0, 0] = np.nan
    assert len(check_probabilities("other", second, first, ROWS)[0]) == 1


@pytest.mark.parametrize("shift", [0.0, 2**-22])
def test_predicted_genres_must_follow_from_thresholds(
    shift: float,
) -> None:
    outputs = served(0.4, False)
    outputs["probabilities"] -= np.float32(shift)
    assert check_predicted_genres("other", outputs, evaluated(0.4, 0.5), ROWS) == []
    outputs["predicted"][1, COMEDY] = True
    assert check_predicted_genres("other", outputs, evaluated(0.4, 0.5), ROWS) == [
        "other: predicted genres do not follow from the probabilities and the thresholds of "
        "evaluate in 1 of 2 rows, first second, Comedy"
    ]
    # A genre whose probability is above its threshold must be predicted.
    outputs = served(0.6, True)
    assert check_predicted_genres("other", outputs, evaluated(0.6, 0.5), ROWS) == []
    outputs["predicted"][0, COMEDY] = False
    assert len(check_predicted_genres("other", outputs, evaluated(0.6, 0.5), ROWS)) == 1


@pytest.mark.parametrize("predicted", [False, True])
def test_a_probability_near_its_threshold_may_fall_on_either_side(predicted: bool) -> None:
    outputs = served(0.4, predicted)
    near, far = evaluated(0.4, 0.404), evaluated(0.4, 0.43)
    assert check_predicted_genres("other", outputs, near, ROWS) == []
    assert bool(check_predicted_genres("other", outputs, far, ROWS)) == predicted


def test_probabilities_of_0_and_1_have_thresholds() -> None:
    for probability, predicted in ((0.0, False), (1.0, True)):
        outputs = served(probability, predicted)
        given = {
            "probabilities": outputs["probabilities"],
            "decision_scores": outputs["predicted"].astype(np.float32),
        }
        assert check_predicted_genres("other", outputs, given, ROWS) == []
        outputs["predicted"][1, COMEDY] = not predicted
        assert len(check_predicted_genres("other", outputs, given, ROWS)) == 1


def test_one_genre_is_predicted_if_no_threshold_is_reached() -> None:
    outputs = served(0.3, False)
    outputs["probabilities"][:, 0] = 0.31
    given = evaluated(0.3, 0.5)
    given["probabilities"][:, 0] = 0.31
    # `evaluate` marks the nearest genre as just above its threshold.
    given["decision_scores"][:, 0] = 0.500001
    assert check_predicted_genres("other", outputs, given, ROWS) == []
    outputs["predicted"][1, COMEDY] = True
    assert len(check_predicted_genres("other", outputs, given, ROWS)) == 1
