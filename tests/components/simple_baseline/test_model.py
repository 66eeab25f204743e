"""The functions of the baseline with given numbers."""

import numpy as np
import pytest

from components.simple_baseline.model import (
    MIN_THRESHOLD,
    best_thresholds,
    binarize_genres,
    evaluate,
    fit_predict,
    predict_genres,
)
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES

ACTION, ADVENTURE = GENRES.index("Action"), GENRES.index("Adventure")
HORROR, WESTERN = GENRES.index("Horror"), GENRES.index("Western")


def matrix(rows: list[dict[int, float]], rest: float = 0.0) -> np.ndarray:
    """Return rows of 22 numbers, which are `rest` except for the given columns."""
    result = np.full((len(rows), NUM_GENRES), rest)
    for row, values in enumerate(rows):
        for column, value in values.items():
            result[row, column] = value
    return result


def test_labels_are_in_the_order_of_the_genres() -> None:
    labels = binarize_genres(["Western|Action", "", "News|Adventure"])
    assert labels.shape == (3, 22)
    own = binarize_genres(["Western|Heist", "", "News|Adventure"], ["Heist", "News"])
    assert own.tolist() == [[True, False], [False, False], [False, True]]
    assert [np.flatnonzero(row).tolist() for row in labels] == [[ACTION, WESTERN], [], [ADVENTURE]]


def test_thresholds_have_the_highest_f1() -> None:
    scores = matrix([{ACTION: 0.9}, {ACTION: 0.4}, {ACTION: 0.3}, {ACTION: 0.1}])
    labels = matrix([{ACTION: 1}, {ACTION: 0}, {ACTION: 1}, {ACTION: 0}]).astype(bool)
    thresholds = best_thresholds(scores, labels)
    # With the first 1, 2, 3 or 4 movies predicted, F1 is 2/3, 1/2, 4/5 and 2/3.
    assert thresholds[ACTION] == pytest.approx(0.2)
    assert thresholds[ADVENTURE] == 0.5


def test_the_highest_threshold_with_the_same_f1_is_chosen() -> None:
    # With the first 1 or 3 movies predicted, F1 is 2/3.
    scores = matrix([{ACTION: 0.9}, {ACTION: 0.8}, {ACTION: 0.7}, {ACTION: 0.6}])
    labels = matrix([{ACTION: 1}, {}, {}, {ACTION: 1}]).astype(bool)
    assert best_thresholds(scores, labels)[ACTION] == pytest.approx(0.85)


def test_thresholds_do_not_separate_equal_probabilities() -> None:
    scores = matrix([{ACTION: 0.6}, {ACTION: 0.6}, {ACTION: 0.2}])
    labels = matrix([{ACTION: 1}, {}, {}]).astype(bool)
    assert best_thresholds(scores, labels)[ACTION] == pytest.approx(0.4)


def test_a_genre_with_probability_0_is_never_predicted() -> None:
    scores, labels = matrix([{}, {}]), matrix([{ACTION: 1}, {}]).astype(bool)
    thresholds = best_thresholds(scores, labels)
    assert thresholds[ACTION] == MIN_THRESHOLD
    scores[:, WESTERN] = 0.4
    predicted = predict_genres(scores, thresholds)
    assert [np.flatnonzero(row).tolist() for row in predicted] == [[WESTERN], [WESTERN]]


def test_at_least_one_genre_is_predicted() -> None:
    thresholds = np.full(NUM_GENRES, 0.5)
    thresholds[WESTERN] = 0.1
    predicted = predict_genres(
        matrix([{ACTION: 0.7, WESTERN: 0.2}, {ACTION: 0.4, WESTERN: 0.09}, {ACTION: 0.4}]),
        thresholds,
    )
    expected = [[ACTION, WESTERN], [WESTERN], [ACTION]]
    assert [np.flatnonzero(row).tolist() for row in predicted] == expected


def test_metrics_of_a_small_example() -> None:
    labels = binarize_genres(["Action", "Action|Horror", "Horror", "Western"])
    predicted = binarize_genres(["Action", "Horror", "Action|Horror", "Horror"])
    metrics = evaluate(labels, predicted)

    genres = metrics.pop("genres")
    assert list(genres) == list(GENRES)
    assert genres["Action"] == {"f1": 0.5, "precision": 0.5, "recall": 0.5, "support": 2}
    assert genres["Horror"] == {
        "f1": pytest.approx(0.8),
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "support": 2,
    }
    assert genres["Western"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 1}
    assert genres["Comedy"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "support": 0}
    assert metrics == {
        "movies": 4,
        "macro_f1": pytest.approx((0.5 + 0.8) / 3),
        "micro_f1": pytest.approx(2 * 3 / (5 + 5)),
        "samples_f1": pytest.approx((1 + 2 / 3 + 2 / 3 + 0) / 4),
        "subset_accuracy": 0.25,
        "hamming_accuracy": pytest.approx(1 - 4 / 88),
    }


def test_genres_of_no_or_all_movies_have_constant_probabilities() -> None:
    texts = ["good ghost story", "bad ghost story", "good story", "bad story"] * 5
    labels = binarize_genres(["Horror|Drama", "Horror|Drama", "Drama", "Drama"] * 5)
    (probabilities,) = fit_predict(texts, labels, [["ghost", "story"]], seed=1)

    assert probabilities.shape == (2, 22)
    assert probabilities[:, GENRES.index("Drama")].tolist() == [1.0, 1.0]
    assert probabilities[:, WESTERN].tolist() == [0.0, 0.0]
    assert probabilities[0, HORROR] > 0.5 > probabilities[1, HORROR]


def test_texts_without_a_common_word() -> None:
    with pytest.raises(UserError) as caught:
        fit_predict(["one", "two"], binarize_genres(["Action", "Horror"]), [["one"]], seed=1)
    assert str(caught.value) == (
        "No word occurs in 2 of the 2 plots of the train split. Add more movies."
    )
