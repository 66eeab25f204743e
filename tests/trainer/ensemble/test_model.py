"""The network: every encoder, and that a row's answer is its own."""

from typing import Any

import keras
import numpy as np
import pytest

from schema.genres import NUM_GENRES
from trainer.ensemble import model
from trainer.ensemble.layers import CLASS_CENTRES
from trainer.ensemble.trees import INNER, INPUTS, Forest, Trees
from trainer.features import fields
from trainer.features.factors import TERMS, Factors
from trainer.features.linear import Linear
from trainer.hparams import TEXT_ENCODERS, HParams
from transform import features as xf

SMALL = HParams(filters=4, rnn_units=3, hidden_units=8)
IDS = 30
RNG = np.random.default_rng(7)
DENSE = {
    fields.NGRAM_FACTORS: 6,
    fields.SENTENCE: 5,
    fields.TITLE_FACTORS: 4,
    fields.PEOPLE_FACTORS: 3,
    fields.PEOPLE_LIFTS: 4 * fields.LIFT_SIZE,
    fields.CREDIT_COUNTS: 3,
    fields.PLOT_LOGITS: NUM_GENRES,
    fields.TITLE_LOGITS: NUM_GENRES,
}
LISTS = (xf.PLOT_WORDS, *TERMS)
FACTORS = Factors(
    weights={name: np.concatenate([[0], np.ones(IDS)]).astype(np.float32) for name in TERMS},
    bases={},
    counts={},
    genre_rates=np.full(NUM_GENRES, 0.2),
    text={},
    linear=Linear(
        {name: RNG.normal(size=(IDS + 1, NUM_GENRES)).astype(np.float32) for name in TERMS},
        RNG.normal(size=(4 * len(CLASS_CENTRES), NUM_GENRES)).astype(np.float32),
        RNG.normal(size=NUM_GENRES).astype(np.float32),
    ),
)
COLUMNS = 4 * fields.LIFT_SIZE + 3 + 4 + 4 + 2 * NUM_GENRES
TREES = Trees(
    RNG.integers(0, COLUMNS, (NUM_GENRES, 2, INNER)).astype(np.int32),
    RNG.normal(size=(NUM_GENRES, 2, INNER)).astype(np.float32),
    RNG.normal(size=(NUM_GENRES, 2, INNER + 1)).astype(np.float32),
    np.full(NUM_GENRES, -1, np.float32),
)
SCALES = {
    name: (np.zeros(size, np.float32), np.ones(size, np.float32)) for name, size in DENSE.items()
}
Inputs = dict[str, np.ndarray]


def network(hparams: HParams = SMALL, **kwargs: Any) -> keras.Model:
    vectors = np.random.default_rng(0).normal(size=(IDS, 6)).astype(np.float32)
    return model.build(hparams, vectors, FACTORS, TREES, SCALES, **kwargs)


