"""Predictions of the client, and the warnings that belong to them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MIN_KNOWN_WORDS: Final = 0.5
"""Share of known words below which a prediction has a warning."""


class InputWarning(StrEnum):
    """Reasons why the prediction for a movie is less reliable than others.

    Attributes:
        UNFAMILIAR_LANGUAGE: The model has learned from few plots in the language of the plot.
        UNKNOWN_WORDS: Less than `MIN_KNOWN_WORDS` of the plot's words are in the vocabulary.
        TITLE_ALONE: Nothing but the title of the movie is known.
    """

    UNFAMILIAR_LANGUAGE = "unfamiliar language"
    UNKNOWN_WORDS = "unknown words"
    TITLE_ALONE = "title alone"


@dataclass(frozen=True)
class Genre:
    """One genre of one movie.

    Attributes:
        name: Name of the genre.
        probability: Probability of the genre, from 0 to 1.
        predicted: Whether the model predicts the genre.
        threshold: Probability from which on the model predicts the genre. None if the model, of an
            earlier version of the project, does not tell. If no genre of a movie reaches its
            threshold, the one that comes nearest is predicted.
    """

    name: str
    probability: float
    predicted: bool
    threshold: float | None = None


@dataclass(frozen=True)
class Prediction:
    """Prediction for one movie.

    Attributes:
        genres: All genres, in the order of the model.
        unfamiliar_language: Whether the model has learned from few plots in the language of this
            one. False if the model, of an earlier version of the project, does not tell.
        known_words: Share of the plot's words that are in the model's vocabulary, from 0 to 1. 1 if
            there is no plot, and if the model does not tell.
        title_alone: Whether nothing but the title of the movie is known.
    """

    genres: tuple[Genre, ...]
    unfamiliar_language: bool = False
    known_words: float = 1.0
    title_alone: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all genres."""
        return tuple(genre.name for genre in self.genres)

    @property
    def predicted_genres(self) -> tuple[str, ...]:
        """Names of the genres that the model predicts."""
        return tuple(genre.name for genre in self.genres if genre.predicted)

    @property
    def ranked(self) -> tuple[Genre, ...]:
        """All genres, the most probable first."""
        return tuple(sorted(self.genres, key=lambda genre: -genre.probability))

    @property
    def warnings(self) -> dict[InputWarning, str]:
        """Sentences that say why the prediction is less reliable than others; usually none."""
        sentences = {}
        if self.unfamiliar_language:
            sentences[InputWarning.UNFAMILIAR_LANGUAGE] = (
                "The model has learned from few plots in the language of this one, so its genres "
                "are less reliable."
            )
        if self.known_words < MIN_KNOWN_WORDS:
            sentences[InputWarning.UNKNOWN_WORDS] = (
                f"The model knows only {self.known_words:.0%} of the words of this plot, so its "
                "genres are less reliable."
            )
        if self.title_alone:
            sentences[InputWarning.TITLE_ALONE] = (
                "Only the title of this movie is known, so its genres are less reliable. Add the "
                "plot if you have it."
            )
        return sentences

    def as_json(self) -> dict[str, Any]:
        """Return the prediction as JSON.

        It has `predicted`, a list of names, `warnings`, a list of `InputWarning`s, and
        `probabilities`, a number for each name.
        """
        return {
            "predicted": list(self.predicted_genres),
            "warnings": list(self.warnings),
            "probabilities": {genre.name: round(genre.probability, 6) for genre in self.genres},
        }
