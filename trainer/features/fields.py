"""The fields of a row that can be missing as a whole, and what hiding one means for each input."""

from collections.abc import Mapping
from typing import Any, Final

from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from transform import features as xf

NGRAM_FACTORS: Final = "ngram_factors"
"""Factors of the plot's n-grams; float32 [N, `ngram_factors`]."""

SENTENCE: Final = "sentence"
"""The sentence encoder's vectors of title and plot, from a lower layer and the last; float32
[N, 2 * dimensions]."""

NUMBER_CLASSES: Final = "number_classes"
"""Classes of the numbers, see `trainer.ensemble.layers.number_classes`; float32 [N, 4 * 25]."""

TITLE_FACTORS: Final = "title_factors"
"""Factors of the title's words; float32 [N, `title_factors`]."""

PLOT_LOGITS: Final = "plot_logits"
"""What the plot's n-grams add to the log odds of each genre, by regressions that have not seen the
film, see `trainer.features.linear.out_of_fold`; float32 [N, 22].
"""

TITLE_LOGITS: Final = "title_logits"
"""Likewise the words of the title; float32 [N, 22]."""

PEOPLE_FACTORS: Final = "people_factors"
"""Factors of who worked with whom; float32 [N, `people_factors`]."""

PEOPLE_LIFTS: Final = "people_lifts"
"""Genres of the people's other films, of `PeopleLift`; float32 [N, 4 * 46]."""

CREDIT_COUNTS: Final = "credit_counts"
"""How many names each people field has, known ones or not, as log(1 + n); float32 [N, 3]."""

_CAST: Final = raw.PEOPLE.index(raw.CAST)

LIFT_SIZE: Final = 2 * NUM_GENRES + 2
"""Columns of one people field among the lifts."""

PEOPLE: Final = (*xf.PEOPLE_IDS.values(), PEOPLE_FACTORS, PEOPLE_LIFTS)
TITLE: Final = (xf.TITLE_WORDS, TITLE_FACTORS, TITLE_LOGITS)


def keep(
    inputs: Mapping[str, Any],
    *,
    people: Any = 1.0,
    names: Any = None,
    title: Any = 1.0,
    numbers: Any = 1.0,
) -> dict[str, Any]:
    """Hide the fields of rows that are not to be kept; a hidden field looks as if never known.

    Args:
        inputs: model inputs and evidence by name, any of them.
        people: 1 keeps and 0 hides who the people are; a number, or float32 [N, 1].
        names: likewise how many there are, or float32 [N, 3], for each people field on its own;
            None hides this with who they are. A film whose people made no other film has names
            without people.
        title: as `people`.
        numbers: likewise, or float32 [4] or [N, 4], for each number on its own.

    Returns:
        The same inputs.
    """
    kept = dict(inputs)
    masks = (
        (PEOPLE, people),
        ((CREDIT_COUNTS,), people if names is None else names),
        (TITLE, title),
        ((xf.NUMBERS,), numbers),
    )
    for fields, mask in masks:
        for name in kept.keys() & set(fields):
            kept[name] = inputs[name] * ops.cast(mask, inputs[name].dtype)
    if xf.NUMBERS_MISSING in kept:
        missing = inputs[xf.NUMBERS_MISSING]
        kept[xf.NUMBERS_MISSING] = ops.maximum(missing, 1.0 - ops.cast(numbers, missing.dtype))
    return kept


def without_role(inputs: Mapping[str, Any], roles: Any) -> dict[str, Any]:
    """Hide single people fields, as in catalogues that do not list them.

    The factors mix all people, so they are hidden with any of the fields.

    Args:
        inputs: as in `keep`.
        roles: float32 [N, 3], 0 hides a people field, in the order of `schema.features.PEOPLE`.

    Returns:
        The same inputs.
    """
    kept = keep(inputs, people=1.0, names=roles)
    for place, role in enumerate(raw.PEOPLE):
        name = xf.PEOPLE_IDS[role]
        if name in kept:
            kept[name] *= ops.cast(roles[:, place : place + 1], kept[name].dtype)
    if PEOPLE_LIFTS in kept:
        fields = ops.concatenate([roles, roles[:, _CAST : _CAST + 1]], axis=1)
        kept[PEOPLE_LIFTS] *= ops.repeat(fields, LIFT_SIZE, axis=1)
    if PEOPLE_FACTORS in kept:
        kept[PEOPLE_FACTORS] *= ops.min(roles, axis=1, keepdims=True)
    return kept


def anyone_known(inputs: Mapping[str, Any]) -> Any:
    """Whether a row has people whose other films are known, bool [N]."""
    return ops.sum(inputs[PEOPLE_LIFTS][:, LIFT_SIZE - 1 :: LIFT_SIZE], axis=1) > 0
