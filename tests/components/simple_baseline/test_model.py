"""The simple baseline's parts by hand-made numbers."""

import numpy as np
import pytest

from components.simple_baseline.model import (
    LEAST_THRESHOLD,
    best_thresholds,
    decide,
    evaluate,
    fit_predict,
    labels,
)
from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES

ACTION, ADVENTURE = GENRES.index("Action"), GENRES.index("Adventure")
HORROR, WESTERN = GENRES.index("Horror"), GENRES.index("Western")


def matrix(rows: list[dict[int, float]], rest: float = 0.0) -> np.ndarray:
    """Rows of 22 numbers of which only those given differ from `rest`."""
    result = np.full((len(rows), NUM_GENRES), rest)
    for row, values in enumerate(rows):
        for column, value in values.items():
            result[row, column] = value
    return result


def test_labels_follow_the_order_of_the_genres() -> None:
    given = labels(["Western|Action", "", "News|Adventure"])
    assert given.shape == (3, 22)
    assert [np.flatnonzero(row).tolist() for row in given] == [[ACTION, WESTERN], [], [ADVENTURE]]


def test_thresholds_cut_where_f1_is_highest() -> None:
    scores = matrix([{ACTION: 0.9}, {ACTION: 0.4}, {ACTION: 0.3}, {ACTION: 0.1}])
    given = matrix([{ACTION: 1}, {ACTION: 0}, {ACTION: 1}, {ACTION: 0}]).astype(bool)
    thresholds = best_thresholds(scores, given)
    # Cut after 1, 2, 3 or 4 movies: F1 is 2/3, 1/2, 4/5 and 2/3.
    assert thresholds[ACTION] == pytest.approx(0.2)
    assert thresholds[ADVENTURE] == 0.5


def test_of_equal_f1s_the_highest_cut_counts() -> None:
    # Cut after 1 or 3 movies: F1 is 2/3 each time.
    scores = matrix([{ACTION: 0.9}, {ACTION: 0.8}, {ACTION: 0.7}, {ACTION: 0.6}])
    given = matrix([{ACTION: 1}, {}, {}, {ACTION: 1}]).astype(bool)
    assert best_thresholds(scores, given)[ACTION] == pytest.approx(0.85)


def test_thresholds_do_not_cut_between_equals() -> None:
    scores = matrix([{ACTION: 0.6}, {ACTION: 0.6}, {ACTION: 0.2}])
    given = matrix([{ACTION: 1}, {}, {}]).astype(bool)
    assert best_thresholds(scores, given)[ACTION] == pytest.approx(0.4)


def test_a_genre_without_any_probability_is_never_given() -> None:
    scores, given = matrix([{}, {}]), matrix([{ACTION: 1}, {}]).astype(bool)
    thresholds = best_thresholds(scores, given)
    assert thresholds[ACTION] == LEAST_THRESHOLD
    scores[:, WESTERN] = 0.4
    decided = decide(scores, thresholds)
    assert [np.flatnonzero(row).tolist() for row in decided] == [[WESTERN], [WESTERN]]


def test_each_movie_gets_a_genre() -> None:
    thresholds = np.full(NUM_GENRES, 0.5)
    thresholds[WESTERN] = 0.1
    decided = decide(
        matrix([{ACTION: 0.7, WESTERN: 0.2}, {ACTION: 0.4, WESTERN: 0.09}, {ACTION: 0.4}]),
        thresholds,
    )
    expected = [[ACTION, WESTERN], [WESTERN], [ACTION]]
    assert [np.flatnonzero(row).tolist() for row in decided] == expected


def test_metrics_by_hand() -> None:
    given = labels(["Action", "Action|Horror", "Horror", "Western"])
    decided = labels(["Action", "Horror", "Action|Horror", "Horror"])
    metrics = evaluate(given, decided)

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


def test_genres_that_no_or_all_movies_have_get_their_share() -> None:
    texts = ["good ghost story", "bad ghost story", "good story", "bad story"] * 5
    given = labels(["Horror|Drama", "Horror|Drama", "Drama", "Drama"] * 5)
    (probabilities,) = fit_predict(texts, given, [["ghost", "story"]], seed=1)

    assert probabilities.shape == (2, 22)
    assert probabilities[:, GENRES.index("Drama")].tolist() == [1.0, 1.0]
    assert probabilities[:, WESTERN].tolist() == [0.0, 0.0]
    assert probabilities[0, HORROR] > 0.5 > probabilities[1, HORROR]


def test_texts_without_a_common_word() -> None:
    with pytest.raises(UserError) as caught:
        fit_predict(["one", "two"], labels(["Action", "Horror"]), [["one"]], seed=1)
    assert str(caught.value) == (
        "No word occurs in 2 of the 2 plots of the train split. Give more movies."
    )
