"""The fields of a row that can be missing as a whole, and what hiding one means for each input."""

from collections.abc import Mapping
from typing import Any, Final

from keras import ops

from schema.genres import NUM_GENRES
from transform import features as xf

NGRAM_FACTORS: Final = "ngram_factors"
"""Factors of the plot's n-grams; float32 [N, `ngram_factors`]."""

SENTENCE: Final = "sentence"
"""MiniLM's vector of the plot; float32 [N, 384]."""

TITLE_FACTORS: Final = "title_factors"
"""Factors of the title's words; float32 [N, `title_factors`]."""

PEOPLE_FACTORS: Final = "people_factors"
"""Factors of who worked with whom; float32 [N, `people_factors`]."""

PEOPLE_LIFTS: Final = "people_lifts"
"""Genres of the people's other films, of `trainer.layers.PeopleLift`; float32 [N, 4 * 46]."""

LIFT_SIZE: Final = 2 * NUM_GENRES + 2
"""Columns of one people field among the lifts."""

PEOPLE: Final = (*xf.PEOPLE_IDS.values(), PEOPLE_FACTORS, PEOPLE_LIFTS)
TITLE: Final = (xf.TITLE_WORDS, TITLE_FACTORS)


def keep(
    inputs: Mapping[str, Any], *, people: Any = 1.0, title: Any = 1.0, numbers: Any = 1.0
) -> dict[str, Any]:
    """Hide the fields of rows that are not to be kept; a hidden field looks as if never known.

    Args:
        inputs: model inputs and evidence by name, any of them.
        people: 1 keeps and 0 hides; a number, or float32 [N, 1].
        title: likewise.
        numbers: likewise, or float32 [4] or [N, 4], for each number on its own.

    Returns:
        The same inputs.
    """
    kept = dict(inputs)
    for names, mask in ((PEOPLE, people), (TITLE, title), ((xf.NUMBERS,), numbers)):
        for name in kept.keys() & set(names):
            kept[name] = inputs[name] * ops.cast(mask, inputs[name].dtype)
    if xf.NUMBERS_MISSING in kept:
        missing = inputs[xf.NUMBERS_MISSING]
        kept[xf.NUMBERS_MISSING] = ops.maximum(missing, 1.0 - ops.cast(numbers, missing.dtype))
    return kept


def anyone_known(inputs: Mapping[str, Any]) -> Any:
    """Whether a row has people whose other films are known, bool [N]."""
    return ops.sum(inputs[PEOPLE_LIFTS][:, LIFT_SIZE - 1 :: LIFT_SIZE], axis=1) > 0
