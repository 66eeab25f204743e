"""Which words and fields decided, by leaving each out and asking the model again."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from report.facts import Effect
from report.measures import Floats
from schema import features as raw

Film = Mapping[str, str | float]
"""A film by the names of `schema.features.MODEL_INPUTS`; empty text and 0 are not known."""

Ask = Callable[[Sequence[Film]], Floats]
"""From films to probabilities, float [films, genres]."""

MOST_WORDS: Final = 80
"""Different words of a plot that are left out, from its beginning."""

_WORD: Final = re.compile(r"\w+(?:['’]\w+)*")


def effects(ask: Ask, film: Film, genre: int) -> list[Effect]:
    """What each field, and each word of title and plot, does to a genre; the strongest first.

    Args:
        ask: the model.
        film: what it is asked about.
        genre: column of the genre.
    """
    without = list(_without_parts(film))
    odds = _log_odds(ask([film, *(rest for _, _, rest in without)])[:, genre])
    found = [
        Effect(field, text, float(odds[0] - other))
        for (field, text, _), other in zip(without, odds[1:], strict=True)
    ]
    return sorted(found, key=lambda effect: -abs(effect.difference))


def _without_parts(film: Film) -> Iterator[tuple[str, str, Film]]:
    """Field, word (or nothing for a whole field) and the film without it."""
    for name in raw.MODEL_INPUTS:
        if known(film[name]):
            yield name, "", {**film, name: 0.0 if name in raw.NUMBERS else ""}
    for name in raw.TEXTS:
        text = str(film[name])
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
        for word in words[:MOST_WORDS] if len(words) > 1 else []:
            yield name, word, {**film, name: without_word(text, word)}


def known(value: str | float) -> bool:
    """Whether a field holds something."""
    return bool(value) if isinstance(value, str) else bool(np.isfinite(value) and value > 0)


def without_word(text: str, word: str) -> str:
    """The text without a word, wherever and in whatever case it stands."""
    return _WORD.sub(lambda found: "" if found[0].lower() == word else found[0], text)


def _log_odds(probabilities: Floats) -> Floats:
    kept = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(kept) - np.log1p(-kept)
