"""What the analysis finds in hand-made predictions."""

import numpy as np
import pytest

from benchmarks.quality.analysis import (
    Confusion,
    agreement,
    confusions,
    doubts,
    slices,
    title_language,
)
from benchmarks.quality.scores import Predictions
from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from tests.benchmarks.quality.test_films import films
from tests.data.tiny_movies import movies

DRAMA, HORROR, WESTERN = (GENRES.index(name) for name in ("Drama", "Horror", "Western"))


def of(*rows: set[int]) -> np.ndarray:
    """Labels of films, each a set of genres."""
    given = np.zeros((len(rows), NUM_GENRES), bool)
    for row, genres in enumerate(rows):
        given[row, list(genres)] = True
    return given


def test_a_confusion_is_a_miss_and_a_wrong_genre_in_one_film() -> None:
    given = of({DRAMA}, {DRAMA}, {DRAMA, WESTERN}, {HORROR})
    decided = of({HORROR}, {HORROR}, {WESTERN}, {HORROR, WESTERN})
    # The third film misses a genre and has no wrong one; the fourth the other way round.
    assert confusions(given, decided, 10) == [Confusion("Drama", "Horror", 2, 2 / 3)]


def test_the_most_frequent_confusions_come_first() -> None:
    given = of({DRAMA}, {DRAMA}, {WESTERN})
    decided = of({HORROR}, {HORROR}, {HORROR})
    assert [one.missed for one in confusions(given, decided, 10)] == ["Drama", "Western"]
    assert len(confusions(given, decided, 1)) == 1


def test_doubts_are_the_surest_errors_one_a_film() -> None:
    rows = [{**row, raw.GENRES_FIELD: "Drama|Western"} for row in movies(3)]
    probabilities = np.zeros((3, NUM_GENRES))
    probabilities[:, DRAMA], probabilities[:, WESTERN] = [0.9, 0.2, 0.1], [0.9, 0.05, 0.9]
    probabilities[:, HORROR] = [0.0, 0.8, 0.6]
    wrong = doubts(films(rows), probabilities, listed=False, count=2)
    assert [(one.tconst, one.genre, one.probability) for one in wrong] == [
        (rows[1][raw.TCONST], "Horror", 0.8),
        (rows[2][raw.TCONST], "Horror", 0.6),
    ]
    assert wrong[0].listed == "Drama, Western"
    there = doubts(films(rows), probabilities, listed=True, count=2)
    assert [(one.tconst, one.genre, one.probability) for one in there] == [
        (rows[1][raw.TCONST], "Western", 0.05),
        (rows[2][raw.TCONST], "Drama", 0.1),
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
    some = films(rows)
    right = Predictions(np.where(some.labels, 0.9, 0.1), some.labels)
    found = {(one.kind, one.name): one for one in slices(some, {"arm": right})}
    assert {name: one.films for name, one in found.items()} == {
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
    assert all(one.scores["arm"]["micro-F1"] == 1 for one in found.values())
    assert all(one.listed == 1 for one in found.values())


def test_agreement_is_the_jaccard_index_of_pairs() -> None:
    genres = ["Drama", "Drama|Horror", "Western", "Western", "Horror"]
    rows = [
        {**row, raw.GENRES_FIELD: listed} for row, listed in zip(movies(5), genres, strict=True)
    ]
    shared = [{"a"}, {"a", "b"}, {"c", "d"}, {"c", "d"}, set()]
    found = agreement(films(rows), shared, seed=1)
    # What two films share twice counts once.
    assert found.pairs == 2
    assert found.same == pytest.approx((1 / 2 + 1) / 2)
    assert 0 < found.chance < 0.6
    alone = agreement(films(rows), [set()] * 5, seed=1)
    assert alone.pairs == 0
    assert np.isnan(alone.same)
