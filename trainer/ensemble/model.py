"""The hybrid model: wide linear parts over n-grams beside deep towers over everything.

Wide and deep side by side is due to Cheng et al. 2016 (arXiv:1606.07792); convolutions of several
widths over word vectors to Kim 2014 (arXiv:1408.5882); attention pooling to Yang et al. 2016
(NAACL, hierarchical attention). The parts are members of an ensemble in one graph: each has a loss
of its own, and their logits are weighed afterwards. The linear one and the trees are fitted before
the others.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from schema import features as raw
from schema.genres import NUM_GENRES
from trainer.encoder.optimizers import FusedAdam
from trainer.ensemble import trees
from trainer.ensemble.layers import (
    AttentionPooling,
    Bag,
    FieldDropout,
    Fixed,
    IdDropout,
    MaskedMax,
    WindowMean,
    number_classes,
)
from trainer.features import fields
from trainer.features.factors import TERMS, Factors
from trainer.hparams import HParams
from transform import features as xf

KERNEL_WIDTHS: Final[tuple[int, ...]] = (1, 2, 3, 5)
POOLING_BEFORE_RNN: Final = 4
"""Neighbouring positions that are merged before the recurrent layer, which saves it steps."""

WIDE_SCALE: Final = 15.0
"""Of the wide part's terms. The optimizer moves every weight by about the learning rate, and this
is how much faster than the deep part the wide one has to learn.
"""

EVIDENCE_LIMIT: Final = 5.0
"""Evidence is cut at so many deviations."""

WIDE: Final = "wide"
DEEP: Final = "deep"
LINEAR: Final = "linear"
TREES: Final = "trees"
"""Members that can be left out of the model."""

Scaling = Mapping[str, tuple[np.ndarray, np.ndarray]]


def scaling(evidence: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of evidence, by which the model scales it.

    Args:
        evidence: of the training split, float [rows, dimensions] by the names of `fields`.

    Returns:
        Mean and variance, float32 [dimensions] each. Fields that can be missing are not centred, so
        that what is not known stays zero.
    """
    found = {}
    for name, values in evidence.items():
        exact = np.asarray(values, np.float64)
        mean = exact.mean(0) if name in (fields.NGRAM_FACTORS, fields.SENTENCE) else 0 * exact[0]
        variance = np.maximum(((exact - mean) ** 2).mean(0), 1e-10)
        found[name] = (mean.astype(np.float32), variance.astype(np.float32))
    return found


def build(
    hparams: HParams,
    word_vectors: np.ndarray,
    factors: Factors,
    grown: trees.Trees,
    scales: Scaling,
    leave_out: Collection[str] = (),
) -> keras.Model:
    """Build the model, not compiled.

    Args:
        hparams: see `HParams`.
        word_vectors: float32 [ids of `plot_words`, dimensions]: where the word vectors start from.
        factors: see `trainer.features.factors`.
        grown: see `trainer.ensemble.trees`.
        scales: see `scaling`; its names are the evidence that the model reads.
        leave_out: parts that are not built: `WIDE`, `DEEP`, `LINEAR`, `TREES`, or inputs that no
            part reads.

    Returns:
        A model from the inputs of `trainer.data.model_inputs` and evidence to the logits of each
        member, float32 [N, members, 22]; `trainer.ensemble.thresholds` weighs them.
    """
    keras.utils.set_random_seed(hparams.seed)
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name) for name in (xf.PLOT_WORDS, *TERMS)
    }
    for name in (xf.NUMBERS, xf.NUMBERS_MISSING):
        inputs[name] = keras.Input((len(raw.NUMBERS),), dtype="float32", name=name)
    for name, (mean, _) in scales.items():
        inputs[name] = keras.Input(mean.shape, dtype="float32", name=name)
    known = FieldDropout(hparams.field_dropout, hparams.seed, name="field_dropout")(inputs)
    dense = [_scaled(name, known[name], *scales[name]) for name in scales if name not in leave_out]
    dense += [known[name] for name in (xf.NUMBERS, xf.NUMBERS_MISSING) if name not in leave_out]
    classes = number_classes(known[xf.NUMBERS], known[xf.NUMBERS_MISSING])
    if fields.NUMBER_CLASSES not in leave_out:
        dense.append(classes)

    members = []
    if DEEP not in leave_out:
        read = list(dense)
        if hparams.reads_words:
            hidden = IdDropout(hparams.word_dropout, hparams.seed, name="word_dropout")
            read.append(_plot_vector(hidden(known[xf.PLOT_WORDS]), hparams, word_vectors))
        joined = keras.layers.Concatenate(name="evidence")(read)
        members += [
            _tower(number, joined, hparams, factors.genre_rates) for number in range(hparams.towers)
        ]
    if WIDE not in leave_out:
        members.append(_wide(known, dense, hparams, factors, leave_out))
    if LINEAR not in leave_out:
        members.append(_linear(known, classes, factors, leave_out))
    if TREES not in leave_out:
        members.append(_forest(known, grown, leave_out))
    return keras.Model(inputs, ops.stack(members, axis=1), name=f"hybrid_{hparams.text_encoder}")


