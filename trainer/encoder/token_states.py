"""States of the tokens of many texts, in a file because they may not fit in memory.

The file is read instead of mapped into memory. The pages of a mapped file count as memory of the
process, and a write to a mapped file on a full disk ends the process by a signal instead of an
error that can be reported.
"""

import os
import tempfile
from typing import Final, Self

import numpy as np

from schema.errors import from_os_error

DTYPE: Final = np.dtype(np.float16)


class TokenStateFile:
    """Temporary file with the states of each text's tokens, deleted when the context ends.

    The file is in the directory for temporary files and has no name.

    Args:
        token_counts: int [texts]. Number of tokens of each text.
        dimensions: Number of values in the state of a token.
    """

    def __init__(self, token_counts: np.ndarray, dimensions: int) -> None:
        self.token_counts = np.asarray(token_counts, np.int64)
        self.dimensions = dimensions
        ends = np.cumsum(self.token_counts) * dimensions * DTYPE.itemsize
        self._offsets = np.concatenate([[0], ends]).tolist()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, text: int, states: np.ndarray) -> None:
        """Write the states of one text.

        Args:
            text: Index of the text.
            states: float [tokens, dimensions].

        Raises:
            TryAgainError: If the disk is full.
            UserError: If the operating system refuses to write for another reason.
            ValueError: If `states` does not have the number of tokens in `token_counts`.
        """
        shape = (int(self.token_counts[text]), self.dimensions)
        if states.shape != shape:
            raise ValueError(f"text {text}: expected states of shape {shape}, got {states.shape}")
        remaining = memoryview(np.ascontiguousarray(states, DTYPE).tobytes())
        try:
            self._file.seek(self._offsets[text])
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            message = (
                f"{tempfile.gettempdir()}: {error.strerror}. Fine-tuning the sentence encoder "
                f"needs {self._offsets[-1] / 1e9:.1f} GB there for the output of its lower layers. "
                "Free disk space, or set the environment variable TMPDIR to another directory"
            )
            raise from_os_error(error, message) from error

    def read(self, text: int) -> np.ndarray:
        """Return the states of one text, float16 [tokens, dimensions]; safe to call from threads.

        Args:
            text: Index of the text.
        """
        start, end = self._offsets[text], self._offsets[text + 1]
        content = os.pread(self._file.fileno(), end - start, start)
        return np.frombuffer(content, DTYPE).reshape(-1, self.dimensions)
