"""The network: every encoder, and that a row's answer is its own."""

import keras
import numpy as np
import pytest

from schema.genres import NUM_GENRES
from trainer import model
from trainer.hparams import TEXT_ENCODERS, HParams
from transform import features as xf

SIZES = dict.fromkeys(xf.ID_FEATURES, 30)
SMALL = HParams(filters=4, rnn_units=3, people_dim=5, title_dim=5, hidden_units=8)


def network(hparams: HParams = SMALL) -> keras.Model:
    vectors = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    return model.build(hparams, SIZES, vectors, np.full(NUM_GENRES, 0.2))


def rows(count: int, words: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = {name: rng.integers(1, 31, (count, words)).astype(np.int32) for name in xf.ID_FEATURES}
    inputs[xf.NUMBERS] = rng.normal(size=(count, 4)).astype(np.float32)
    inputs[xf.NUMBERS_MISSING] = rng.integers(0, 2, (count, 4)).astype(np.float32)
    return inputs


def padded(inputs: dict[str, np.ndarray], more: int) -> dict[str, np.ndarray]:
    return {
        name: np.pad(value, [(0, 0), (0, more)]) if name in xf.ID_FEATURES else value
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
    built = network(SMALL.changed({"text_encoder": encoder}))
    empty = {name: np.zeros_like(value) for name, value in rows(2, words=1).items()}
    logits = np.asarray(built(empty, training=False))
    assert logits.shape == (2, NUM_GENRES)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("encoder", TEXT_ENCODERS)
def test_every_encoder_learns(encoder: str) -> None:
    hparams = SMALL.changed(
        {"text_encoder": encoder, "learning_rate": 0.05, "field_dropout": 0.0, "id_dropout": 0.0}
    )
    built = network(hparams)
    model.compile_model(built, hparams, steps=60)
    inputs = rows(32, words=6)
    labels = np.zeros((32, NUM_GENRES), np.float32)
    labels[:, 0] = inputs[xf.PLOT_WORDS][:, 0] % 2
    losses = [built.train_on_batch(inputs, labels) for _ in range(60)]
    assert losses[-1] < losses[0] / 2


def test_the_word_vectors_are_where_the_embedding_starts() -> None:
    vectors = np.arange(30 * 6, dtype=np.float32).reshape(30, 6)
    built = model.build(SMALL, SIZES, vectors, np.full(NUM_GENRES, 0.2))
    [weights] = built.get_layer("word_vectors").get_weights()
    np.testing.assert_array_equal(weights[1:], vectors)
    np.testing.assert_array_equal(weights[0], np.zeros(6))


def test_word_vectors_of_another_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected one word vector for each of 30 ids"):
        model.build(SMALL, SIZES, np.zeros((29, 6), np.float32), np.full(NUM_GENRES, 0.2))


def test_the_same_seed_gives_the_same_network() -> None:
    inputs = rows(2, words=5)
    first, second = (np.asarray(network()(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_field_dropout_hides_fields_as_if_never_known() -> None:
    layer = model.FieldDropout(0.5, seed=3)
    inputs = rows(400, words=3)
    hidden = {name: np.asarray(value) for name, value in layer(inputs, training=True).items()}
    people = [hidden[name] for name in xf.PEOPLE_IDS.values()]
    nobody = np.all([ids == 0 for ids in people], axis=(0, 2))
    # All together at 1/2; else each of the three on its own at 1/4.
    assert nobody.mean() == pytest.approx(0.5 + 0.5 * 0.25**3, abs=0.08)
    no_numbers = (hidden[xf.NUMBERS_MISSING] == 1).all(1) & (hidden[xf.NUMBERS] == 0).all(1)
    assert no_numbers.mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_array_equal(hidden[xf.PLOT_WORDS], inputs[xf.PLOT_WORDS])
    kept = layer(inputs, training=False)
    np.testing.assert_array_equal(kept["cast_ids"], inputs["cast_ids"])


def test_id_dropout_hides_single_ids() -> None:
    ids = np.ones((100, 50), np.int32)
    hidden = np.asarray(model.IdDropout(0.3, seed=1)(ids, training=True))
    assert hidden.mean() == pytest.approx(0.7, abs=0.03)
    assert set(np.unique(hidden)) == {0, 1}