def input_names(network: keras.Model) -> list[str]:
    """Names of what a network reads; it takes just these."""
    return [item.name for item in network.inputs]


def inference(network: keras.Model) -> Callable[[dict[str, tf.Tensor]], Any]:
    """The network as a function of its inputs by name, traced once for all sizes of a batch."""
    spec = {
        item.name: tf.TensorSpec(item.shape, item.dtype, name=item.name) for item in network.inputs
    }
    return tf.function(lambda inputs: network(inputs, training=False), input_signature=[spec])


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
        warmup_steps=max(steps // 15, 1),
    )
    optimizer = {
        "adam": lambda: FusedAdam(rate, clipnorm=5.0),
        "adamw": lambda: FusedAdam(rate, weight_decay=hparams.weight_decay, clipnorm=5.0),
        "nadam": lambda: keras.optimizers.Nadam(rate, clipnorm=5.0),
    }[hparams.optimizer]()
    model.compile(
        optimizer=optimizer, loss=MemberLoss(hparams.loss, hparams.focusing), jit_compile=False
    )


class MemberLoss(keras.losses.Loss):
    """The loss of each member on its own, summed over members and averaged over genres.

    - `cross_entropy`: binary, by genre.
    - `focal`: a genre counts the less the better it is known already (Lin et al. 2017,
      arXiv:1708.02002).
    - `asymmetric`: only absent genres do, and those below `MARGIN` not at all (Ridnik et al. 2021,
      arXiv:2009.14119). It spares genres that IMDb may have left out.
    """

    MARGIN: Final = 0.02

    def __init__(self, kind: str, focusing: float) -> None:
        """Choose.

        Args:
            kind: see above.
            focusing: exponent of `focal` and `asymmetric`.
        """
        super().__init__(name=kind)
        self.kind = kind
        self.focusing = focusing

    def call(self, labels: Any, members: Any) -> Any:
        """Labels [N, 22] and logits [N, members, 22] in, losses [N] out."""
        labels = ops.cast(labels, members.dtype)[:, None, :]
        present, absent = ops.softplus(-members), ops.softplus(members)
        if self.kind == "focal":
            probability = ops.sigmoid(members)
            present = present * (1 - probability) ** self.focusing
            absent = absent * probability**self.focusing
        elif self.kind == "asymmetric":
            shifted = ops.maximum(ops.sigmoid(members) - self.MARGIN, 0.0)
            absent = -ops.log(1 - shifted + 1e-7) * shifted**self.focusing
        loss = labels * present + (1 - labels) * absent
        return ops.mean(ops.sum(loss, axis=1), axis=-1)


def _scaled(
    name: str, values: keras.KerasTensor, mean: np.ndarray, variance: np.ndarray
) -> keras.KerasTensor:
    layer = keras.layers.Normalization(mean=mean, variance=variance, name=f"{name}_scaled")
    return ops.clip(layer(values), -EVIDENCE_LIMIT, EVIDENCE_LIMIT)


def prior_logits(genre_rates: np.ndarray) -> keras.initializers.Initializer:
    """Biases, float32 [22], that give each genre its share of the films, float [22]."""
    rates = np.clip(genre_rates, 1e-3, 1 - 1e-3)
    return Fixed(np.log(rates / (1 - rates)).astype(np.float32))


def _tower(
    number: int, joined: keras.KerasTensor, hparams: HParams, genre_rates: np.ndarray
) -> keras.KerasTensor:
    """Logits of a deep member; it differs from the others by where it starts and what it drops."""
    seed = hparams.seed + 10 * number
    x = keras.layers.Dropout(hparams.input_dropout, seed=seed)(joined)
    x = keras.layers.Dense(hparams.hidden_units, activation="gelu", name=f"hidden_{number}")(x)
    x = keras.layers.Dropout(hparams.dropout, seed=seed + 1)(x)
    return keras.layers.Dense(
        NUM_GENRES, bias_initializer=prior_logits(genre_rates), name=f"deep_logits_{number}"
    )(x)


