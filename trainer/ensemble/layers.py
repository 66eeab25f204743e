"""Layers that Keras lacks. Ids are int32 [N, L], 0 is padding."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from schema import features as raw
from trainer.features import fields

CLASS_CENTRES: Final = np.linspace(-3.0, 3.0, 25, dtype=np.float32)
"""Of the classes of a number, in deviations from its mean."""


def number_classes(numbers: Any, missing: Any) -> Any:
    """How near each number is to the centre of each class: 1 at it, 0 at its neighbours'.

    A number between two centres belongs to both, so that a small change of it is a small change of
    its classes. What they stand for need not rise or fall with the number.

    Args:
        numbers: scaled to mean 0 and variance 1, float32 [N, numbers].
        missing: 1.0 where the number is not known, of the same shape.

    Returns:
        float32 [N, numbers * classes], zeros where a number is not known.
    """
    low, high = CLASS_CENTRES[0], CLASS_CENTRES[-1]
    width = (high - low) / (len(CLASS_CENTRES) - 1)
    away = ops.abs(ops.clip(numbers, low, high)[..., None] - CLASS_CENTRES) / width
    near = ops.relu(1.0 - away) * (1.0 - missing)[..., None]
    return ops.reshape(near, (-1, numbers.shape[-1] * len(CLASS_CENTRES)))


class Fixed(keras.initializers.Initializer):
    """Start from given values."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> object:
        """The values.

        Raises:
            ValueError: they are not of the shape that is asked for.
        """
        if tuple(shape) != self.values.shape:
            raise ValueError(f"Expected values of shape {shape}. Received: {self.values.shape}")
        return ops.convert_to_tensor(self.values, dtype=dtype)


class FieldDropout(keras.layers.Layer):
    """Hides whole fields of a row during training, as they are missing in real use.

    All credits together, all numbers together, and the title, each at `rate`. What is hidden looks
    exactly as what was never known. Half of the rows without credits keep the count of names, as
    films do whose people nobody has heard of. At a share of `rate` beside that, single people
    fields are hidden, and rating and votes without year and running time.
    """

    SINGLE: Final = 1 / 3
    """That share."""

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Model inputs in, the same out, some rows with fields hidden."""
        if not training or not self.rate:
            return dict(inputs)
        rows = ops.shape(next(iter(inputs.values())))[0]

        def keep(rate: float, columns: int = 1) -> Any:
            drawn = keras.random.uniform((rows, columns), seed=self.seeds)
            return ops.cast(drawn >= rate, "float32")

        people, rated = keep(self.rate), keep(self.rate * self.SINGLE)
        judged = np.isin(raw.NUMBERS, (raw.RATING, raw.VOTES)).astype(np.float32)
        known = fields.without_role(inputs, keep(self.rate * self.SINGLE, len(raw.PEOPLE)))
        return fields.keep(
            known,
            people=people,
            names=ops.maximum(people, keep(0.5)),
            title=keep(self.rate),
            numbers=keep(self.rate) * (1.0 - judged * (1.0 - rated)),
        )


class IdDropout(keras.layers.Layer):
    """Hides single ids during training: an id becomes 0, padding."""

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        """Ids in, int32 [N, L]; the same out, some of them 0."""
        if not training or not self.rate:
            return ids
        keep = keras.random.uniform(ops.shape(ids), seed=self.seeds) >= self.rate
        return ids * ops.cast(keep, "int32")


class Bag(keras.layers.Layer):
    """Sum of the vectors of the ids that are there, each times the weight of its id.

    Ids beyond the tables count for nothing.
    """

    def __init__(
        self,
        weights: np.ndarray,
        vectors: np.ndarray,
        *,
        unit_length: bool = False,
        trainable: bool = False,
        **kwargs: object,
    ) -> None:
        """Set the tables.

        Args:
            weights: float32 [ids + 1], of padding 0; never trained.
            vectors: float32 [ids + 1, dimensions]; or several tables of them, float32 [tables,
                ids + 1, dimensions].
            unit_length: scale the weights of a row to a sum of squares of one, as TF-IDF does.
            trainable: whether the vectors are.
            **kwargs: of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.unit_length = unit_length
        self.size, self.dimensions = vectors.shape[-2:]
        flat = vectors.reshape(-1, self.dimensions)
        self.weight = keras.layers.Embedding(
            len(weights), 1, embeddings_initializer=Fixed(weights[:, None]), trainable=False
        )
        self.vectors = keras.layers.Embedding(
            *flat.shape, embeddings_initializer=Fixed(flat), trainable=trainable
        )

    def call(self, ids: Any, table: Any = None) -> Any:
        """Add up.

        Args:
            ids: int32 [N, L].
            table: which of several tables describes each row, int32 [N, 1]; None is the first.

        Returns:
            float32 [N, dimensions].
        """
        # Padding is left out before anything is looked up: a plot has some seventy n-grams, and
        # the longest of its batch several hundred.
        there = (ids > 0) & (ids < self.size)
        rows, known = tf.where(there)[:, 0], tf.boolean_mask(ids, there)
        weights = self.weight(known)
        if table is not None:
            known += self.size * tf.gather(table[:, 0], rows)
        sums = tf.math.unsorted_segment_sum(self.vectors(known) * weights, rows, tf.shape(ids)[0])
        if self.unit_length:
            squares = tf.math.unsorted_segment_sum(weights**2, rows, tf.shape(ids)[0])
            sums *= tf.math.rsqrt(tf.maximum(squares, 1e-12))
        return sums

    def compute_output_spec(self, ids: keras.KerasTensor, *_: object) -> keras.KerasTensor:
        """Shape of the output, which Keras cannot find through the ops above."""
        return keras.KerasTensor((ids.shape[0], self.dimensions), dtype="float32")