def rows(count: int, words: int, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    inputs = {name: rng.integers(1, IDS + 1, (count, words)).astype(np.int32) for name in LISTS}
    for name, size in {**DENSE, xf.NUMBERS: 4}.items():
        inputs[name] = rng.normal(size=(count, size)).astype(np.float32)
    inputs[xf.NUMBERS_MISSING] = rng.integers(0, 2, (count, 4)).astype(np.float32)
    return inputs


def padded(inputs: Inputs, more: int) -> Inputs:
    return {
        name: np.pad(value, [(0, 0), (0, more)]) if name in LISTS else value
        for name, value in inputs.items()
    }


@pytest.mark.parametrize("encoder", TEXT_ENCODERS)
def test_padding_changes_nothing(encoder: str) -> None:
    built = network(SMALL.changed({"text_encoder": encoder}))
    inputs = rows(3, words=7)
    plain = built(inputs, training=False)
    for more in (1, 2, 5):
        np.testing.assert_allclose(built(padded(inputs, more), training=False), plain, atol=1e-5)


@pytest.mark.parametrize("encoder", TEXT_ENCODERS)
def test_a_row_without_any_words_has_finite_logits(encoder: str) -> None:
    built = network(SMALL.changed({"text_encoder": encoder, "towers": 3}))
    empty = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    logits = np.asarray(built(empty, training=False))
    assert logits.shape == (2, 3 + 3, NUM_GENRES)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("encoder", "loss"), [("cnn", "cross_entropy"), ("rnn", "focal"), ("cnn_rnn", "asymmetric")]
)
def test_every_encoder_learns_from_the_words_alone(encoder: str, loss: str) -> None:
    hparams = SMALL.changed(
        {
            "text_encoder": encoder,
            "learning_rate": 0.05,
            "loss": loss,
            **{f"{name}dropout": 0.0 for name in ("", "input_", "word_", "field_")},
        }
    )
    everything_else = set(DENSE) | {xf.NUMBERS, xf.NUMBERS_MISSING, fields.NUMBER_CLASSES}
    everything_else |= {model.WIDE, model.LINEAR, model.TREES}
    built = network(hparams, leave_out=everything_else)
    model.compile_model(built, hparams, steps=40)
    inputs = rows(32, words=6)
    labels = np.zeros((32, NUM_GENRES), np.float32)
    labels[:, 0] = inputs[xf.PLOT_WORDS][:, 0] % 2
    losses = [built.train_on_batch(inputs, labels) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_the_linear_member_says_what_its_coefficients_do_and_stays_so() -> None:
    built = network(leave_out={model.DEEP, model.WIDE, model.TREES})
    assert not built.trainable_weights
    inputs = rows(5, words=4)
    inputs[xf.NUMBERS][:, 0] = CLASS_CENTRES[3]
    inputs[xf.NUMBERS_MISSING] = np.tile(np.float32([0, 1, 1, 1]), (5, 1))
    given = FACTORS.linear
    expected = given.bias + given.numbers[3]
    for name in TERMS:
        expected = expected + given.terms[name][inputs[name]].sum(1) / np.sqrt(4)
    np.testing.assert_allclose(built(inputs, training=False)[:, 0], expected, atol=1e-4)


def test_the_trees_see_what_is_known_and_what_is_not() -> None:
    only = {model.DEEP, model.WIDE, model.LINEAR}
    inputs = rows(50, words=4)
    forest = Forest(TREES)

    def asked(inputs: Inputs) -> np.ndarray:
        return forest(np.concatenate([inputs[name] for name in INPUTS], axis=1)).numpy()

    found = network(leave_out=only)(inputs, training=False)[:, 0]
    np.testing.assert_allclose(found, asked(inputs), atol=1e-5)
    left_out = {fields.PEOPLE_LIFTS, fields.PLOT_LOGITS, fields.TITLE_LOGITS, xf.NUMBERS}
    hidden = network(leave_out=only | left_out)(inputs, training=False)
    inputs = fields.keep(inputs, people=0.0, names=1.0, title=0.0, numbers=0.0)
    inputs[fields.PLOT_LOGITS] = 0 * inputs[fields.PLOT_LOGITS]
    assert not np.allclose(found, asked(inputs))
    np.testing.assert_allclose(hidden[:, 0], asked(inputs), atol=1e-5)


def test_the_wide_part_is_linear_in_the_terms() -> None:
    hparams = SMALL.changed({"learning_rate": 0.1, "id_dropout": 0.0})
    built = network(hparams, leave_out={model.DEEP, model.LINEAR, model.TREES})
    model.compile_model(built, hparams, steps=60)
    rng = np.random.default_rng(3)
    inputs = {
        **rows(64, words=1),
        xf.PLOT_NGRAMS: rng.permuted(np.tile(np.arange(1, 31), (64, 1)), axis=1)[:, :4].astype(
            np.int32
        ),
    }
    labels = np.zeros((64, NUM_GENRES), np.float32)
    labels[:, 0] = (inputs[xf.PLOT_NGRAMS] == 7).any(axis=1)
    for _ in range(60):
        built.train_on_batch(inputs, labels)
    logits = np.asarray(built(inputs, training=False))[:, 0, 0]
    assert logits[labels[:, 0] == 1].min() > logits[labels[:, 0] == 0].max()


def test_the_word_vectors_are_where_the_embedding_starts() -> None:
    vectors = np.arange(IDS * 6, dtype=np.float32).reshape(IDS, 6)
    built = model.build(SMALL, vectors, FACTORS, TREES, SCALES)
    [weights] = built.get_layer("word_vectors").get_weights()
    np.testing.assert_array_equal(weights[1:], vectors)
    np.testing.assert_array_equal(weights[0], np.zeros(6))


def test_the_same_seed_gives_the_same_network() -> None:
    inputs = rows(2, words=5)
    first, second = (np.asarray(network()(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_towers_differ() -> None:
    members = np.asarray(network()(rows(4, words=5), training=False))
    assert not np.allclose(members[:, 0], members[:, 1])


def test_scaling_leaves_what_can_be_missing_where_zero_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(loc=3.0, scale=2.0, size=(5000, 2))
    found = model.scaling({fields.SENTENCE: values, fields.PEOPLE_LIFTS: values})
    np.testing.assert_allclose(found[fields.SENTENCE][0], [3, 3], atol=0.2)
    np.testing.assert_allclose(found[fields.SENTENCE][1], [4, 4], atol=0.3)
    np.testing.assert_array_equal(found[fields.PEOPLE_LIFTS][0], [0, 0])
    np.testing.assert_allclose(found[fields.PEOPLE_LIFTS][1], [13, 13], atol=0.7)


@pytest.mark.parametrize(
    ("kind", "logit", "label", "expected"),
    [
        ("cross_entropy", 0.0, 1.0, np.log(2)),
        ("cross_entropy", 0.0, 0.0, np.log(2)),
        ("focal", 0.0, 1.0, 0.25 * np.log(2)),
        ("focal", 0.0, 0.0, 0.25 * np.log(2)),
        ("asymmetric", 0.0, 1.0, np.log(2)),
        ("asymmetric", 0.0, 0.0, -np.log(1 - 0.48) * 0.48**2),
        ("asymmetric", -9.0, 0.0, 0.0),
    ],
)
def test_losses(kind: str, logit: float, label: float, expected: float) -> None:
    members = np.full((1, 3, NUM_GENRES), logit, np.float32)
    labels = np.full((1, NUM_GENRES), label, np.float32)
    found = float(model.MemberLoss(kind, focusing=2.0)(labels, members))
    assert found == pytest.approx(3 * expected, abs=1e-5)
