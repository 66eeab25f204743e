"""What the report says in words follows from the numbers."""

from dataclasses import replace

import numpy as np

from report import summary
from report.facts import Slice
from schema.genres import GENRES, NUM_GENRES
from tests.data.made_up_report import facts, genre


def test_strengths_name_the_surest_genres_and_the_gain() -> None:
    given = facts()
    rows = list(given.verdict.genres)
    rows[5] = genre(
        "Crime", f1=0.95, precision=0.95, recall=0.95, support=400, hits=380, predicted=400
    )
    verdict = replace(given.verdict, genres=tuple(rows))
    surest, gain, right = summary.strengths(verdict, given.movies)
    assert surest.startswith(
        "Surest genres, by the lower end of the interval: Crime (F1 0.95, 0.93 to 0.96, 400 movies)"
    )
    assert gain.startswith("Better than the simple baseline by more than 0.05 in 22 of 22 genres")
    assert "Crime (+0.55)" in gain
    exact = int((given.movies.labels == given.movies.predicted).all(axis=1).sum())
    assert right.startswith(f"All genres right for {exact} of 60 test movies")


def test_weaknesses_name_what_is_behind_and_what_cannot_be_said() -> None:
    given = facts()
    rows = list(given.verdict.genres)
    rows[0] = genre("Action", f1=0.1, hits=1, predicted=10, simple_baseline=0.5)
    rows[1] = genre("Adventure", support=0, hits=0, predicted=0, f1=0.0)
    verdict = replace(given.verdict, genres=tuple(rows))
    text = "\n".join(summary.weaknesses(verdict, given.movies, given.slices, GENRES))
    assert "Weakest genres, by the upper end of the interval: Action (F1 0.10" in text
    assert "Below the simple baseline in Action (-0.40)." in text
    assert "Below the last blessed model in Action (-0.60)." in text
    assert "Weakest slice: decade 1950s, micro-F1 0.550 on 20 movies, 0.700 on all." in text
    assert "Not measured, since no test movie has it: Adventure." in text
    assert "Too few test movies to say much of Animation (10), Biography (10)" in text
    # Every movie was given too little or too much by chance alone, but probabilities start at .15.
    assert "promise too many genres" in text


def test_the_most_frequent_confusion_is_told_with_its_movies() -> None:
    given = facts()
    labels = np.zeros((5, NUM_GENRES), np.bool_)
    predicted = np.zeros_like(labels)
    labels[:, 2], predicted[:4, 3], predicted[4, 2] = True, True, True
    shown = replace(
        given.movies, labels=labels, predicted=predicted, probabilities=0.9 * predicted + 0.01
    )
    text = summary.weaknesses(given.verdict, shown, (), GENRES)
    assert f"Most often confused: {GENRES[3]} in place of {GENRES[2]} (4 of 5 movies)." in text


def test_even_slices_are_called_even() -> None:
    given = facts()
    even = Slice("decade", "1950s", 20, 0.7, np.zeros(NUM_GENRES), np.zeros(NUM_GENRES))
    text = summary.weaknesses(given.verdict, given.movies, (even,), GENRES)
    assert "No slice of 10 movies or more is 0.05 below the whole." in text
