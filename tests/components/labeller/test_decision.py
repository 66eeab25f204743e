"""Labels of one movie, from probabilities chosen by hand."""

import numpy as np
import pytest

from components.labeller.decision import MovieLabels, label_movie

GENRES = ("Crime", "Drama", "Horror", "War")


def labels(probabilities: list[float], predicted: str, listed: str = "") -> MovieLabels:
    """Label a movie; `predicted` and `listed` are initials of genres."""
    return label_movie(
        GENRES,
        np.array(probabilities, np.float32),
        np.array([genre[0] in predicted for genre in GENRES]),
        [genre for genre in (*GENRES, "News") if genre[0] in listed],
    )


def test_predicted_genres_come_by_probability() -> None:
    found = labels([0.3, 0.9, 0.6, 0.95], "CDH")
    assert found.genres == ("Drama", "Horror", "Crime")
    assert found.confidence == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("probabilities", "predicted", "unsure"),
    [
        (
            [0.25, 0.75, 0.0, 0.0],
            "CD",
            False,
        ),  # exactly half of the genres are expected to be right
        ([0.25, 0.74, 0.0, 0.0], "CD", True),
        ([0.0, 0.9, 0.0, 0.0], "D", False),
        ([0.9, 0.4, 0.0, 0.0], "D", True),  # the confidence is that of the predicted genres
        ([0.9, 0.9, 0.9, 0.9], "", True),
    ],
)
def test_a_movie_is_unsure_if_most_of_its_genres_are_expected_to_be_wrong(
    probabilities: list[float], predicted: str, unsure: bool
) -> None:
    assert labels(probabilities, predicted).unsure is unsure


def test_doubts_are_labels_that_are_wrong_with_more_than_half_a_chance() -> None:
    found = labels([0.2, 0.9, 0.1, 0.6], "DW", "CHW")
    assert (found.add, found.remove) == (("Drama",), ("Horror", "Crime"))
    assert found.doubt == pytest.approx(0.9)


def test_a_likely_genre_that_is_not_listed_can_be_the_surest_doubt() -> None:
    found = labels([0.97, 0.3, 0.0, 0.8], "CW", "D")
    assert (found.add, found.remove) == (("Crime", "War"), ("Drama",))
    assert found.doubt == pytest.approx(0.97)


def test_half_a_chance_is_no_doubt() -> None:
    found = labels([0.5, 0.5, 0.0, 0.0], "CD", "C")
    assert (found.add, found.remove, found.doubt) == ((), (), 0.0)


@pytest.mark.parametrize("listed", ["", "N"])
def test_a_movie_without_a_known_genre_has_no_doubts(listed: str) -> None:
    found = labels([0.9, 0.1, 0.1, 0.1], "C", listed)
    assert (found.add, found.remove, found.doubt) == ((), (), 0.0)
