"""What a layer made of the tokens of many texts, in a file: they need not fit in memory.

The file is read rather than mapped: pages of a mapped one count as memory of the process, and
writing to one on a full disk ends the process by a signal, without an error that could be told.
"""

import os
import tempfile
from typing import Final, Self

import numpy as np

from schema.errors import from_os_error

DTYPE: Final = np.dtype(np.float16)


class TokenStates:
    """One array for each text; a context manager, whose end deletes the file.

    Attributes:
        counts: int64 [texts], tokens of each.
        dimensions: of a state.
    """

    def __init__(self, counts: np.ndarray, dimensions: int) -> None:
        """Make the file, in the directory for temporary files.

        Args:
            counts: int [texts], tokens of each.
            dimensions: of a state.
        """
        self.counts = np.asarray(counts, np.int64)
        self.dimensions = dimensions
        ends = np.cumsum(self.counts) * dimensions * DTYPE.itemsize
        self._starts = np.concatenate([[0], ends]).tolist()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> Self:
        """The file is there already: itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file, which has no name and is gone with that."""
        self._file.close()

    def write(self, text: int, states: np.ndarray) -> None:
        """Put down one text.

        Args:
            text: its number.
            states: float [tokens, dimensions].

        Raises:
            TryAgainError: the folder for temporary files is full.
            ValueError: not so many tokens as were announced.
        """
        shape = (int(self.counts[text]), self.dimensions)
        if states.shape != shape:
            raise ValueError(f"text {text} has states of shape {shape}. Received: {states.shape}")
        left = memoryview(np.ascontiguousarray(states, DTYPE).tobytes())
        try:
            self._file.seek(self._starts[text])
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise from_os_error(
                error,
                f"{tempfile.gettempdir()}: {error.strerror}. Fine-tuning an encoder takes "
                f"{self._starts[-1] / 1e9:.1f} GB there for what its lower layers make of the "
                "texts: make room, or name another folder in the environment variable TMPDIR",
            ) from error

    def read(self, text: int) -> np.ndarray:
        """One text as it was written; threads may read side by side.

        Args:
            text: its number.

        Returns:
            float16 [tokens, dimensions].

        Raises:
            ValueError: the file is closed.
        """
        start, end = self._starts[text], self._starts[text + 1]
        content = os.pread(self._file.fileno(), end - start, start)
        return np.frombuffer(content, DTYPE).reshape(-1, self.dimensions)
