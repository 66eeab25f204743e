"""Cache of sentence vectors, so that a training encodes only texts that are new.

The vector of a text depends only on the encoder. The cache is a directory with one file per
configuration of the encoder; of fine-tuned encoders, it keeps only the file of the newest.
"""

import hashlib
import logging
from itertools import pairwise
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from schema.files import atomic_write
from schema.fingerprint import fingerprint
from trainer import precision
from trainer.encoder.pretrained import ENCODERS
from trainer.encoder.sentence import SentenceEncoder, Weights
from trainer.hparams import HParams

BATCH_SIZE: Final = 128
TEXTS_PER_SAVE: Final = 50 * BATCH_SIZE
"""Number of new texts after which the cache is saved, so that an interruption loses no more."""

log = logging.getLogger(__name__)


class SentenceVectorStore:
    """Sentence vectors by the word pieces of their texts, loaded from a file if there is one.

    Args:
        directory: Directory of the cache, created when needed; None keeps vectors in memory only.
        hparams: Hyperparameters of the encoder.
        fine_tuned: Weights that replace the pretrained ones; None or empty without fine-tuning.
    """

    def __init__(
        self, directory: Path | None, hparams: HParams, fine_tuned: Weights | None = None
    ) -> None:
        self.hparams, self.fine_tuned = hparams, fine_tuned or {}
        self._pretrained = ENCODERS[hparams.sentence_encoder]
        self._file = directory / f"{self._cache_key()}.npz" if directory else None
        self._vectors: dict[bytes, np.ndarray] = {}
        if self._file and self._file.exists():
            with np.load(self._file) as arrays:
                keys = (key.tobytes() for key in arrays["keys"])
                self._vectors = dict(zip(keys, arrays["vectors"], strict=True))

    def _cache_key(self) -> str:
        """Return a name that differs when vectors may differ: by settings, code and weights."""
        # The code contains the checksums of the pretrained weights.
        digest = hashlib.sha256(fingerprint("trainer.encoder.sentence").encode())
        digest.update(repr(self.hparams.first_finetuned_layer).encode())
        for name, value in sorted(self.fine_tuned.items()):
            digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
        parts = [
            self.hparams.sentence_encoder,
            "finetuned" if self.fine_tuned else None,
            self.hparams.extra_layer,
            self.hparams.encoder_layers,
            precision.resolve(self.hparams.precision),
            digest.hexdigest()[:16],
        ]
        return "-".join(str(part) for part in parts if part is not None)

    def encode(self, pieces: tf.RaggedTensor) -> np.ndarray:
        """Return the vectors of texts, and encode the texts that are not in the cache.

        Args:
            pieces: int32 [N, (pieces)]. Word pieces as for `SentenceEncoder.call`, without padding.

        Returns:
            float16 [N, dimensions], or [N, 2 * dimensions] if the encoder has an extra layer.
        """
        texts = split_texts(pieces)
        keys = _text_keys(texts)
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors
        }
        if missing:
            self._encode_missing(missing)
        width = self._pretrained.dimensions * (2 if self.hparams.extra_layer else 1)
        return np.array([self._vectors[key] for key in keys], np.float16).reshape(-1, width)

    def add(self, pieces: tf.RaggedTensor, vectors: np.ndarray) -> None:
        """Add vectors that were computed elsewhere, and save the cache.

        Args:
            pieces: int32 [N, (pieces)]. Word pieces of the texts, in the form of `encode`.
            vectors: float16. Vectors of the texts, in the form of `encode`.
        """
        self._vectors |= dict(zip(_text_keys(split_texts(pieces)), vectors, strict=True))
        self._save()

    def _encode_missing(self, texts: dict[bytes, np.ndarray]) -> None:
        encoder = SentenceEncoder.from_hparams(self.hparams, weight_overrides=self.fine_tuned)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
        def encode(ids: tf.Tensor) -> tf.Tensor:
            return tf.cast(encoder(ids), tf.float16)

        # Texts of similar length share a batch, which saves padding.
        order = sorted(texts, key=lambda key: len(texts[key]))
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            ids = keras.utils.pad_sequences([texts[key] for key in batch], padding="post")
            self._vectors |= dict(zip(batch, encode(ids).numpy(), strict=True))
            done = start + len(batch)
            if done % TEXTS_PER_SAVE == 0 or done == len(order):
                log.info("%s: encoded %d of %d new texts", self._pretrained.name, done, len(order))
                self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file) as part, part.open("wb") as file:
            np.savez(
                file,
                keys=np.array([np.frombuffer(key, np.uint8) for key in self._vectors]),
                vectors=np.stack(list(self._vectors.values())),
            )
        if self.fine_tuned:
            for older in {*self._file.parent.glob("*-finetuned-*.npz")} - {self._file}:
                older.unlink()


def split_texts(pieces: tf.RaggedTensor) -> list[np.ndarray]:
    """Return the word pieces of each text, int32 [pieces]."""
    flat, splits = pieces.flat_values.numpy(), pieces.row_splits.numpy()
    return [flat[start:end] for start, end in pairwise(splits)]


def _text_keys(texts: list[np.ndarray]) -> list[bytes]:
    return [hashlib.blake2b(text.tobytes(), digest_size=16).digest() for text in texts]
