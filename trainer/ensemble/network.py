"""The deep member: one hidden layer over features, numbers, the words' and the sentence's vectors.

It is stacked with the boosted trees, see `trainer.ensemble.thresholds`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from trainer.ensemble import trees
from trainer.ensemble.words import plot_vector
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

SENTENCE: Final = "sentence"
"""Input with the sentence encoder's vectors of title and plot, of a lower layer and the last one;
float32 [N, 2 * dimensions]."""

MEMBERS: Final = ("deep", "trees")

Scaling = Mapping[str, tuple[np.ndarray, np.ndarray]]


def scaling(features: Mapping[str, np.ndarray]) -> Scaling:
    """Mean and variance, float32 [dimensions] each, by which the network scales features.

    `features` of the training split are float [rows, dimensions] by name. Those that can be unknown
    are not centred, so that what is unknown stays zero.
    """
    found = {}
    for name, values in features.items():
        exact = np.asarray(values, np.float64)
        mean = exact.mean(0) if name == SENTENCE else 0 * exact[0]
        variance = np.maximum(((exact - mean) ** 2).mean(0), 1e-10)
        found[name] = (mean.astype(np.float32), variance.astype(np.float32))
    return found


def build(
    hparams: HParams, word_vectors: np.ndarray, log_odds: np.ndarray, scales: Scaling
) -> keras.Model:
    """Build the deep member, not compiled, from model inputs and features to logits [N, 22].

    Args:
        hparams: hyperparameters of the training.
        word_vectors: float32 [ids of `plot_words`, dimensions], initial word vectors.
        log_odds: float32 [22], log odds of each genre among the training movies; the initial
            biases.
        scales: mean and variance of each feature that the network reads. Those of `SENTENCE` are
            ignored without a sentence encoder.
    """
    keras.utils.set_random_seed(hparams.seed)
    scales = {
        name: scale for name, scale in scales.items() if name != SENTENCE or hparams.reads_sentences
    }
    inputs = {
        name: keras.Input((len(raw.NUMBERS),), dtype="float32", name=name)
        for name in (xf.NUMBERS, xf.NUMBERS_MISSING)
    }
    for name, (mean, _) in scales.items():
        inputs[name] = keras.Input(mean.shape, dtype="float32", name=name)
    known = fields.FieldDropout(hparams.field_dropout, hparams.seed, name="field_dropout")(inputs)
    read = []
    for name, (mean, variance) in scales.items():
        scaled = keras.layers.Normalization(mean=mean, variance=variance, name=f"{name}_scaled")
        # Features are cut at five standard deviations.
        read.append(ops.clip(scaled(known[name]), -5.0, 5.0))
    read += [known[name] for name in (xf.NUMBERS, xf.NUMBERS_MISSING)]
    if hparams.reads_words:
        inputs[xf.PLOT_WORDS] = keras.Input((None,), dtype="int32", name=xf.PLOT_WORDS)
        read.append(plot_vector(inputs[xf.PLOT_WORDS], hparams, word_vectors))
    x = keras.layers.Concatenate(name="joined")(read)
    x = keras.layers.Dropout(hparams.input_dropout, seed=hparams.seed)(x)
    x = keras.layers.Dense(hparams.hidden_units, activation="gelu", name="hidden")(x)
    x = keras.layers.Dropout(hparams.dropout, seed=hparams.seed + 1)(x)
    bias = keras.initializers.Constant(log_odds)
    logits = keras.layers.Dense(NUM_GENRES, bias_initializer=bias, name="logits")(x)
    return keras.Model(inputs, logits, name="deep")


def compile_model(network: keras.Model, hparams: HParams, steps: int) -> None:
    """Set loss and optimizer; `steps` of the whole training are those of the learning rate."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(steps, 1),
        alpha=0.02,
        warmup_target=hparams.learning_rate,
        warmup_steps=max(steps // 15, 1),
    )
    optimizer = {
        "adam": keras.optimizers.Adam,
        "adamw": partial(keras.optimizers.AdamW, weight_decay=hparams.weight_decay),
        "nadam": keras.optimizers.Nadam,
    }[hparams.optimizer](rate, clipnorm=5.0)
    network.compile(
        optimizer=optimizer,
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )


def members(network: keras.Model, grown: trees.Trees) -> keras.Model:
    """Both members as one model.

    It goes from the inputs of `network` and of the trees to the logits of each of `MEMBERS`,
    float32 [N, 2, 22]; `trainer.ensemble.thresholds` weighs them.
    """
    inputs = {item.name: item for item in network.inputs}
    for name, size in trees.INPUTS.items():
        inputs.setdefault(name, keras.Input((size,), dtype="float32", name=name))
    columns = keras.layers.Concatenate(name="columns")([inputs[name] for name in trees.INPUTS])
    logits = [network.output, trees.Forest(grown, name="trees")(columns)]
    return keras.Model(inputs, ops.stack(logits, axis=1), name="members")
