"""The deep network: one hidden layer over features, numbers, word vectors and sentence vectors.

`trainer.ensemble.decision_rule` stacks it with the boosted trees.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from trainer.ensemble import trees
from trainer.ensemble.word_encoder import encode_words
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

MEMBERS: Final = ("deep", "trees")
"""Names of the members, in the order of their logits."""

Moments = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Mean and variance by feature, float32 [dimensions] each."""


def feature_moments(features: Mapping[str, np.ndarray]) -> Moments:
    """Return the mean and variance by which the network normalizes each feature.

    The mean of a feature that can be unknown is set to 0, so that its value for unknown, 0, stays
    0.

    Args:
        features: Arrays [rows, dimensions] by name, from the training split.
    """
    moments = {}
    for name, values in features.items():
        values64 = np.asarray(values, np.float64)
        mean = values64.mean(0) if name == fields.SENTENCE_VECTORS else 0 * values64[0]
        variance = np.maximum(((values64 - mean) ** 2).mean(0), 1e-10)
        moments[name] = (mean.astype(np.float32), variance.astype(np.float32))
    return moments


def build(
    hparams: HParams, word_vectors: np.ndarray, log_odds: np.ndarray, moments: Moments
) -> keras.Model:
    """Build the deep network, not compiled, from model inputs and features to logits [N, genres].

    Args:
        hparams: Hyperparameters of the training.
        word_vectors: float32 [vocabulary, dimensions]. Initial word vectors.
        log_odds: float32 [genres]. Log odds of each genre among the training movies, the initial
            biases.
        moments: Mean and variance of each feature. `fields.SENTENCE_VECTORS` is ignored without a
            sentence encoder.
    """
    keras.utils.set_random_seed(hparams.seed)
    moments = {
        name: values
        for name, values in moments.items()
        if name != fields.SENTENCE_VECTORS or hparams.has_sentence_encoder
    }
    inputs = {
        name: keras.Input((len(raw.NUMBERS),), dtype="float32", name=name)
        for name in (xf.NUMBERS, xf.NUMBERS_MISSING)
    }
    for name, (mean, _) in moments.items():
        inputs[name] = keras.Input(mean.shape, dtype="float32", name=name)
    masked = fields.FieldDropout(hparams.field_dropout, hparams.seed, name="field_dropout")(inputs)
    hidden_inputs = []
    for name, (mean, variance) in moments.items():
        normalization = keras.layers.Normalization(
            mean=mean, variance=variance, name=f"{name}_normalization"
        )
        # Clipping at five standard deviations limits the effect of outliers.
        hidden_inputs.append(ops.clip(normalization(masked[name]), -5.0, 5.0))
    hidden_inputs += [masked[name] for name in (xf.NUMBERS, xf.NUMBERS_MISSING)]
    if hparams.has_word_encoder:
        inputs[xf.PLOT_WORDS] = keras.Input((None,), dtype="int32", name=xf.PLOT_WORDS)
        hidden_inputs.append(encode_words(inputs[xf.PLOT_WORDS], hparams, word_vectors))
    x = keras.layers.Concatenate(name="hidden_inputs")(hidden_inputs)
    x = keras.layers.Dropout(hparams.input_dropout, seed=hparams.seed)(x)
    x = keras.layers.Dense(hparams.hidden_units, activation="gelu", name="hidden")(x)
    x = keras.layers.Dropout(hparams.dropout, seed=hparams.seed + 1)(x)
    bias = keras.initializers.Constant(log_odds)
    logits = keras.layers.Dense(len(log_odds), bias_initializer=bias, name="logits")(x)
    return keras.Model(inputs, logits, name="deep")


def compile_model(network: keras.Model, hparams: HParams, steps: int) -> None:
    """Set the loss and the optimizer.

    Args:
        network: Deep network; compiled in place.
        hparams: Hyperparameters of the training.
        steps: Integer. Number of steps of the whole training, over which the learning rate decays.
    """
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


def build_members(network: keras.Model, forest: trees.Forest) -> keras.Model:
    """Join the deep network and the trees in one model.

    Its inputs are those of both members, its output the logits of each of `MEMBERS`, float32
    [N, 2, genres].
    """
    inputs = {tensor.name: tensor for tensor in network.inputs}
    sizes = trees.input_sizes(len(forest.biases))
    for name, size in sizes.items():
        inputs.setdefault(name, keras.Input((size,), dtype="float32", name=name))
    columns = keras.layers.Concatenate(name="columns")([inputs[name] for name in sizes])
    logits = [network.output, trees.ForestLayer(forest, name="trees")(columns)]
    return keras.Model(inputs, ops.stack(logits, axis=1), name="members")
