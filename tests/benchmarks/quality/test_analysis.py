"""What the analysis finds in hand-made predictions."""

import numpy as np
import pytest

from benchmarks.quality.analysis import (
    _slice_table,
    agreement,
    confusions,
    doubts,
    slices,
    title_language,
)
from benchmarks.quality.dataset import genres
from benchmarks.quality.scores import Predictions
from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from tests.benchmarks.quality.test_dataset import frame
from tests.data.tiny_movies import movies

DRAMA, HORROR, WESTERN = (GENRES.index(name) for name in ("Drama", "Horror", "Western"))


def of(*rows: set[int]) -> np.ndarray:
    """Labels of movies, each a set of genres."""
    given = np.zeros((len(rows), NUM_GENRES), bool)
    for row, listed in enumerate(rows):
        given[row, list(listed)] = True
    return given


def test_a_confusion_is_a_miss_and_a_wrong_genre_in_one_movie() -> None:
    given = of({DRAMA}, {DRAMA}, {DRAMA, WESTERN}, {HORROR})
    decided = of({HORROR}, {HORROR}, {WESTERN}, {HORROR, WESTERN})
    # The third movie misses a genre and has no wrong one; the fourth the other way round.
    assert confusions(given, decided, 10) == [["Drama", "Horror", "2", "67%"]]


def test_the_most_frequent_confusions_come_first() -> None:
    given = of({DRAMA}, {DRAMA}, {WESTERN})
    decided = of({HORROR}, {HORROR}, {HORROR})
    assert [missed for missed, *_ in confusions(given, decided, 10)] == ["Drama", "Western"]
    assert len(confusions(given, decided, 1)) == 1


def test_doubts_are_the_surest_errors_one_a_movie() -> None:
    rows = [{**row, raw.GENRES_FIELD: "Drama|Western"} for row in movies(3)]
    probabilities = np.zeros((3, NUM_GENRES))
    probabilities[:, DRAMA], probabilities[:, WESTERN] = [0.9, 0.2, 0.1], [0.9, 0.05, 0.9]
    probabilities[:, HORROR] = [0.0, 0.8, 0.6]
    wrong = doubts(frame(rows), probabilities, listed=False, count=2)
    assert wrong == [
        [rows[1][raw.TCONST], rows[1][raw.TITLE], "Drama, Western", "Horror", "0.800"],
        [rows[2][raw.TCONST], rows[2][raw.TITLE], "Drama, Western", "Horror", "0.600"],
    ]
    there = doubts(frame(rows), probabilities, listed=True, count=2)
    assert [(movie, genre, probability) for movie, *_, genre, probability in there] == [
        (rows[1][raw.TCONST], "Western", "0.050"),
        (rows[2][raw.TCONST], "Drama", "0.100"),
    ]


@pytest.mark.parametrize(
    ("title", "guess"),
    [
        ("The Last Ranch", "all others"),
        ("Amélie", "with letters beyond ASCII"),
        ("La Ronde", "with a foreign article first"),
        ("Lassie", "all others"),
        ("der letzte Mann", "with a foreign article first"),
    ],
)
def test_the_language_of_a_title_is_guessed(title: str, guess: str) -> None:
    assert title_language(title) == guess


def test_slices_cover_what_their_name_says() -> None:
    rows = movies(200)
    for number, row in enumerate(rows):
        row[raw.YEAR] = 1935 if number < 40 else 1996
        row[raw.VOTES] = row[raw.RATING] = np.nan if number < 50 else 5000
        row[raw.PLOT] = "word " * (10 if number < 60 else 200)
        row[raw.WRITERS] = "" if number < 70 else "Somebody"
    some = frame(rows)
    assert {(kind, name): int(chosen.sum()) for kind, name, chosen in slices(some)} == {
        ("decade", "1930s"): 40,
        ("decade", "1990s"): 160,
        ("words of the plot", "0 to 14"): 60,
        ("words of the plot", "120 and more"): 140,
        ("title", "all others"): 200,
        ("votes", "none"): 50,
        ("votes", "1,000 to 9,999"): 150,
        ("genres listed", "1"): 200,
        ("not known", raw.RATING): 50,
        ("not known", raw.WRITERS): 70,
    }
    right = Predictions(np.where(genres(some), 0.9, 0.1), genres(some))
    table = _slice_table(some, {"model": right}).splitlines()
    assert table[0] == "| slice | movies | genres a movie | model: micro | model: mAP |"
    assert table[2:5] == [
        "| **decade** |  |  |  |  |",
        "| 1930s | 40 | 1.0 | 1.000 | 1.000 |",
        "| 1990s | 160 | 1.0 | 1.000 | 1.000 |",
    ]


def test_agreement_is_the_jaccard_index_of_pairs() -> None:
    genres = ["Drama", "Drama|Horror", "Western", "Western", "Horror"]
    rows = [
        {**row, raw.GENRES_FIELD: listed} for row, listed in zip(movies(5), genres, strict=True)
    ]
    shared = [{"a"}, {"a", "b"}, {"c", "d"}, {"c", "d"}, set()]
    pairs, same, chance = agreement(frame(rows), shared)
    # What two movies share twice counts once: the mean of 1/2 and 1.
    assert (pairs, same) == ("2", ".750")
    assert 0 < float(chance) < 0.6
    assert agreement(frame(rows), [set()] * 5)[:2] == ["0", "–"]
