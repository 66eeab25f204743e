"""The members: every encoder, and that a row's answer is its own."""

import itertools

import keras
import numpy as np
import pytest

from schema.genres import NUM_GENRES
from trainer.data import input_names
from trainer.ensemble import network
from trainer.ensemble.trees import INNER, INPUTS, Forest, Trees
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

SMALL = HParams(filters=4, rnn_units=3, hidden_units=8)
IDS = 30
RNG = np.random.default_rng(7)
VECTORS = RNG.normal(size=(IDS, 6)).astype(np.float32)
LOG_ODDS = np.linspace(-2, 2, NUM_GENRES).astype(np.float32)
DENSE = {
    network.SENTENCE: 5,
    fields.PEOPLE_LIFTS: 4 * fields.LIFT_SIZE,
    fields.CREDIT_COUNTS: 3,
    fields.PLOT_LOGITS: NUM_GENRES,
    fields.TITLE_LOGITS: NUM_GENRES,
}
COLUMNS = sum(INPUTS.values())
TREES = Trees(
    RNG.integers(0, COLUMNS, (NUM_GENRES, 2, INNER)).astype(np.int32),
    RNG.normal(size=(NUM_GENRES, 2, INNER)).astype(np.float32),
    RNG.normal(size=(NUM_GENRES, 2, INNER + 1)).astype(np.float32),
    np.full(NUM_GENRES, -1, np.float32),
)
SCALES = {
    name: (np.zeros(size, np.float32), np.ones(size, np.float32)) for name, size in DENSE.items()
}
ENCODERS = list(itertools.product(("none", "cnn", "rnn", "cnn_rnn"), ("none", "minilm")))
Inputs = dict[str, np.ndarray]


def deep(hparams: HParams = SMALL) -> keras.Model:
    return network.build(hparams, VECTORS, LOG_ODDS, SCALES)


def rows(count: int, words: int, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    inputs = {xf.PLOT_WORDS: rng.integers(1, IDS + 1, (count, words)).astype(np.int32)}
    for name, size in {**DENSE, xf.NUMBERS: 4}.items():
        inputs[name] = rng.normal(size=(count, size)).astype(np.float32)
    inputs[xf.NUMBERS_MISSING] = rng.integers(0, 2, (count, 4)).astype(np.float32)
    return inputs


def given(model: keras.Model, inputs: Inputs) -> Inputs:
    return {name: inputs[name] for name in input_names(model)}


@pytest.mark.parametrize(("words", "sentences"), ENCODERS)
def test_inputs_are_those_that_the_encoders_read(words: str, sentences: str) -> None:
    built = deep(SMALL.changed({"word_encoder": words, "sentence_encoder": sentences}))
    names = set(input_names(built))
    assert (xf.PLOT_WORDS in names) == (words != "none")
    assert (network.SENTENCE in names) == (sentences != "none")
    assert names >= set(INPUTS)


@pytest.mark.parametrize("words", ["cnn", "rnn", "cnn_rnn"])
def test_padding_changes_nothing(words: str) -> None:
    built = deep(SMALL.changed({"word_encoder": words}))
    inputs = given(built, rows(3, words=7))
    plain = built(inputs, training=False)
    for more in (1, 2, 5):
        padded = np.pad(inputs[xf.PLOT_WORDS], [(0, 0), (0, more)])
        np.testing.assert_allclose(
            built(inputs | {xf.PLOT_WORDS: padded}, training=False), plain, atol=1e-5
        )


@pytest.mark.parametrize(("words", "sentences"), ENCODERS)
def test_a_row_of_which_nothing_is_known_has_finite_logits(words: str, sentences: str) -> None:
    built = deep(SMALL.changed({"word_encoder": words, "sentence_encoder": sentences}))
    both = network.members(built, TREES)
    empty = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    logits = np.asarray(both(given(both, empty), training=False))
    assert logits.shape == (2, len(network.MEMBERS), NUM_GENRES)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("words", "optimizer"), [("cnn", "adamw"), ("rnn", "adam"), ("cnn_rnn", "nadam")]
)
def test_every_word_encoder_learns_from_the_words(words: str, optimizer: str) -> None:
    hparams = SMALL.changed(
        {
            "word_encoder": words,
            "optimizer": optimizer,
            "learning_rate": 0.05,
            **{f"{name}dropout": 0.0 for name in ("", "input_", "word_", "field_")},
        }
    )
    built = deep(hparams)
    network.compile_model(built, hparams, steps=40)
    inputs = {name: 0 * value for name, value in rows(32, words=6).items()}
    inputs[xf.PLOT_WORDS] = rows(32, words=6)[xf.PLOT_WORDS]
    labels = np.zeros((32, NUM_GENRES), np.float32)
    labels[:, 0] = inputs[xf.PLOT_WORDS][:, 0] % 2
    losses = [built.train_on_batch(given(built, inputs), labels) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_a_network_that_knows_nothing_gives_the_log_odds() -> None:
    hparams = SMALL.changed({"word_encoder": "none", "sentence_encoder": "none"})
    built = deep(hparams)
    empty = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    np.testing.assert_allclose(
        built(given(built, empty), training=False), np.tile(LOG_ODDS, (2, 1)), atol=1e-6
    )


def test_the_members_are_the_network_and_the_trees() -> None:
    built = deep()
    both = network.members(built, TREES)
    inputs = rows(50, words=4)
    found = np.asarray(both(given(both, inputs), training=False))
    np.testing.assert_allclose(found[:, 0], built(given(built, inputs), training=False), atol=1e-5)
    columns = np.concatenate([inputs[name] for name in INPUTS], axis=1)
    np.testing.assert_allclose(found[:, 1], Forest(TREES)(columns), atol=1e-5)
    assert len(both.trainable_weights) == len(built.trainable_weights)


def test_the_same_seed_gives_the_same_network() -> None:
    inputs = rows(2, words=5)
    first, second = (deep() for _ in range(2))
    np.testing.assert_array_equal(
        first(given(first, inputs), training=False), second(given(second, inputs), training=False)
    )


def test_scaling_leaves_what_can_be_unknown_where_zero_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(loc=3.0, scale=2.0, size=(5000, 2))
    found = network.scaling({network.SENTENCE: values, fields.PEOPLE_LIFTS: values})
    np.testing.assert_allclose(found[network.SENTENCE][0], [3, 3], atol=0.2)
    np.testing.assert_allclose(found[network.SENTENCE][1], [4, 4], atol=0.3)
    np.testing.assert_array_equal(found[fields.PEOPLE_LIFTS][0], [0, 0])
    np.testing.assert_allclose(found[fields.PEOPLE_LIFTS][1], [13, 13], atol=0.7)
