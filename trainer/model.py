"""The hybrid model: a wide part over n-grams and people beside a deep part over everything.

Wide and deep side by side is due to Cheng et al. 2016 (arXiv:1606.07792); convolutions of several
widths over word vectors to Kim 2014 (arXiv:1408.5882); attention pooling to Yang et al. 2016
(NAACL, hierarchical attention).
"""

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from trainer.hparams import HParams
from transform import features as xf

KERNEL_WIDTHS: Final[tuple[int, ...]] = (1, 2, 3, 5)
POOLING_BEFORE_RNN: Final = 2
"""Neighbouring positions that are merged before the recurrent layer, which halves its steps."""


def build(
    hparams: HParams,
    vocabulary_sizes: Mapping[str, int],
    word_vectors: np.ndarray,
    genre_rates: np.ndarray,
) -> keras.Model:
    """Build the model, not compiled.

    Args:
        hparams: see `HParams`.
        vocabulary_sizes: ids of each id feature, out-of-vocabulary buckets included.
        word_vectors: float32 [ids of `plot_words`, dimensions]: where the word vectors start from.
        genre_rates: float [22], share of training films with each genre; sets the first bias.

    Returns:
        A model from the inputs of `trainer.data.model_inputs` to logits, float32 [N, 22].

    Raises:
        ValueError: the word vectors are not of the vocabulary's size.
    """
    if len(word_vectors) != vocabulary_sizes[xf.PLOT_WORDS]:
        raise ValueError(
            f"Expected one word vector for each of {vocabulary_sizes[xf.PLOT_WORDS]} ids. "
            f"Received: {len(word_vectors)}"
        )
    keras.utils.set_random_seed(hparams.seed)
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in xf.ID_FEATURES}
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = keras.Input((len(raw.NUMBERS),), dtype="float32", name=name)
    known = FieldDropout(hparams.field_dropout, hparams.seed, name="field_dropout")(inputs)

    def hidden(name: str, rate: float) -> keras.KerasTensor:
        return IdDropout(rate, hparams.seed, name=f"{name}_dropout")(known[name])

    def bag(name: str, ids: keras.KerasTensor, dim: int, part: str) -> keras.KerasTensor:
        start = (
            "zeros" if part == "wide" else keras.initializers.RandomNormal(0, 0.05, hparams.seed)
        )
        size = vocabulary_sizes[name] + 1
        return Bag(size, dim, start, name=f"{part}_{name}")(ids)

    ids = {
        name: hidden(name, hparams.id_dropout)
        for name in (xf.PLOT_NGRAMS, xf.TITLE_WORDS, *xf.PEOPLE_IDS.values())
    }
    wide = [bag(name, ids[name], NUM_GENRES, "wide") for name in ids]
    plot = _plot_vector(hidden(xf.PLOT_WORDS, hparams.word_dropout), hparams, word_vectors)
    deep = [
        plot,
        bag(xf.TITLE_WORDS, ids[xf.TITLE_WORDS], hparams.title_dim, "deep"),
        *(bag(name, ids[name], hparams.people_dim, "deep") for name in xf.PEOPLE_IDS.values()),
        known[xf.NUMBERS],
        known[xf.NUMBERS_MISSING],
    ]
    joined = keras.layers.Dropout(hparams.dropout, seed=hparams.seed)(
        keras.layers.Concatenate()(deep)
    )
    hidden_layer = keras.layers.Dense(hparams.hidden_units, activation="gelu", name="hidden")(
        joined
    )
    dropped = keras.layers.Dropout(hparams.dropout, seed=hparams.seed + 1)(hidden_layer)
    rates = np.clip(genre_rates, 1e-3, 1 - 1e-3)
    deep_logits = keras.layers.Dense(
        NUM_GENRES,
        bias_initializer=keras.initializers.Constant(np.log(rates / (1 - rates))),
        name="deep_logits",
    )(dropped)
    logits = keras.layers.Add(name="logits")([deep_logits, *wide])
    return keras.Model(inputs, logits, name=f"hybrid_{hparams.text_encoder}")


