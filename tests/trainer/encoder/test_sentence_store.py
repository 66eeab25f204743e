"""Sentence vectors that outlive a training."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema.fingerprint import source_files
from trainer.encoder import sentence, sentence_store
from trainer.encoder.pretrained import MINILM
from trainer.encoder.sentence_store import SentenceStore
from trainer.hparams import HParams

ONE, TWO = (HParams(encoder_layers=layers, precision="float32") for layers in (1, 2))
PIECES = tf.ragged.constant(
    [[101, 2019, 3899, 102], [101, 102], [101, 7996, 5930, 2048, 102], [101, 102]], dtype=tf.int32
)


def test_vectors_are_those_of_the_encoder() -> None:
    made = SentenceStore(None, TWO).encode(PIECES)
    encoder = sentence.SentenceEncoder(2, 1, content_from=TWO.first_finetuned)
    expected = encoder(PIECES.to_tensor()).numpy()
    assert made.dtype == np.float16
    np.testing.assert_allclose(made, expected, atol=2e-3)


def test_what_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SentenceStore(tmp_path, ONE).encode(PIECES)
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]
    read: list[int] = []
    make = SentenceStore._make
    monkeypatch.setattr(
        SentenceStore, "_make", lambda self, texts: (read.append(len(texts)), make(self, texts))
    )
    again = SentenceStore(tmp_path, ONE)
    np.testing.assert_array_equal(again.encode(PIECES), first)
    assert read == []
    more = tf.concat([PIECES, tf.ragged.constant([[101, 5, 102]], dtype=tf.int32)], axis=0)
    np.testing.assert_array_equal(again.encode(more)[:4], first)
    assert read == [1]


def test_other_ways_of_encoding_have_files_of_their_own(tmp_path: Path) -> None:
    one = SentenceStore(tmp_path, ONE).encode(PIECES)
    two = SentenceStore(tmp_path, TWO).encode(PIECES)
    rough = SentenceStore(tmp_path, ONE.changed({"precision": "bfloat16"})).encode(PIECES)
    assert len(list(tmp_path.iterdir())) == 3
    assert np.abs(one - two[:, -MINILM.dimensions :]).max() > 0.01
    assert 0 < np.abs(one - rough).max() < 0.05


def test_an_edit_of_the_code_makes_vectors_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corrected epsilon, for example, which is not in the layer's own module."""
    names = source_files("trainer.encoder.sentence")
    assert {file.name for file in names} >= {
        "sentence.py",
        "pretrained.py",
        "mpnet.py",
        "function_words.py",
        "minilm.py",
        "precision.py",
    }
    SentenceStore(tmp_path, ONE).encode(PIECES)
    monkeypatch.setattr(sentence_store, "fingerprint", lambda *names: "another state of the code")
    SentenceStore(tmp_path, ONE).encode(PIECES)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_texts_at_all() -> None:
    none = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    assert SentenceStore(None, TWO).encode(none).shape == (0, 768)
