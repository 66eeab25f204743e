"""Cache of sentence vectors."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema.fingerprint import source_files
from trainer.encoder import sentence, sentence_vectors
from trainer.encoder.pretrained import MINILM
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.hparams import HParams

ONE_LAYER, TWO_LAYERS = (HParams(encoder_layers=layers, precision="float32") for layers in (1, 2))
PIECES = tf.ragged.constant(
    [[101, 2019, 3899, 102], [101, 102], [101, 7996, 5930, 2048, 102], [101, 102]], dtype=tf.int32
)


def test_vectors_are_those_of_the_encoder() -> None:
    vectors = SentenceVectorStore(None, TWO_LAYERS).encode(PIECES)
    encoder = sentence.SentenceEncoder(2, 1, content_only_from=TWO_LAYERS.first_finetuned_layer)
    expected = encoder(PIECES.to_tensor()).numpy()
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(vectors, expected, atol=2e-3)


def test_cached_texts_are_not_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SentenceVectorStore(tmp_path, ONE_LAYER).encode(PIECES)
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]
    encoded: list[int] = []
    encode_missing = SentenceVectorStore._encode_missing
    monkeypatch.setattr(
        SentenceVectorStore,
        "_encode_missing",
        lambda self, texts: (encoded.append(len(texts)), encode_missing(self, texts)),
    )
    again = SentenceVectorStore(tmp_path, ONE_LAYER)
    np.testing.assert_array_equal(again.encode(PIECES), first)
    assert encoded == []
    more = tf.concat([PIECES, tf.ragged.constant([[101, 5, 102]], dtype=tf.int32)], axis=0)
    np.testing.assert_array_equal(again.encode(more)[:4], first)
    assert encoded == [1]


def test_each_configuration_of_the_encoder_has_its_own_file(tmp_path: Path) -> None:
    one_layer = SentenceVectorStore(tmp_path, ONE_LAYER).encode(PIECES)
    two_layers = SentenceVectorStore(tmp_path, TWO_LAYERS).encode(PIECES)
    hparams = ONE_LAYER.updated({"precision": "bfloat16"})
    bfloat16 = SentenceVectorStore(tmp_path, hparams).encode(PIECES)
    assert len(list(tmp_path.iterdir())) == 3
    assert np.abs(one_layer - two_layers[:, -MINILM.dimensions :]).max() > 0.01
    assert 0 < np.abs(one_layer - bfloat16).max() < 0.05


def test_an_edit_of_the_code_invalidates_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epsilon of an encoder, for example, is not in the module of the layer."""
    files = source_files("trainer.encoder.sentence")
    assert {file.name for file in files} >= {
        "sentence.py",
        "pretrained.py",
        "mpnet.py",
        "function_words.py",
        "minilm.py",
        "precision.py",
    }
    SentenceVectorStore(tmp_path, ONE_LAYER).encode(PIECES)
    monkeypatch.setattr(sentence_vectors, "fingerprint", lambda *names: "another state of the code")
    SentenceVectorStore(tmp_path, ONE_LAYER).encode(PIECES)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_texts() -> None:
    empty = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    assert SentenceVectorStore(None, TWO_LAYERS).encode(empty).shape == (0, 768)
