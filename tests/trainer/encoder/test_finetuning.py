"""MiniLM's upper layers trained on genres."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from schema.genres import NUM_GENRES
from trainer.data import PIECES, Rows
from trainer.encoder import finetuning, function_words
from trainer.encoder.finetuning import (
    BATCH,
    HEAD_SCALE,
    SORTED_BATCHES,
    TOKEN_DROPOUT,
    GenreReader,
    Tuned,
    draw,
    finetuned,
    hide_tokens,
    tune,
)
from trainer.encoder.sentence import SentenceEncoder
from trainer.encoder.sentence_store import SentenceStore
from trainer.encoder.token_states import TokenStates
from trainer.hparams import HParams

SMALL = HParams(
    encoder_layers=2, finetuned_layers=1, finetuning_epochs=3, finetuning_learning_rate=1e-3
)

RANDOM = np.random.default_rng(3)
FUNCTION = np.flatnonzero(~function_words.content())


def movies(rows: int) -> Rows:
    """Plots of random words, of which one of two kinds decides the genre."""
    first = np.arange(rows) % 2 == 0
    kinds = [RANDOM.integers(*((2000, 2020) if one else (3000, 3020)), 3) for one in first]
    texts = [
        [
            101,
            *kind,
            *RANDOM.choice(FUNCTION, 3),
            *RANDOM.integers(5000, 9000, RANDOM.integers(1, 9)),
            102,
        ]
        for kind in kinds
    ]
    labels = np.zeros((rows, NUM_GENRES), np.float32)
    labels[first, 3], labels[~first, 7] = 1, 1
    return Rows({PIECES: tf.ragged.constant(texts, dtype=tf.int32)}, labels)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return movies(256)


@pytest.fixture(scope="module")
def tuned(rows: Rows) -> Tuned:
    return tune(rows, SMALL)


def test_the_upper_layers_alone_have_moved(tuned: Tuned) -> None:
    weights = tuned.weights
    encoder = SentenceEncoder(2, trainable_layers=(1,))
    before = encoder.trained_weights()
    assert set(weights) == set(before)
    assert all(name.startswith("encoder.layer.1.") for name in weights)
    kernel = "encoder.layer.1.output.dense.weight"
    assert 1e-4 < np.abs(weights[kernel] - before[kernel]).max() < 0.1


@pytest.mark.parametrize("layers", [{}, {"finetuned_layers": 2}, {"encoder_layers": 1}])
def test_vectors_are_those_that_the_encoder_makes(rows: Rows, layers: dict[str, int]) -> None:
    of = SMALL.updated({"finetuning_epochs": 1, **layers})
    weights, vectors = tune(rows, of)
    encoder = SentenceEncoder(
        of.encoder_layers, of.extra_layer, content_from=of.first_finetuned_layer, instead=weights
    )
    expected = encoder(rows.inputs[PIECES].to_tensor())
    np.testing.assert_allclose(vectors, expected, atol=0.01)


def test_vectors_tell_the_genres_better_than_before(tuned: Tuned) -> None:
    unseen = movies(200)
    ids = unseen.inputs[PIECES].to_tensor()
    first = unseen.labels[:, 3] > 0

    def apart(vectors: np.ndarray) -> float:
        """Distance of the kinds' middles by the spread within a kind."""
        middles = vectors[first].mean(0) - vectors[~first].mean(0)
        within = [vectors[kind] - vectors[kind].mean(0) for kind in (first, ~first)]
        return float(np.linalg.norm(middles) / np.concatenate(within).std(0).mean())

    frozen = SentenceEncoder(2, content_from=1)(ids).numpy()
    after = SentenceEncoder(2, content_from=1, instead=tuned.weights)
    assert apart(after(ids).numpy()) > 1.5 * apart(frozen)


def test_the_reader_reads_as_the_encoder_does(rows: Rows) -> None:
    reader = GenreReader(SMALL, np.full(NUM_GENRES, -2.0))
    reader.head.build((None, 384))
    reader.head.kernel.assign(RANDOM.normal(size=reader.head.kernel.shape) / 100)
    some = rows.inputs[PIECES][:5]
    lengths = [int(function_words.content()[text].sum()) for text in some]
    assert sum(lengths) < len(some.flat_values)
    with TokenStates(np.array(lengths), 384) as states:
        finetuning._read_below(reader.encoder, some, states)
        below = np.concatenate([states.read(row) for row in range(5)])
    logits = reader((np.array(lengths, np.int32), below), training=False)
    vectors = SentenceEncoder(2, content_from=1)(some.to_tensor())
    expected = reader.head(HEAD_SCALE * vectors)
    np.testing.assert_allclose(logits, expected, atol=0.02)


def test_every_row_is_drawn_once_beside_rows_of_like_length() -> None:
    lengths = RANDOM.integers(2, 96, 5000)
    batches = draw(lengths, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(5000))
    assert len(batches) == -(-5000 // BATCH)
    assert sum(len(batch) == BATCH for batch in batches) == 5000 // BATCH
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 3 * 96 / SORTED_BATCHES
    again = draw(lengths, np.random.default_rng(1))
    assert all(np.array_equal(one, two) for one, two in zip(batches, again, strict=True))


def test_a_pass_sees_other_tokens_of_a_text_in_their_order() -> None:
    text = np.arange(200, dtype=np.float16)[:, None]
    random = np.random.default_rng(1)
    passes = [hide_tokens(text, random)[:, 0] for _ in range(50)]
    assert np.mean([len(some) for some in passes]) == pytest.approx(
        200 * (1 - TOKEN_DROPOUT), rel=0.05
    )
    assert all((np.diff(some) > 0).all() for some in passes)
    assert set(np.concatenate(passes)) == set(text[:, 0])
    assert all(len(hide_tokens(text[:1], random)) == 1 for _ in range(20))


def test_the_same_movies_are_not_trained_on_twice(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = SMALL.updated({"finetuning_epochs": 1})
    first = finetuned(rows, quick, tmp_path)
    (file,) = tmp_path.glob("finetuned-*")
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "fit", None)
        again = finetuned(rows, quick, tmp_path)
        patched.setattr(SentenceStore, "_make", None)
        store = SentenceStore(tmp_path, quick, again.weights)
        assert store.encode(rows.inputs[PIECES]).shape == (len(rows), 768)
    for name, weight in first.weights.items():
        np.testing.assert_array_equal(weight, again.weights[name])
    assert first.seconds_before == 0 < again.seconds_before
    finetuned(movies(64), quick, tmp_path)
    (other,) = tmp_path.glob("finetuned-*")
    assert other != file


def test_nothing_to_fine_tune(rows: Rows) -> None:
    assert finetuned(rows, SMALL.updated({"finetuned_layers": 0}), None).weights == {}
