"""The fields of a movie that can be unknown, and how they are hidden.

A hidden field looks exactly as if it had never been known, in training as in use.
"""

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from transform import features as xf

PLOT_LOGITS: Final = "plot_logits"
"""float32 [N, 22], what the plot's n-grams add to the log odds of each genre, by regressions that
have not seen the movie, see `trainer.features.texts`."""

TITLE_LOGITS: Final = "title_logits"
"""float32 [N, 22], the same of the title's words."""

PEOPLE_LIFTS: Final = "people_lifts"
"""float32 [N, 4 * 46] for directors, writers, cast and leads, the genres of these people's other
movies, see `trainer.features.people`."""

CREDIT_COUNTS: Final = "credit_counts"
"""float32 [N, 3], number of names in each people field, known ones or not, as log(1 + n)."""

LIFT_SIZE: Final = 2 * NUM_GENRES + 2
"""Number of columns of one people field among the lifts."""

_CAST: Final = raw.PEOPLE.index(raw.CAST)


def keep(
    inputs: Mapping[str, Any],
    *,
    people: Any = 1.0,
    names: Any = None,
    title: Any = 1.0,
    numbers: Any = 1.0,
) -> dict[str, Any]:
    """Model inputs with fields of movies hidden; a mask of 1 keeps a field, and 0 hides it.

    Args:
        inputs: model inputs by name, any of them.
        people: number or float32 [N, 1], mask of who the people are.
        names: number or float32 [N, 3], mask of how many people there are in each field; as
            `people` by default. A movie whose people made no other movie has names without people.
        title: number or float32 [N, 1], mask of the title.
        numbers: number, float32 [4] or float32 [N, 4], mask of the numbers.
    """
    kept = dict(inputs)
    masks = {
        PEOPLE_LIFTS: people,
        CREDIT_COUNTS: people if names is None else names,
        TITLE_LOGITS: title,
        xf.NUMBERS: numbers,
    }
    for name in kept.keys() & masks:
        kept[name] = inputs[name] * ops.cast(masks[name], inputs[name].dtype)
    if xf.NUMBERS_MISSING in kept:
        missing = inputs[xf.NUMBERS_MISSING]
        kept[xf.NUMBERS_MISSING] = ops.maximum(missing, 1.0 - ops.cast(numbers, missing.dtype))
    return kept


def without_role(inputs: Mapping[str, Any], roles: Any) -> dict[str, Any]:
    """Hide single people fields, as in catalogues that do not list them.

    `roles` is a mask, float32 [N, 3], in the order of `schema.features.PEOPLE`.
    """
    kept = keep(inputs, names=roles)
    if PEOPLE_LIFTS in kept:
        fields = ops.concatenate([roles, roles[:, _CAST : _CAST + 1]], axis=1)
        kept[PEOPLE_LIFTS] *= ops.repeat(fields, LIFT_SIZE, axis=1)
    return kept


def anyone_known(inputs: Mapping[str, Any]) -> Any:
    """Whether a movie has people whose other movies are known; bool [N]."""
    return ops.sum(inputs[PEOPLE_LIFTS][:, LIFT_SIZE - 1 :: LIFT_SIZE], axis=1) > 0


class FieldDropout(keras.layers.Layer):
    """Hides whole fields of a movie during training, as they are unknown in real use.

    All credits together, all numbers together, and the title are hidden at `rate` each. Half of the
    movies without credits keep the number of names, as movies do whose people made no other movie.
    At a third of `rate`, single people fields are hidden as well, and rating and votes without year
    and running time.
    """

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Take model inputs, return them; in training with fields of some rows hidden."""
        if not training or not self.rate:
            return dict(inputs)
        rows = ops.shape(next(iter(inputs.values())))[0]

        def draw(rate: float, columns: int = 1) -> Any:
            drawn = keras.random.uniform((rows, columns), seed=self.seeds)
            return ops.cast(drawn >= rate, "float32")

        single = self.rate * (1 / 3)
        people, rated = draw(self.rate), draw(single)
        judged = np.isin(raw.NUMBERS, (raw.RATING, raw.VOTES)).astype(np.float32)
        known = without_role(inputs, draw(single, len(raw.PEOPLE)))
        return keep(
            known,
            people=people,
            names=ops.maximum(people, draw(0.5)),
            title=draw(self.rate),
            numbers=draw(self.rate) * (1.0 - judged * (1.0 - rated)),
        )
