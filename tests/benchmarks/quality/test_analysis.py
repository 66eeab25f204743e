"""The analysis of made-up predictions."""

import numpy as np
import pytest

from benchmarks.quality.analysis import (
    _slice_table,
    agreement,
    confusion_rows,
    doubtful_label_rows,
    slices,
    title_language,
)
from benchmarks.quality.dataset import genres
from benchmarks.quality.scores import Predictions
from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import make_movies

DRAMA, HORROR, WESTERN = (GENRES.index(name) for name in ("Drama", "Horror", "Western"))


def labels_of(*rows: set[int]) -> np.ndarray:
    """Return the labels of movies, labels as sets of genres."""
    labels = np.zeros((len(rows), NUM_GENRES), bool)
    for row, listed in enumerate(rows):
        labels[row, list(listed)] = True
    return labels


def test_a_confusion_is_a_missed_and_a_wrong_genre_of_one_movie() -> None:
    labels = labels_of({DRAMA}, {DRAMA}, {DRAMA, WESTERN}, {HORROR})
    predicted = labels_of({HORROR}, {HORROR}, {WESTERN}, {HORROR, WESTERN})
    # The third movie only lacks a genre, and the fourth only has a wrong one.
    assert confusion_rows(labels, predicted, 10) == [["Drama", "Horror", "2", "67%"]]


def test_the_most_frequent_confusions_come_first() -> None:
    labels = labels_of({DRAMA}, {DRAMA}, {WESTERN})
    predicted = labels_of({HORROR}, {HORROR}, {HORROR})
    assert [missed for missed, *_ in confusion_rows(labels, predicted, 10)] == ["Drama", "Western"]
    assert len(confusion_rows(labels, predicted, 1)) == 1


def test_doubtful_labels_contradict_the_probabilities_most() -> None:
    rows = [{**row, raw.GENRES_FIELD: "Drama|Western"} for row in make_movies(3)]
    probabilities = np.zeros((3, NUM_GENRES))
    probabilities[:, DRAMA], probabilities[:, WESTERN] = [0.9, 0.2, 0.1], [0.9, 0.05, 0.9]
    probabilities[:, HORROR] = [0.0, 0.8, 0.6]
    wrong = doubtful_label_rows(frame(rows), probabilities, listed=False, count=2)
    assert wrong == [
        [rows[1][raw.TCONST], rows[1][raw.TITLE], "Drama, Western", "Horror", "0.800"],
        [rows[2][raw.TCONST], rows[2][raw.TITLE], "Drama, Western", "Horror", "0.600"],
    ]
    there = doubtful_label_rows(frame(rows), probabilities, listed=True, count=2)
    assert [(movie, genre, probability) for movie, *_, genre, probability in there] == [
        (rows[1][raw.TCONST], "Western", "0.050"),
        (rows[2][raw.TCONST], "Drama", "0.100"),
    ]


@pytest.mark.parametrize(
    ("title", "guess"),
    [
        ("The Last Ranch", "all others"),
        ("Amélie", "with non-ASCII letters"),
        ("La Ronde", "beginning with a foreign article"),
        ("Lassie", "all others"),
        ("der letzte Mann", "beginning with a foreign article"),
    ],
)
def test_the_kind_of_a_title_is_guessed(title: str, guess: str) -> None:
    assert title_language(title) == guess


def test_slices_have_the_movies_of_their_name() -> None:
    rows = make_movies(200)
    for number, row in enumerate(rows):
        row[raw.YEAR] = 1935 if number < 40 else 1996
        row[raw.VOTES] = row[raw.RATING] = np.nan if number < 50 else 5000
        row[raw.PLOT] = "word " * (10 if number < 60 else 200)
        row[raw.WRITERS] = "" if number < 70 else "Somebody"
    data = frame(rows)
    assert {(kind, name): int(selected.sum()) for kind, name, selected in slices(data)} == {
        ("decade", "1930s"): 40,
        ("decade", "1990s"): 160,
        ("plot words", "0 to 14"): 60,
        ("plot words", "120 and more"): 140,
        ("title", "all others"): 200,
        ("votes", "none"): 50,
        ("votes", "1,000 to 9,999"): 150,
        ("listed genres", "1"): 200,
        ("missing field", raw.RATING): 50,
        ("missing field", raw.WRITERS): 70,
    }
    right = Predictions(np.where(genres(data), 0.9, 0.1), genres(data))
    table = _slice_table(data, {"model": right}).splitlines()
    assert table[0] == "| slice | movies | genres per movie | model: micro-F1 | model: mAP |"
    assert table[2:5] == [
        "| **decade** |  |  |  |  |",
        "| 1930s | 40 | 1.0 | 1.000 | 1.000 |",
        "| 1990s | 160 | 1.0 | 1.000 | 1.000 |",
    ]


def test_agreement_is_the_jaccard_index_of_pairs() -> None:
    genres = ["Drama", "Drama|Horror", "Western", "Western", "Horror"]
    rows = [
        {**row, raw.GENRES_FIELD: listed}
        for row, listed in zip(make_movies(5), genres, strict=True)
    ]
    shared = [{"a"}, {"a", "b"}, {"c", "d"}, {"c", "d"}, set()]
    pairs, same, chance = agreement(frame(rows), shared)
    # A pair with two common values counts once: the mean of 1/2 and 1.
    assert (pairs, same) == ("2", ".750")
    assert 0 < float(chance) < 0.6
    assert agreement(frame(rows), [set()] * 5)[:2] == ["0", "–"]
