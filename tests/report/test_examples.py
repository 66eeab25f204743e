"""The films that the report shows."""

import numpy as np

from report.examples import best_and_worst, doubtful_labels, explained_genre
from report.facts import Films
from tests.data.made_up_report import films


def test_the_choice_of_examples() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]], np.bool_)
    predicted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.bool_)
    probabilities = np.where(predicted, 0.8, 0.1)
    probabilities[2] = [0.95, 0.1, 0.02]
    films = Films(
        tconst=np.array(list("abcde"), object),
        title=np.array(list("abcde"), object),
        labels=labels,
        predicted=predicted,
        probabilities=probabilities,
        scores=np.where(predicted, 0.7, 0.3),
    )
    best, worst = best_and_worst(films, 2)
    assert best == [0, 1]
    assert worst[0] == 2
    # The wrong genre that was given; where none was, the one that was missed.
    assert explained_genre(films, 2, good=False) == 0
    assert explained_genre(films, 4, good=False) == 1
    assert explained_genre(films, 1, good=True) == 0


def test_doubtful_labels_are_those_that_the_model_is_surest_of() -> None:
    shown = films()
    for listed in (True, False):
        found = doubtful_labels(shown, listed=listed)
        sure = [1 - one.probability if listed else one.probability for one in found]
        assert sure == sorted(sure, reverse=True)
        assert min(sure) > 0.5
        assert all((one.genre in one.listed) is listed for one in found)
        assert len({one.tconst for one in found}) == len(found)
    nothing = Films(*(getattr(shown, name)[:0] for name in vars(shown)))
    assert doubtful_labels(nothing, listed=True) == []
