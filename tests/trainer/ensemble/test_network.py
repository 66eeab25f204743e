"""The deep network with every combination of encoders, and the model of both members."""

import itertools

import keras
import numpy as np
import pytest

from trainer.data import input_names
from trainer.ensemble import network as deep_network
from trainer.ensemble.trees import NUM_SPLITS, Forest, ForestLayer, input_sizes
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

NUM_GENRES = 5
SIZE = fields.target_encoding_size(NUM_GENRES)

SMALL = HParams(filters=4, rnn_units=3, hidden_units=8)
IDS = 30
RNG = np.random.default_rng(7)
VECTORS = RNG.normal(size=(IDS, 6)).astype(np.float32)
LOG_ODDS = np.linspace(-2, 2, NUM_GENRES).astype(np.float32)
FEATURE_SIZES = {
    fields.SENTENCE_VECTORS: 5,
    fields.PEOPLE_TARGET_ENCODING: 4 * SIZE,
    fields.CREDIT_COUNTS: 3,
    fields.PLOT_LOGITS: NUM_GENRES,
    fields.TITLE_LOGITS: NUM_GENRES,
}
COLUMNS = sum(input_sizes(NUM_GENRES).values())
FOREST = Forest(
    RNG.integers(0, COLUMNS, (NUM_GENRES, 2, NUM_SPLITS)).astype(np.int32),
    RNG.normal(size=(NUM_GENRES, 2, NUM_SPLITS)).astype(np.float32),
    RNG.normal(size=(NUM_GENRES, 2, NUM_SPLITS + 1)).astype(np.float32),
    np.full(NUM_GENRES, -1, np.float32),
)
MOMENTS = {
    name: (np.zeros(size, np.float32), np.ones(size, np.float32))
    for name, size in FEATURE_SIZES.items()
}
ENCODERS = list(itertools.product(("none", "cnn", "rnn", "cnn_rnn"), ("none", "minilm")))
Inputs = dict[str, np.ndarray]


def build(hparams: HParams = SMALL) -> keras.Model:
    return deep_network.build(hparams, VECTORS, LOG_ODDS, MOMENTS)


def rows(count: int, words: int, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    inputs = {xf.PLOT_WORDS: rng.integers(1, IDS + 1, (count, words)).astype(np.int32)}
    for name, size in {**FEATURE_SIZES, xf.NUMBERS: 4}.items():
        inputs[name] = rng.normal(size=(count, size)).astype(np.float32)
    inputs[xf.NUMBERS_MISSING] = rng.integers(0, 2, (count, 4)).astype(np.float32)
    return inputs


def select(model: keras.Model, inputs: Inputs) -> Inputs:
    return {name: inputs[name] for name in input_names(model)}


@pytest.mark.parametrize(("words", "sentences"), ENCODERS)
def test_inputs_depend_on_the_encoders(words: str, sentences: str) -> None:
    network = build(SMALL.updated({"word_encoder": words, "sentence_encoder": sentences}))
    names = set(input_names(network))
    assert (xf.PLOT_WORDS in names) == (words != "none")
    assert (fields.SENTENCE_VECTORS in names) == (sentences != "none")
    assert names >= set(input_sizes(NUM_GENRES))


@pytest.mark.parametrize("words", ["cnn", "rnn", "cnn_rnn"])
def test_padding_changes_nothing(words: str) -> None:
    network = build(SMALL.updated({"word_encoder": words}))
    inputs = select(network, rows(3, words=7))
    expected = network(inputs, training=False)
    for padding in (1, 2, 5):
        padded = np.pad(inputs[xf.PLOT_WORDS], [(0, 0), (0, padding)])
        np.testing.assert_allclose(
            network(inputs | {xf.PLOT_WORDS: padded}, training=False), expected, atol=1e-5
        )


@pytest.mark.parametrize(("words", "sentences"), ENCODERS)
def test_a_row_without_known_fields_has_finite_logits(words: str, sentences: str) -> None:
    network = build(SMALL.updated({"word_encoder": words, "sentence_encoder": sentences}))
    members = deep_network.build_members(network, FOREST)
    unknown = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    logits = np.asarray(members(select(members, unknown), training=False))
    assert logits.shape == (2, len(deep_network.MEMBERS), NUM_GENRES)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("words", "optimizer"), [("cnn", "adamw"), ("rnn", "adam"), ("cnn_rnn", "nadam")]
)
def test_every_word_encoder_learns(words: str, optimizer: str) -> None:
    hparams = SMALL.updated(
        {
            "word_encoder": words,
            "optimizer": optimizer,
            "learning_rate": 0.05,
            **{f"{name}dropout": 0.0 for name in ("", "input_", "word_", "field_")},
        }
    )
    network = build(hparams)
    deep_network.compile_model(network, hparams, steps=40)
    inputs = {name: 0 * value for name, value in rows(32, words=6).items()}
    inputs[xf.PLOT_WORDS] = rows(32, words=6)[xf.PLOT_WORDS]
    labels = np.zeros((32, NUM_GENRES), np.float32)
    labels[:, 0] = inputs[xf.PLOT_WORDS][:, 0] % 2
    losses = [network.train_on_batch(select(network, inputs), labels) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_the_initial_biases_are_the_log_odds() -> None:
    hparams = SMALL.updated({"word_encoder": "none", "sentence_encoder": "none"})
    network = build(hparams)
    unknown = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    np.testing.assert_allclose(
        network(select(network, unknown), training=False), np.tile(LOG_ODDS, (2, 1)), atol=1e-6
    )


def test_the_members_are_the_deep_network_and_the_trees() -> None:
    network = build()
    members = deep_network.build_members(network, FOREST)
    inputs = rows(50, words=4)
    logits = np.asarray(members(select(members, inputs), training=False))
    np.testing.assert_allclose(
        logits[:, 0], network(select(network, inputs), training=False), atol=1e-5
    )
    columns = np.concatenate([inputs[name] for name in input_sizes(NUM_GENRES)], axis=1)
    np.testing.assert_allclose(logits[:, 1], ForestLayer(FOREST)(columns), atol=1e-5)
    assert len(members.trainable_weights) == len(network.trainable_weights)


def test_the_same_seed_gives_the_same_network() -> None:
    inputs = rows(2, words=5)
    first, second = (build() for _ in range(2))
    np.testing.assert_array_equal(
        first(select(first, inputs), training=False), second(select(second, inputs), training=False)
    )


def test_features_that_can_be_unknown_are_not_centred() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(loc=3.0, scale=2.0, size=(5000, 2))
    moments = deep_network.feature_moments(
        {fields.SENTENCE_VECTORS: values, fields.PEOPLE_TARGET_ENCODING: values}
    )
    np.testing.assert_allclose(moments[fields.SENTENCE_VECTORS][0], [3, 3], atol=0.2)
    np.testing.assert_allclose(moments[fields.SENTENCE_VECTORS][1], [4, 4], atol=0.3)
    np.testing.assert_array_equal(moments[fields.PEOPLE_TARGET_ENCODING][0], [0, 0])
    np.testing.assert_allclose(moments[fields.PEOPLE_TARGET_ENCODING][1], [13, 13], atol=0.7)
