"""Decide what a table of labels says about one movie, from the model's output."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from report.metrics import DOUBT_ABOVE, Floats, Labels, label_doubts

UNSURE_BELOW: Final = 0.5
"""Confidence below which a movie is marked as unsure.

On the test split of the sample, 10% of the movies are below it. The F1 of their predicted genres is
0.36, and that of the others 0.70.
"""


@dataclass(frozen=True)
class MovieLabels:
    """What the model says about one movie.

    Attributes:
        genres: Predicted genres, the most probable first.
        confidence: Mean probability of the predicted genres, from 0 to 1. Since probabilities are
            calibrated, it is the expected share of these genres that are right. 0 without any.
        unsure: Whether the confidence is below `UNSURE_BELOW`.
        add: Genres that are not listed but more probable than not, the most probable first.
        remove: Listed genres that are less probable than not, the least probable first.
        doubt: Highest probability that one of the labels in `add` and `remove` is wrong; 0 if the
            model doubts none, or if the movie is listed under no genre of the model.
    """

    genres: tuple[str, ...]
    confidence: float
    unsure: bool
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    doubt: float = 0.0


def label_movie(
    genres: Sequence[str], probabilities: Floats, predicted: Labels, listed: Collection[str] = ()
) -> MovieLabels:
    """Decide what the output of the model says about one movie.

    Args:
        genres: Names of the model's genres.
        probabilities: Float [genres]. Probability of each genre.
        predicted: Bool [genres]. Whether the genre is predicted.
        listed: Genres under which the movie is listed; empty by default. Genres that the model
            does not know are ignored.
    """
    by_probability = np.argsort(-probabilities, kind="stable")
    confidence = float(probabilities[predicted].mean()) if predicted.any() else 0.0
    labels = np.isin(genres, list(listed))
    doubts = label_doubts(labels, probabilities)
    doubted = (doubts > DOUBT_ABOVE) & labels.any()
    return MovieLabels(
        genres=tuple(genres[column] for column in by_probability if predicted[column]),
        confidence=confidence,
        unsure=confidence < UNSURE_BELOW,
        add=tuple(genres[c] for c in by_probability if doubted[c] and not labels[c]),
        remove=tuple(genres[c] for c in by_probability[::-1] if doubted[c] and labels[c]),
        doubt=float(doubts[doubted].max(initial=0.0)),
    )
