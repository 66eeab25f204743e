"""Leaving out shows what a model that is known goes by."""

from collections.abc import Sequence

import numpy as np

from report import occlusion
from report.occlusion import Film
from schema import features as raw

FILM: Film = {
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


def likes_sheriffs_and_votes(films: Sequence[Film]) -> np.ndarray:
    """Log-odds 2 for the word `sheriff` and -1 for known votes, of the second genre."""
    odds = [
        2.0 * ("sheriff " in str(film[raw.PLOT]).lower()) - 1.0 * (float(film[raw.VOTES] or 0) > 0)
        for film in films
    ]
    return np.stack([np.full(len(odds), 0.5), 1 / (1 + np.exp(-np.array(odds)))], axis=1)


def test_effects_are_those_of_the_model_the_strongest_first() -> None:
    found = occlusion.effects(likes_sheriffs_and_votes, FILM, 1)
    strong = [(one.field, one.text, round(one.difference, 6)) for one in found[:3]]
    assert sorted(strong[:2]) == [(raw.PLOT, "", 2.0), (raw.PLOT, "sheriff", 2.0)]
    assert strong[2] == (raw.VOTES, "", -1.0)
    assert all(one.difference == 0 for one in found[3:])


def test_only_what_is_known_is_left_out() -> None:
    found = occlusion.effects(likes_sheriffs_and_votes, FILM, 1)
    fields = {one.field for one in found if not one.text}
    assert fields == {raw.PLOT, raw.TITLE, raw.YEAR, raw.VOTES, raw.DIRECTORS}
    plot_words = {one.text for one in found if one.field == raw.PLOT and one.text}
    assert plot_words == {"the", "sheriff's", "horse", "a", "sheriff", "rides"}
    # One word is the whole title.
    assert [one.text for one in found if one.field == raw.TITLE] == [""]


def test_a_word_goes_wherever_it_stands_but_not_within_others() -> None:
    assert occlusion.without_word("War, warlord: WAR", "war") == ", warlord: "


def test_nothing_is_wrong_with_a_film_of_which_nothing_is_known() -> None:
    empty: Film = {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
    assert occlusion.effects(likes_sheriffs_and_votes, empty, 1) == []
