"""Answers judged by hand-made numbers."""

import numpy as np
import pytest
from scipy.special import expit, logit

from components.smoke_test.decision import (
    ROUGH_TOLERANCE,
    TOLERANCE,
    Answer,
    check_answer,
    check_decisions,
    check_probabilities,
)
from schema.genres import GENRES

ROWS = ["first", "second"]
COMEDY = GENRES.index("Comedy")


def answer(probability: float, predicted: bool) -> dict[str, np.ndarray]:
    """Two rows in which every genre has this answer, and Action is predicted with certainty."""
    shape = (2, len(GENRES))
    found = {
        "genres": np.tile(np.array([name.encode() for name in GENRES], object), (2, 1)),
        "probabilities": np.full(shape, probability, np.float32),
        "predicted": np.full(shape, predicted),
    }
    found["probabilities"][:, 0], found["predicted"][:, 0] = 0.99, True
    return found


def evaluated(probability: float, threshold: float) -> Answer:
    """What `evaluate` says of the two rows, with this threshold for every genre."""
    probabilities = answer(probability, True)["probabilities"]
    scores = expit(logit(probabilities) - logit(threshold)).astype(np.float32)
    return {"probabilities": probabilities, "decision_scores": scores}


def test_a_sound_answer_passes() -> None:
    assert check_answer("other", answer(0.4, False), ROWS) == []


def test_probabilities_may_differ_within_the_tolerance() -> None:
    first, second = answer(0.4, False), answer(0.4, False)
    second["probabilities"][1, COMEDY] += 0.004
    reasons, difference = check_probabilities("other", second, first, ROWS, ROUGH_TOLERANCE)
    assert (reasons, difference) == ([], pytest.approx(0.004, abs=1e-6))
    reasons, _ = check_probabilities("other", second, first, ROWS, TOLERANCE)
    assert reasons == [
        "other: probabilities are up to 0.004 away from those of serving_default for all rows "
        "together (allowed: 1e-05) in 1 of 2 rows, first second, Comedy"
    ]
    second["probabilities"][0, 0] = np.nan
    assert len(check_probabilities("other", second, first, ROWS, 1.0)[0]) == 1


@pytest.mark.parametrize("shift", [0.0, 2**-22])
def test_a_decision_away_from_its_threshold_is_wrong_whether_probabilities_differ_or_not(
    shift: float,
) -> None:
    found = answer(0.4, False)
    found["probabilities"] -= np.float32(shift)
    assert check_decisions("other", found, evaluated(0.4, 0.5), ROWS, ROUGH_TOLERANCE) == []
    found["predicted"][1, COMEDY] = True
    assert check_decisions("other", found, evaluated(0.4, 0.5), ROWS, ROUGH_TOLERANCE) == [
        "other: decisions do not follow from the probabilities and the thresholds of evaluate in "
        "1 of 2 rows, first second, Comedy"
    ]
    # Nor is a genre left out whose probability is above its threshold.
    found = answer(0.6, True)
    assert check_decisions("other", found, evaluated(0.6, 0.5), ROWS, ROUGH_TOLERANCE) == []
    found["predicted"][0, COMEDY] = False
    assert len(check_decisions("other", found, evaluated(0.6, 0.5), ROWS, ROUGH_TOLERANCE)) == 1


@pytest.mark.parametrize("predicted", [False, True])
def test_a_probability_near_its_threshold_may_fall_on_either_side(predicted: bool) -> None:
    found = answer(0.4, predicted)
    near, far = evaluated(0.4, 0.404), evaluated(0.4, 0.406)
    assert check_decisions("other", found, near, ROWS, ROUGH_TOLERANCE) == []
    assert bool(check_decisions("other", found, far, ROWS, ROUGH_TOLERANCE)) == predicted
    assert bool(check_decisions("other", found, near, ROWS, TOLERANCE)) == predicted


def test_certain_probabilities_have_thresholds_too() -> None:
    for probability, predicted in ((0.0, False), (1.0, True)):
        found = answer(probability, predicted)
        given = {
            "probabilities": found["probabilities"],
            "decision_scores": found["predicted"].astype(np.float32),
        }
        assert check_decisions("other", found, given, ROWS, TOLERANCE) == []
        found["predicted"][1, COMEDY] = not predicted
        assert len(check_decisions("other", found, given, ROWS, TOLERANCE)) == 1


def test_where_no_threshold_is_reached_one_genre_is_predicted() -> None:
    found = answer(0.3, False)
    found["probabilities"][:, 0] = 0.31
    given = evaluated(0.3, 0.5)
    given["probabilities"][:, 0] = 0.31
    # `evaluate` marks the nearest genre as just above its threshold.
    given["decision_scores"][:, 0] = 0.500001
    assert check_decisions("other", found, given, ROWS, TOLERANCE) == []
    found["predicted"][1, COMEDY] = True
    assert len(check_decisions("other", found, given, ROWS, TOLERANCE)) == 1