class PeopleLift(keras.layers.Layer):
    """How much likelier each genre is, given who made a film.

    A person's lift of a genre is the log of the ratio of the genre's share of their films to its
    share of all films, shrunk as if `prior` films more had been average ones. A row gets the mean
    lift of its people, the lift of their films taken together, and how many people and films these
    are, both as log(1 + n). Whoever has no film but this one is not counted, so a row without known
    people gets zeros.
    """

    def __init__(
        self, counts: np.ndarray, genre_rates: np.ndarray, prior: float, **kwargs: object
    ) -> None:
        """Set the tables.

        Args:
            counts: float32 [tables, ids + 1, 22 + 1], see `trainer.features.factors.Factors`.
            genre_rates: float32 [22].
            prior: strength of the shrinkage, in films.
            **kwargs: of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.ids = counts.shape[1]
        self.prior = prior
        self.rates = np.maximum(genre_rates, 1e-4).astype(np.float32)
        flat = counts.reshape(-1, counts.shape[2])
        self.counts = keras.layers.Embedding(
            *flat.shape, embeddings_initializer=Fixed(flat), trainable=False
        )

    def call(self, ids: Any, table: Any) -> Any:
        """Ids, and the table that describes each row, int32 [N, 1]; float32 [N, LIFT_SIZE] out."""
        found = self.counts(ids + table * self.ids)
        by_genre, films = found[..., :-1], found[..., -1:]
        known = ops.cast(films > 0, "float32")
        people, pooled = ops.sum(known, axis=1), ops.sum(films, axis=1)
        mean = ops.sum(self._lift(by_genre, films) * known, axis=1) / ops.maximum(people, 1.0)
        together = self._lift(ops.sum(by_genre, axis=1), pooled)
        return ops.concatenate([mean, together, ops.log1p(people), ops.log1p(pooled)], axis=-1)

    def _lift(self, by_genre: Any, films: Any) -> Any:
        share = (by_genre + self.prior * self.rates) / (films + self.prior)
        return ops.log(share / self.rates)


class WindowMean(keras.layers.Layer):
    """Mean over windows of positions, of those in it that are not padding.

    Windows are counted from the first position, so that a row does not depend on its batch's
    longest one.
    """

    def __init__(self, size: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """[N, L, D] and mask [N, L, 1] in, [N, W, D] and mask [N, W, 1] out, W windows."""
        sequence, mask = inputs
        rows, length = tf.shape(sequence)[0], tf.shape(sequence)[1]
        longer = [[0, 0], [0, -length % self.size], [0, 0]]

        def sums(values: Any) -> Any:
            shape = [rows, -1, self.size, values.shape[2]]
            return tf.reduce_sum(tf.reshape(tf.pad(values, longer), shape), axis=2)

        counts = sums(mask)
        return sums(sequence * mask) / tf.maximum(counts, 1.0), tf.minimum(counts, 1.0)

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        """Shapes of the outputs, which Keras cannot find through the ops above."""
        rows = inputs[0].shape[0]
        return tuple(
            keras.KerasTensor((rows, None, values.shape[2]), dtype="float32") for values in inputs
        )


class MaskedMax(keras.layers.Layer):
    """Highest value at a position that is not padding; 0 where all is padding."""

    supports_masking = True

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """[N, L, D] and mask [N, L, 1] in, [N, D] out."""
        sequence, mask = inputs
        highest = ops.max(sequence * mask - 1e4 * (1.0 - mask), axis=1)
        return highest * ops.max(mask, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Positions are gone, and so is their mask."""


class AttentionPooling(keras.layers.Layer):
    """Average over the positions that are not padding, weighted by a learned score."""

    supports_masking = True

    def build(self, input_shape: tuple[tuple[int | None, ...], ...]) -> None:
        """Make the score's weights."""
        self.score = keras.layers.Dense(1, name="score")
        self.score.build(input_shape[0])

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """[N, L, D] and mask [N, L, 1] in, [N, D] out."""
        sequence, mask = inputs
        weights = ops.softmax(self.score(sequence) - 1e4 * (1.0 - mask), axis=1) * mask
        return ops.sum(weights * sequence, axis=1)

    def compute_mask(self, inputs: object, mask: object = None) -> None:
        """Positions are gone, and so is their mask."""
