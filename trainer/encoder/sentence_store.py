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

from schema.files import replacing
from schema.fingerprint import fingerprint
from trainer import precision
from trainer.encoder import sentence
from trainer.encoder.pretrained import ENCODERS
from trainer.hparams import HParams

BATCH: Final = 128
CHUNK: Final = 50 * BATCH
"""Texts after which what is new is written down: an interruption loses no more."""

_DIGEST: Final = 16

log = logging.getLogger(__name__)


class SentenceStore:
    """Vectors by word pieces."""

    def __init__(
        self,
        directory: Path | None,
        hparams: HParams,
        finetuned: sentence.Weights | None = None,
    ) -> None:
        """Open a store.

        Args:
            directory: where vectors are kept; made when there are some. None keeps nothing.
            hparams: how many layers of the encoder, and what it multiplies in.
            finetuned: see `trainer.encoder.sentence.SentenceEncoder`, `instead`.
        """
        self.hparams, self.finetuned = hparams, finetuned or {}
        self._pretrained = ENCODERS[hparams.sentence_encoder]
        self._name = self._pretrained.name
        self._file = directory / f"{self._name.lower()}-{self._kind()}.npz" if directory else None
        self._known: dict[bytes, np.ndarray] = {}
        if self._file and self._file.exists():
            with np.load(self._file) as kept:
                keys = kept["keys"]
                self._known = dict(
                    zip((key.tobytes() for key in keys), kept["vectors"], strict=True)
                )

    def _kind(self) -> str:
        """What makes vectors differ: the code, the weights, how many layers, the precision."""
        made_by = hashlib.sha256()
        made_by.update(fingerprint("trainer.encoder.sentence").encode())
        made_by.update(self._pretrained.digest())
        made_by.update(repr(self.hparams.first_finetuned).encode())
        for name, value in sorted(self.finetuned.items()):
            made_by.update(name.encode() + np.ascontiguousarray(value).tobytes())
        also = f"{self.hparams.lower_layer}-" if self.hparams.lower_layer else ""
        kind = "finetuned-" if self.finetuned else ""
        dtype = precision.resolved(self.hparams.precision)
        made_in = f"{also}{self.hparams.encoder_layers}-{dtype}"
        return f"{kind}{made_in}-{made_by.hexdigest()[:16]}"

    def encode(self, pieces: tf.RaggedTensor) -> np.ndarray:
        """The vectors of texts; those once made are looked up.

        Args:
            pieces: int32 [N, varying], ids of word pieces, see `SentenceEncoder.call`.

        Returns:
            float16 [N, dimensions], or twice as many with the lower layer.
        """
        texts = _texts(pieces)
        keys = _keys(texts)
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._known
        }
        if missing:
            self._make(missing)
        width = self._pretrained.dimensions * (2 if self.hparams.lower_layer else 1)
        found = [self._known[key] for key in keys]
        return np.stack(found) if found else np.zeros((0, width), np.float16)

    def add(self, pieces: tf.RaggedTensor, vectors: np.ndarray) -> None:
        """Keep vectors that were made elsewhere.

        Args:
            pieces: as in `encode`.
            vectors: as `encode` gives them.
        """
        self._known |= dict(zip(_keys(_texts(pieces)), vectors, strict=True))
        self._keep()

    def _make(self, texts: dict[bytes, np.ndarray]) -> None:
        encoder = sentence.SentenceEncoder.of(self.hparams, instead=self.finetuned)

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
                log.info("%s has read %d of %d new texts", self._name, done, len(order))
                self._keep()

    def _keep(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._file) as part, part.open("wb") as file:
            np.savez(
                file,
                keys=np.array([np.frombuffer(key, np.uint8) for key in self._known]),
                vectors=np.stack(list(self._known.values())),
            )
        if self.finetuned:
            for other in self._file.parent.glob("*-finetuned-*.npz"):
                if other != self._file:
                    other.unlink()


def _texts(pieces: tf.RaggedTensor) -> list[np.ndarray]:
    flat, ends = pieces.flat_values.numpy(), pieces.row_splits.numpy()
    return [flat[start:end] for start, end in pairwise(ends)]


def _keys(texts: list[np.ndarray]) -> list[bytes]:
    return [hashlib.blake2b(text.tobytes(), digest_size=_DIGEST).digest() for text in texts]
