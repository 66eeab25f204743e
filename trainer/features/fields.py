"""The fields of a movie that can be unknown, and their masking.

A masked field has the same values as a field that was never known, in training and in serving.
"""

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from transform import features as xf

PLOT_LOGITS: Final = "plot_logits"
"""Contribution of the plot's n-grams to the log odds of each genre; float32 [N, genres].

Computed by regressions that were not fitted on the movie, see `trainer.features.texts`.
"""

TITLE_LOGITS: Final = "title_logits"
"""Contribution of the title's words to the log odds of each genre; float32 [N, genres]."""

PEOPLE_TARGET_ENCODING: Final = "people_target_encoding"
"""Genres of the other movies of a movie's people; float32 [N, 4 * (2 * genres + 2)].

The columns are those of directors, writers, cast and lead actors, see `trainer.features.people`.
"""

CREDIT_COUNTS: Final = "credit_counts"
"""Number n of names in each people field, as log(1 + n); float32 [N, 3]."""

SENTENCE_VECTORS: Final = "sentence_vectors"
"""The sentence encoder's vectors of title and plot, those of a lower layer first; float32
[N, 2 * dimensions]."""

TITLE_VECTORS: Final = "title_vectors"
"""The sentence encoder's vectors of the title alone; float32 [N, 2 * dimensions].

No member reads them: they replace `SENTENCE_VECTORS` where plots are masked.
"""

NUM_ENCODED_FIELDS: Final = len(raw.PEOPLE) + 1
"""Number of people fields in `PEOPLE_TARGET_ENCODING`: the lead actors are a field of their own."""

_CAST: Final = raw.PEOPLE.index(raw.CAST)


def target_encoding_size(num_genres: int) -> int:
    """Return the number of columns of one people field in `PEOPLE_TARGET_ENCODING`."""
    return 2 * num_genres + 2


def mask_fields(
    inputs: Mapping[str, Any],
    *,
    people: Any = 1.0,
    credit_counts: Any = None,
    title: Any = 1.0,
    numbers: Any = 1.0,
) -> dict[str, Any]:
    """Return model inputs with fields masked. A mask is 1 for a known field, 0 for an unknown one.

    Args:
        inputs: Model inputs by name; inputs that are not given are not needed.
        people: Number or float32 [N, 1]. Mask of `PEOPLE_TARGET_ENCODING`.
        credit_counts: Number or float32 [N, 3]. Mask of `CREDIT_COUNTS`; the value of `people` by
            default. People without another movie have a credit count but no target encoding.
        title: Number or float32 [N, 1]. Mask of `TITLE_LOGITS`.
        numbers: Number, float32 [4] or float32 [N, 4]. Mask of the numbers.
    """
    masked = dict(inputs)
    masks = {
        PEOPLE_TARGET_ENCODING: people,
        CREDIT_COUNTS: people if credit_counts is None else credit_counts,
        TITLE_LOGITS: title,
        xf.NUMBERS: numbers,
    }
    for name in masked.keys() & masks:
        masked[name] = inputs[name] * ops.cast(masks[name], inputs[name].dtype)
    if xf.NUMBERS_MISSING in masked:
        missing = inputs[xf.NUMBERS_MISSING]
        masked[xf.NUMBERS_MISSING] = ops.maximum(missing, 1.0 - ops.cast(numbers, missing.dtype))
    return masked


def mask_plots(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return model inputs with all plots masked.

    Args:
        inputs: Model inputs by name. `TITLE_VECTORS` is needed if there are sentence vectors.
    """
    masked = dict(inputs)
    for name in masked.keys() & {PLOT_LOGITS, xf.PLOT_WORDS}:
        masked[name] = ops.zeros_like(masked[name])
    if SENTENCE_VECTORS in masked:
        masked[SENTENCE_VECTORS] = masked[TITLE_VECTORS]
    return masked


def mask_people_fields(inputs: Mapping[str, Any], mask: Any) -> dict[str, Any]:
    """Return model inputs with single people fields masked, as in catalogues that lack a field.

    Args:
        inputs: Model inputs by name.
        mask: float32 [N, 3]. 1 for a known field, 0 for an unknown one, in the order of
            `schema.features.PEOPLE`.
    """
    masked = mask_fields(inputs, credit_counts=mask)
    if PEOPLE_TARGET_ENCODING in masked:
        # The lead actors, in the last columns, are masked with the cast.
        fields = ops.concatenate([mask, mask[:, _CAST : _CAST + 1]], axis=1)
        size = masked[PEOPLE_TARGET_ENCODING].shape[1] // NUM_ENCODED_FIELDS
        masked[PEOPLE_TARGET_ENCODING] *= ops.repeat(fields, size, axis=1)
    return masked


def has_known_people(inputs: Mapping[str, Any]) -> Any:
    """Return whether each movie has people with other movies; bool [N]."""
    encoding = inputs[PEOPLE_TARGET_ENCODING]
    size = encoding.shape[1] // NUM_ENCODED_FIELDS
    return ops.sum(encoding[:, size - 1 :: size], axis=1) > 0


class FieldDropout(keras.layers.Layer):
    """Dropout of whole fields of random movies, because real catalogues lack some fields.

    It is only active in training. All credits, all numbers and the title are masked at `rate` each,
    independently of each other. Half of the movies with masked credits keep their credit counts,
    like movies whose people have no other movie. At a third of `rate`, each single people field is
    masked, and rating and votes together.

    Args:
        rate: Float between 0 and 1. Rate at which fields are masked.
        seed: Integer. Seed of the random numbers.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return the model inputs, with fields of some rows masked in training."""
        if not training or not self.rate:
            return dict(inputs)
        rows = ops.shape(next(iter(inputs.values())))[0]

        def random_mask(rate: float, columns: int = 1) -> Any:
            uniform = keras.random.uniform((rows, columns), seed=self.seed_generator)
            return ops.cast(uniform >= rate, "float32")

        single_rate = self.rate * (1 / 3)
        people, ratings = random_mask(self.rate), random_mask(single_rate)
        is_rating = np.isin(raw.NUMBERS, (raw.RATING, raw.VOTES)).astype(np.float32)
        return mask_fields(
            mask_people_fields(inputs, random_mask(single_rate, len(raw.PEOPLE))),
            people=people,
            credit_counts=ops.maximum(people, random_mask(0.5)),
            title=random_mask(self.rate),
            numbers=random_mask(self.rate) * (1.0 - is_rating * (1.0 - ratings)),
        )