def _wide(
    known: Mapping[str, keras.KerasTensor],
    dense: list[keras.KerasTensor],
    hparams: HParams,
    factors: Factors,
    leave_out: Collection[str],
) -> keras.KerasTensor:
    """Logits of the linear member: TF-IDF weighted terms and people, and the metadata."""
    terms = []
    for name in TERMS:
        if name not in leave_out:
            hidden = IdDropout(hparams.id_dropout, hparams.seed, name=f"{name}_dropout")
            weights = factors.weights[name]
            start = np.zeros((len(weights), NUM_GENRES), np.float32)
            bag = Bag(weights, start, unit_length=True, trainable=True, name=f"wide_{name}")
            terms.append(WIDE_SCALE * bag(hidden(known[name])))
    metadata = keras.layers.Concatenate(name="wide_metadata")(dense)
    linear = keras.layers.Dense(
        NUM_GENRES,
        kernel_initializer="zeros",
        bias_initializer=prior_logits(factors.genre_rates),
        name="wide_logits",
    )
    return keras.layers.Add(name="wide")([linear(0.3 * metadata), *terms])


def _linear(
    known: Mapping[str, keras.KerasTensor],
    classes: keras.KerasTensor,
    factors: Factors,
    leave_out: Collection[str],
) -> keras.KerasTensor:
    """Logits of the regressions, which do not train here; see `trainer.features.linear`."""
    given = factors.linear
    logits = keras.layers.Dense(
        NUM_GENRES,
        kernel_initializer=Fixed(given.numbers),
        bias_initializer=Fixed(given.bias),
        trainable=False,
        name="linear_numbers",
    )(classes if fields.NUMBER_CLASSES not in leave_out else ops.zeros_like(classes))
    terms = [
        Bag(factors.weights[name], given.terms[name], unit_length=True, name=f"linear_{name}")(
            known[name]
        )
        for name in TERMS
        if name not in leave_out
    ]
    return keras.layers.Add(name="linear")([logits, *terms])


def _forest(
    known: Mapping[str, keras.KerasTensor], grown: trees.Trees, leave_out: Collection[str]
) -> keras.KerasTensor:
    """Logits of the trees; what is left out looks to them as if never known."""
    read = fields.keep(
        {name: known[name] for name in trees.INPUTS},
        people=float(fields.PEOPLE_LIFTS not in leave_out),
        names=float(fields.CREDIT_COUNTS not in leave_out),
        title=float(fields.TITLE_LOGITS not in leave_out),
        numbers=float(xf.NUMBERS not in leave_out),
    )
    if fields.PLOT_LOGITS in leave_out:
        read[fields.PLOT_LOGITS] = ops.zeros_like(read[fields.PLOT_LOGITS])
    columns = keras.layers.Concatenate(name="trees_columns")([read[name] for name in trees.INPUTS])
    return trees.Forest(grown, name="trees")(columns)


def _plot_vector(
    ids: keras.KerasTensor, hparams: HParams, word_vectors: np.ndarray
) -> keras.KerasTensor:
    """The plot as one vector, [N, units], by the encoder that the settings name."""
    encoders = set(hparams.text_encoder.split("_"))
    padded = np.concatenate([np.zeros((1, word_vectors.shape[1]), np.float32), word_vectors])
    words = keras.layers.Embedding(
        *padded.shape, embeddings_initializer=Fixed(padded), name="word_vectors"
    )(ids)
    mask = ops.cast(ops.not_equal(ids, 0), "float32")[..., None]
    words = words * mask
    average = ops.sum(words, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)

    sequence = words
    if "cnn" in encoders:
        widths = [
            keras.layers.Conv1D(
                hparams.filters, width, padding="same", activation="relu", name=f"conv_{width}"
            )(sequence)
            for width in KERNEL_WIDTHS
        ]
        sequence = keras.layers.Concatenate()(widths)
    pooled = [average]
    if {"cnn", "rnn"} <= encoders:
        pooled.append(MaskedMax(name="convolution_max")([sequence, mask]))
    if "rnn" in encoders:
        sequence, mask = WindowMean(POOLING_BEFORE_RNN, name="windows")([sequence, mask])
        sequence = keras.layers.Bidirectional(
            keras.layers.GRU(hparams.rnn_units, return_sequences=True), name="recurrent"
        )(sequence, mask=ops.squeeze(mask, -1) > 0)
    pooled.append(MaskedMax(name="max")([sequence, mask]))
    pooled.append(AttentionPooling(name="attention")([sequence, mask]))
    return keras.layers.Concatenate(name="plot")(pooled)