def compile_model(model: keras.Model, hparams: HParams, steps: int) -> None:
    """Set loss and optimizer.

    Args:
        model: as `build` gives it.
        hparams: see `HParams`.
        steps: of the whole training, for the learning rate's way down.
    """
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(steps, 1),
        alpha=0.02,
        warmup_target=hparams.learning_rate,
        warmup_steps=max(steps // 20, 1),
    )
    optimizer = {
        "adam": lambda: keras.optimizers.Adam(rate, clipnorm=5.0),
        "adamw": lambda: keras.optimizers.AdamW(
            rate, weight_decay=hparams.weight_decay, clipnorm=5.0
        ),
        "nadam": lambda: keras.optimizers.Nadam(rate, clipnorm=5.0),
    }[hparams.optimizer]()
    loss = keras.losses.BinaryCrossentropy(
        from_logits=True, label_smoothing=hparams.label_smoothing, name="cross_entropy"
    )
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)


def _plot_vector(
    ids: keras.KerasTensor, hparams: HParams, word_vectors: np.ndarray
) -> keras.KerasTensor:
    """The plot as one vector, [N, units], by the encoder that the settings name."""
    padded = np.concatenate([np.zeros((1, word_vectors.shape[1]), np.float32), word_vectors])
    words = keras.layers.Embedding(
        *padded.shape, embeddings_initializer=_Fixed(padded), name="word_vectors"
    )(ids)
    mask = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    words = words * mask
    average = ops.sum(words, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)

    sequence = words
    if hparams.text_encoder != "rnn":
        widths = [
            keras.layers.Conv1D(
                hparams.filters, width, padding="same", activation="relu", name=f"conv_{width}"
            )(sequence)
            for width in KERNEL_WIDTHS
        ]
        sequence = keras.layers.Concatenate()(widths)
    pooled = [average]
    if hparams.text_encoder == "cnn_rnn":
        pooled.append(MaskedMax(name="convolution_max")([sequence, mask]))
    if hparams.text_encoder != "cnn":
        # Averages are taken over words alone, so that a row does not depend on its batch's longest
        # plot.
        shares = keras.layers.AveragePooling1D(POOLING_BEFORE_RNN, padding="same")(mask)
        sums = keras.layers.AveragePooling1D(POOLING_BEFORE_RNN, padding="same")(sequence * mask)
        sequence = sums / ops.maximum(shares, 1e-6)
        mask = ops.cast(shares > 0, "float32")
        sequence = keras.layers.Bidirectional(
            keras.layers.GRU(hparams.rnn_units, return_sequences=True), name="recurrent"
        )(sequence, mask=ops.squeeze(mask, -1) > 0)
    pooled.append(MaskedMax(name="max")([sequence, mask]))
    pooled.append(AttentionPooling(name="attention")([sequence, mask]))
    return keras.layers.Concatenate(name="plot")(pooled)


class _Fixed(keras.initializers.Initializer):
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

    All credits together, each people field on its own (at half the rate), all numbers together, and
    the title, each at `rate`. What is hidden looks exactly as what was never known.
    """

    def __init__(self, rate: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Model inputs in, the same out, some rows with fields hidden."""
        if not training or not self.rate:
            return dict(inputs)
        rows = ops.shape(inputs[xf.NUMBERS])[0]
        outputs = dict(inputs)

        def keep(rate: float) -> Any:
            return ops.cast(keras.random.uniform((rows, 1), seed=self.seeds) >= rate, "float32")

        crew = keep(self.rate)
        for name in xf.PEOPLE_IDS.values():
            known = ops.cast(crew * keep(self.rate / 2), "int32")
            outputs[name] = inputs[name] * known
        outputs[xf.TITLE_WORDS] = inputs[xf.TITLE_WORDS] * ops.cast(keep(self.rate), "int32")
        numbers = keep(self.rate)
        outputs[xf.NUMBERS] = inputs[xf.NUMBERS] * numbers
        outputs[xf.NUMBERS_MISSING] = ops.maximum(inputs[xf.NUMBERS_MISSING], 1.0 - numbers)
        return outputs


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
    """Sum of the vectors of the ids that are there, over the square root of their number."""

    def __init__(self, size: int, dim: int, start: object, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.vectors = keras.layers.Embedding(size, dim, embeddings_initializer=start)

    def call(self, ids: Any) -> Any:
        """Ids in, int32 [N, L], 0 is padding; float32 [N, dim] out."""
        mask = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
        total = ops.sum(self.vectors(ids) * mask, axis=1)
        return total / ops.sqrt(ops.maximum(ops.sum(mask, axis=1), 1.0))


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
