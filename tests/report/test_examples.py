"""The movies that the report shows, and what leaving out says of a model that is known."""

from collections.abc import Sequence

import numpy as np

from report.examples import (
    Movie,
    best_and_worst,
    doubtful_labels,
    effects,
    explained_genre,
    without_word,
)
from report.facts import Movies
from schema import features as raw
from tests.data.made_up_report import movies

MOVIE: Movie = {
    raw.PLOT: "The sheriff's horse; a SHERIFF rides.",
    raw.TITLE: "Dust",
    raw.YEAR: 1950.0,
    raw.RUNTIME: float("nan"),
    raw.RATING: 0.0,
    raw.VOTES: 20.0,
    raw.DIRECTORS: "Ada Example",
    raw.WRITERS: "",
    raw.CAST: "",
}


def test_the_choice_of_examples() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]], np.bool_)
    predicted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.bool_)
    probabilities = np.where(predicted, 0.8, 0.1)
    probabilities[2] = [0.95, 0.1, 0.02]
    movies = Movies(
        tconst=np.array(list("abcde"), object),
        title=np.array(list("abcde"), object),
        labels=labels,
        predicted=predicted,
        probabilities=probabilities,
        scores=np.where(predicted, 0.7, 0.3),
    )
    best, worst = best_and_worst(movies, 2)
    assert best == [0, 1]
    assert worst[0] == 2
    # The wrong genre that was given; where none was, the one that was missed.
    assert explained_genre(movies, 2, good=False) == 0
    assert explained_genre(movies, 4, good=False) == 1
    assert explained_genre(movies, 1, good=True) == 0


def test_doubtful_labels_are_those_that_the_model_is_surest_of() -> None:
    shown = movies()
    for listed in (True, False):
        found = doubtful_labels(shown, listed=listed)
        sure = [1 - one.probability if listed else one.probability for one in found]
        assert sure == sorted(sure, reverse=True)
        assert min(sure) > 0.5
        assert all((one.genre in one.listed) is listed for one in found)
        assert len({one.tconst for one in found}) == len(found)
    nothing = Movies(*(getattr(shown, name)[:0] for name in vars(shown)))
    assert doubtful_labels(nothing, listed=True) == []


def likes_sheriffs_and_votes(movies: Sequence[Movie]) -> np.ndarray:
    """Log-odds 2 for the word `sheriff` and -1 for known votes, of the second genre."""
    odds = [
        2.0 * ("sheriff " in str(movie[raw.PLOT]).lower())
        - 1.0 * (float(movie[raw.VOTES] or 0) > 0)
        for movie in movies
    ]
    return np.stack([np.full(len(odds), 0.5), 1 / (1 + np.exp(-np.array(odds)))], axis=1)


def test_effects_are_those_of_the_model_the_strongest_first() -> None:
    found = effects(likes_sheriffs_and_votes, MOVIE, 1)
    strong = [(one.field, one.text, round(one.difference, 6)) for one in found[:3]]
    assert sorted(strong[:2]) == [(raw.PLOT, "", 2.0), (raw.PLOT, "sheriff", 2.0)]
    assert strong[2] == (raw.VOTES, "", -1.0)
    assert all(one.difference == 0 for one in found[3:])


def test_only_what_is_known_is_left_out() -> None:
    found = effects(likes_sheriffs_and_votes, MOVIE, 1)
    fields = {one.field for one in found if not one.text}
    assert fields == {raw.PLOT, raw.TITLE, raw.YEAR, raw.VOTES, raw.DIRECTORS}
    plot_words = {one.text for one in found if one.field == raw.PLOT and one.text}
    assert plot_words == {"the", "sheriff's", "horse", "a", "sheriff", "rides"}
    # One word is the whole title.
    assert [one.text for one in found if one.field == raw.TITLE] == [""]


def test_a_word_goes_wherever_it_stands_but_not_within_others() -> None:
    assert without_word("War, warlord: WAR", "war") == ", warlord: "


def test_nothing_is_wrong_with_a_movie_of_which_nothing_is_known() -> None:
    empty: Movie = {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
    assert effects(likes_sheriffs_and_votes, empty, 1) == []
