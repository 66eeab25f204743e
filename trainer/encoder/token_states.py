"""States of the tokens of many texts in a file, since they may not fit in memory.

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

    The file is in the folder for temporary files and has no name.

    Args:
        counts: int [texts], number of tokens of each text.
        dimensions: number of values of a token's state.
    """

    def __init__(self, counts: np.ndarray, dimensions: int) -> None:
        self.counts = np.asarray(counts, np.int64)
        self.dimensions = dimensions
        ends = np.cumsum(self.counts) * dimensions * DTYPE.itemsize
        self._starts = np.concatenate([[0], ends]).tolist()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, text: int, states: np.ndarray) -> None:
        """Write the states of one text, float [tokens, dimensions], by its number.

        Raises:
            TryAgainError: the disk is full.
            UserError: the folder for temporary files takes no more for another reason.
            ValueError: the number of tokens is not the one that was announced.
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
            message = (
                f"{tempfile.gettempdir()}: {error.strerror}. Fine-tuning an encoder takes "
                f"{self._starts[-1] / 1e9:.1f} GB there for what its lower layers make of the "
                "texts: make room, or name another folder in the environment variable TMPDIR"
            )
            raise from_os_error(error, message) from error

    def read(self, text: int) -> np.ndarray:
        """The states of one text, float16 [tokens, dimensions]; threads may read side by side."""
        start, end = self._starts[text], self._starts[text + 1]
        content = os.pread(self._file.fileno(), end - start, start)
        return np.frombuffer(content, DTYPE).reshape(-1, self.dimensions)
