"""Fine-tuning of MiniLM's upper layers on genres."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data import PIECES, Rows
from trainer.encoder import fine_tuning, function_words
from trainer.encoder.fine_tuning import (
    BATCH_SIZE,
    BATCHES_PER_BUCKET,
    HEAD_INPUT_SCALE,
    TOKEN_DROPOUT,
    FineTuned,
    GenreClassifier,
    drop_tokens,
    fine_tune,
    length_bucketed_batches,
    load_or_fine_tune,
)
from trainer.encoder.sentence import SentenceEncoder
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.encoder.token_states import TokenStateFile
from trainer.hparams import HParams

NUM_GENRES = 9

SMALL = HParams(
    encoder_layers=2, finetuned_layers=1, finetuning_epochs=3, finetuning_learning_rate=1e-3
)

RNG = np.random.default_rng(3)
FUNCTION_WORD_IDS = np.flatnonzero(~function_words.content_mask())


def movies(rows: int) -> Rows:
    """Plots of random words, in which three words from one of two ranges determine the genre."""
    is_first_genre = np.arange(rows) % 2 == 0
    genre_words = [
        RNG.integers(*((2000, 2020) if first else (3000, 3020)), 3) for first in is_first_genre
    ]
    texts = [
        [
            101,
            *words,
            *RNG.choice(FUNCTION_WORD_IDS, 3),
            *RNG.integers(5000, 9000, RNG.integers(1, 9)),
            102,
        ]
        for words in genre_words
    ]
    labels = np.zeros((rows, NUM_GENRES), np.float32)
    labels[is_first_genre, 3], labels[~is_first_genre, 7] = 1, 1
    return Rows({PIECES: tf.ragged.constant(texts, dtype=tf.int32)}, labels)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return movies(256)


@pytest.fixture(scope="module")
def fine_tuned(rows: Rows) -> FineTuned:
    return fine_tune(rows, SMALL)


def test_only_the_upper_layers_change(fine_tuned: FineTuned) -> None:
    weights = fine_tuned.weights
    encoder = SentenceEncoder(2, trainable_layers=(1,))
    before = encoder.trained_weights()
    assert set(weights) == set(before)
    assert all(name.startswith("encoder.layer.1.") for name in weights)
    kernel = "encoder.layer.1.output.dense.weight"
    assert 1e-4 < np.abs(weights[kernel] - before[kernel]).max() < 0.1


@pytest.mark.parametrize("layers", [{}, {"finetuned_layers": 2}, {"encoder_layers": 1}])
def test_vectors_are_those_of_the_fine_tuned_encoder(rows: Rows, layers: dict[str, int]) -> None:
    hparams = SMALL.updated({"finetuning_epochs": 1, **layers})
    weights, vectors = fine_tune(rows, hparams)
    encoder = SentenceEncoder(
        hparams.encoder_layers,
        hparams.extra_layer,
        content_only_from=hparams.first_finetuned_layer,
        weight_overrides=weights,
    )
    expected = encoder(rows.inputs[PIECES].to_tensor())
    np.testing.assert_allclose(vectors, expected, atol=0.01)


def test_vectors_separate_the_genres_better_than_before(fine_tuned: FineTuned) -> None:
    unseen = movies(200)
    ids = unseen.inputs[PIECES].to_tensor()
    is_first_genre = unseen.labels[:, 3] > 0

    def separation(vectors: np.ndarray) -> float:
        """Distance between the genres' means, divided by the deviation within a genre."""
        groups = vectors[is_first_genre], vectors[~is_first_genre]
        distance = np.linalg.norm(groups[0].mean(0) - groups[1].mean(0))
        deviations = np.concatenate([group - group.mean(0) for group in groups])
        return float(distance / deviations.std(0).mean())

    before = SentenceEncoder(2, content_only_from=1)
    after = SentenceEncoder(2, content_only_from=1, weight_overrides=fine_tuned.weights)
    assert separation(after(ids).numpy()) > 1.5 * separation(before(ids).numpy())


def test_the_classifier_encodes_texts_like_the_encoder(rows: Rows) -> None:
    classifier = GenreClassifier(SMALL, np.full(NUM_GENRES, -2.0))
    classifier.head.build((None, 384))
    classifier.head.kernel.assign(RNG.normal(size=classifier.head.kernel.shape) / 100)
    pieces = rows.inputs[PIECES][:5]
    lengths = [int(function_words.content_mask()[text].sum()) for text in pieces]
    assert sum(lengths) < len(pieces.flat_values)
    with TokenStateFile(np.array(lengths), 384) as states:
        fine_tuning._run_lower_layers(classifier.encoder, pieces, states)
        lower_output = np.concatenate([states.read(row) for row in range(5)])
    logits = classifier((np.array(lengths, np.int32), lower_output), training=False)
    vectors = SentenceEncoder(2, content_only_from=1)(pieces.to_tensor())
    expected = classifier.head(HEAD_INPUT_SCALE * vectors)
    np.testing.assert_allclose(logits, expected, atol=0.02)


def test_batches_contain_every_row_once_with_rows_of_similar_length() -> None:
    lengths = RNG.integers(2, 96, 5000)
    batches = length_bucketed_batches(lengths, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(5000))
    assert len(batches) == -(-5000 // BATCH_SIZE)
    assert sum(len(batch) == BATCH_SIZE for batch in batches) == 5000 // BATCH_SIZE
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 3 * 96 / BATCHES_PER_BUCKET
    again = length_bucketed_batches(lengths, np.random.default_rng(1))
    assert all(np.array_equal(*pair) for pair in zip(batches, again, strict=True))


def test_dropped_tokens_differ_and_the_others_keep_their_order() -> None:
    text = np.arange(200, dtype=np.float16)[:, None]
    rng = np.random.default_rng(1)
    epochs = [drop_tokens(text, rng)[:, 0] for _ in range(50)]
    assert np.mean([len(tokens) for tokens in epochs]) == pytest.approx(
        200 * (1 - TOKEN_DROPOUT), rel=0.05
    )
    assert all((np.diff(tokens) > 0).all() for tokens in epochs)
    assert set(np.concatenate(epochs)) == set(text[:, 0])
    assert all(len(drop_tokens(text[:1], rng)) == 1 for _ in range(20))


def test_weights_for_the_same_movies_are_loaded(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hparams = SMALL.updated({"finetuning_epochs": 1})
    first = load_or_fine_tune(rows, hparams, tmp_path)
    (file,) = tmp_path.glob("finetuned-*")
    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "fit", None)
        again = load_or_fine_tune(rows, hparams, tmp_path)
        patched.setattr(SentenceVectorStore, "_encode_missing", None)
        store = SentenceVectorStore(tmp_path, hparams, again.weights)
        assert store.encode(rows.inputs[PIECES]).shape == (len(rows), 768)
    for name, weight in first.weights.items():
        np.testing.assert_array_equal(weight, again.weights[name])
    assert first.seconds_before == 0 < again.seconds_before
    load_or_fine_tune(movies(64), hparams, tmp_path)
    (other,) = tmp_path.glob("finetuned-*")
    assert other != file


def test_no_weights_without_fine_tuning(rows: Rows) -> None:
    assert load_or_fine_tune(rows, SMALL.updated({"finetuned_layers": 0}), None).weights == {}
