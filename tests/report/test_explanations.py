"""The movies that the report explains, and occlusion effects of a known model."""

from collections.abc import Sequence

import numpy as np

from report.content import Predictions
from report.explanations import (
    Movie,
    best_and_worst,
    doubtful_labels,
    explain_movies,
    genre_to_explain,
    occlusion_effects,
)
from schema import features as raw
from schema.genres import GENRES
from tests.data.made_up_report import make_predictions

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


def test_best_and_worst_predictions_are_selected() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]], np.bool_)
    predicted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.bool_)
    probabilities = np.where(predicted, 0.8, 0.1)
    probabilities[2] = [0.95, 0.1, 0.02]
    predictions = Predictions(
        tconst=np.array(list("abcde"), object),
        title=np.array(list("abcde"), object),
        labels=labels,
        predicted=predicted,
        probabilities=probabilities,
        scores=np.where(predicted, 0.7, 0.3),
    )
    best, worst = best_and_worst(predictions, 2)
    assert best == [0, 1]
    assert worst[0] == 2
    # The wrongly predicted genre is explained or, without one, the missed genre.
    assert genre_to_explain(predictions, 2, correct=False) == 0
    assert genre_to_explain(predictions, 4, correct=False) == 1
    assert genre_to_explain(predictions, 1, correct=True) == 0


def test_doubtful_labels_are_the_most_improbable() -> None:
    predictions = make_predictions()
    for listed in (True, False):
        found = doubtful_labels(predictions, GENRES, listed=listed)
        sure = [1 - label.probability if listed else label.probability for label in found]
        assert sure == sorted(sure, reverse=True)
        assert min(sure) > 0.5
        assert all((label.genre in label.listed) is listed for label in found)
        assert len({label.tconst for label in found}) == len(found)
    empty = Predictions(*(getattr(predictions, name)[:0] for name in vars(predictions)))
    assert doubtful_labels(empty, GENRES, listed=True) == []


def test_movies_are_explained_with_the_names_of_the_genres() -> None:
    names = ("Heist", "Noir", "Space")
    predictions = make_predictions(num_genres=3)
    columns = {
        name: np.full(60, 7.0 if name in raw.NUMBERS else "a word", object)
        for name in raw.MODEL_INPUTS
    }
    found = explain_movies(
        predictions, columns, lambda movies: np.full((len(movies), 3), 0.5), names
    )
    assert len(found) == 6
    for movie in found:
        row = int(movie.tconst.removeprefix("tt"))
        listed = [name for name, has in zip(names, predictions.labels[row], strict=True) if has]
        assert list(movie.listed) == listed
        column = names.index(movie.genre)
        assert movie.probability == predictions.probabilities[row, column]
    labels = doubtful_labels(predictions, names, listed=False)
    assert {label.genre for label in labels} <= {*names}


def predict_sheriffs(movies: Sequence[Movie]) -> np.ndarray:
    """Predict the second genre with log-odds 2 for the word `sheriff` and -1 for known votes."""
    odds = [
        2.0 * ("sheriff " in str(movie[raw.PLOT]).lower())
        - 1.0 * (float(movie[raw.VOTES] or 0) > 0)
        for movie in movies
    ]
    return np.stack([np.full(len(odds), 0.5), 1 / (1 + np.exp(-np.array(odds)))], axis=1)


def test_the_strongest_effects_come_first() -> None:
    found = occlusion_effects(predict_sheriffs, MOVIE, 1)
    strong = [(effect.field, effect.word, round(effect.difference, 6)) for effect in found[:3]]
    assert sorted(strong[:2]) == [(raw.PLOT, "", 2.0), (raw.PLOT, "sheriff", 2.0)]
    assert strong[2] == (raw.VOTES, "", -1.0)
    assert all(effect.difference == 0 for effect in found[3:])
    assert [round(effect.probability, 3) for effect in found[:3]] == [0.269, 0.269, 0.881]


def test_effects_as_small_as_those_of_punctuation_are_noise() -> None:
    def predict(movies: Sequence[Movie]) -> np.ndarray:
        plots = [str(movie[raw.PLOT] or "") for movie in movies]
        odds = np.array(
            [("SHERIFF" in plot) + 0.2 * ("horse" in plot) + 0.3 * ("(" in plot) for plot in plots]
        )
        return 1 / (1 + np.exp(-odds))[:, np.newaxis]

    is_noise = {e.word: e.is_noise for e in occlusion_effects(predict, MOVIE, 0)}
    assert not is_noise["sheriff"]
    assert is_noise["horse"]
    assert is_noise["function words"]


def test_unknown_fields_have_no_effect() -> None:
    found = occlusion_effects(predict_sheriffs, MOVIE, 1)
    fields = {effect.field for effect in found if not effect.word}
    assert fields == {raw.PLOT, raw.TITLE, raw.YEAR, raw.VOTES, raw.DIRECTORS}
    plot_words = {effect.word for effect in found if effect.field == raw.PLOT and effect.word}
    assert plot_words == {"function words", "sheriff's", "horse", "sheriff", "rides"}
    # The title is one word, which is the whole field.
    assert [effect.word for effect in found if effect.field == raw.TITLE] == [""]


def test_an_empty_movie_has_no_effects() -> None:
    empty: Movie = {name: 0.0 if name in raw.NUMBERS else "" for name in raw.MODEL_INPUTS}
    assert occlusion_effects(predict_sheriffs, empty, 1) == []
