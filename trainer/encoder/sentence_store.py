"""Sentence vectors that outlive a training: the next one reads only texts that are new.

The vector of a text changes only with the encoder. A store is a folder with one file for each way
of encoding; of fine-tuned encoders it keeps the newest alone.
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

BATCH: Final = 128
CHUNK: Final = 50 * BATCH
"""Number of texts after which what is new is written down: an interruption loses no more."""

log = logging.getLogger(__name__)


class SentenceStore:
    """Vectors by word pieces, in a directory that is made when there are some; None keeps nothing.

    `finetuned` are weights that take the place of the pretrained ones.
    """

    def __init__(
        self, directory: Path | None, hparams: HParams, finetuned: Weights | None = None
    ) -> None:
        self.hparams, self.finetuned = hparams, finetuned or {}
        self._pretrained = ENCODERS[hparams.sentence_encoder]
        self._file = directory / f"{self._kind()}.npz" if directory else None
        self._known: dict[bytes, np.ndarray] = {}
        if self._file and self._file.exists():
            with np.load(self._file) as kept:
                keys = (key.tobytes() for key in kept["keys"])
                self._known = dict(zip(keys, kept["vectors"], strict=True))

    def _kind(self) -> str:
        """What makes vectors differ: encoder, number of layers, precision; code and weights."""
        # The code holds the checksums of the pretrained weights.
        made_by = hashlib.sha256(fingerprint("trainer.encoder.sentence").encode())
        made_by.update(repr(self.hparams.first_finetuned).encode())
        for name, value in sorted(self.finetuned.items()):
            made_by.update(name.encode() + np.ascontiguousarray(value).tobytes())
        parts = [
            self.hparams.sentence_encoder,
            "finetuned" if self.finetuned else None,
            self.hparams.lower_layer,
            self.hparams.encoder_layers,
            precision.resolved(self.hparams.precision),
            made_by.hexdigest()[:16],
        ]
        return "-".join(str(part) for part in parts if part is not None)

    def encode(self, pieces: tf.RaggedTensor) -> np.ndarray:
        """The vectors of texts; those once made are looked up.

        int32 [N, varying] in, ids of word pieces as for `SentenceEncoder.call`; float16 [N,
        dimensions] out, or twice as many with the lower layer.
        """
        texts = texts_of(pieces)
        keys = _keys(texts)
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._known
        }
        if missing:
            self._make(missing)
        width = self._pretrained.dimensions * (2 if self.hparams.lower_layer else 1)
        return np.array([self._known[key] for key in keys], np.float16).reshape(-1, width)

    def add(self, pieces: tf.RaggedTensor, vectors: np.ndarray) -> None:
        """Keep the `vectors` of texts that were made elsewhere, in the form of `encode`."""
        self._known |= dict(zip(_keys(texts_of(pieces)), vectors, strict=True))
        self._keep()

    def _make(self, texts: dict[bytes, np.ndarray]) -> None:
        encoder = SentenceEncoder.of(self.hparams, instead=self.finetuned)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
        def encode(ids: tf.Tensor) -> tf.Tensor:
            return tf.cast(encoder(ids), tf.float16)

        # Texts of like length share a batch, which spares padding.
        order = sorted(texts, key=lambda key: len(texts[key]))
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            ids = keras.utils.pad_sequences([texts[key] for key in some], padding="post")
            self._known |= dict(zip(some, encode(ids).numpy(), strict=True))
            done = start + len(some)
            if done % CHUNK == 0 or done == len(order):
                log.info("%s has read %d of %d new texts", self._pretrained.name, done, len(order))
                self._keep()

    def _keep(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._file) as part, part.open("wb") as file:
            np.savez(
                file,
                keys=np.array([np.frombuffer(key, np.uint8) for key in self._known]),
                vectors=np.stack(list(self._known.values())),
            )
        if self.finetuned:
            for other in {*self._file.parent.glob("*-finetuned-*.npz")} - {self._file}:
                other.unlink()


def texts_of(pieces: tf.RaggedTensor) -> list[np.ndarray]:
    """The word pieces of each text, int32 [pieces]."""
    flat, ends = pieces.flat_values.numpy(), pieces.row_splits.numpy()
    return [flat[start:end] for start, end in pairwise(ends)]


def _keys(texts: list[np.ndarray]) -> list[bytes]:
    return [hashlib.blake2b(text.tobytes(), digest_size=16).digest() for text in texts]
