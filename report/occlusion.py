"""Which words and fields a prediction depends on: each is left out and the model asked again."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from report.facts import Effect
from report.metrics import Floats, log_odds
from schema import features as raw

Film = Mapping[str, str | float | None]
"""A film by the names of `schema.features.MODEL_INPUTS`. None, empty text, NaN and numbers that are
not positive are unknown."""

Ask = Callable[[Sequence[Film]], Floats]
"""The model: from films to probabilities, float [films, genres]."""

MOST_WORDS: Final = 80
"""Number of different words of a text that are left out, counted from its beginning."""

_WORD: Final = re.compile(r"\w+(?:['’]\w+)*")


def effects(ask: Ask, film: Film, genre: int) -> list[Effect]:
    """The effects of each field, and of each word of title and plot, on a genre.

    `genre` is the index of the genre in the model's answer. The strongest effects come first.
    """
    without = list(_without_parts(film))
    odds = log_odds(ask([film, *(rest for _, _, rest in without)])[:, genre])
    found = [
        Effect(field, text, float(odds[0] - other))
        for (field, text, _), other in zip(without, odds[1:], strict=True)
    ]
    return sorted(found, key=lambda effect: -abs(effect.difference))


def _without_parts(film: Film) -> Iterator[tuple[str, str, Film]]:
    """Field, word (empty for the whole field) and the film without it."""
    for name in raw.MODEL_INPUTS:
        if known(film[name]):
            yield name, "", {**film, name: None}
    for name in raw.TEXTS:
        text = str(film[name] or "")
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
        for word in words[:MOST_WORDS] if len(words) > 1 else []:
            yield name, word, {**film, name: without_word(text, word)}


def known(value: str | float | None) -> bool:
    """Whether a field holds something."""
    return value > 0 and bool(np.isfinite(value)) if isinstance(value, float) else bool(value)


def without_word(text: str, word: str) -> str:
    """The text without any occurrence of a word, in upper or lower case."""
    return _WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text)
