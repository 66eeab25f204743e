"""File with the states of tokens."""

import resource
import tempfile

import numpy as np
import pytest

from schema.errors import TryAgainError
from trainer.encoder.token_states import TokenStateFile

RANDOM = np.random.default_rng(3)


def test_texts_are_read_and_written_in_any_order() -> None:
    counts = np.array([3, 0, 1, 200])
    texts = [RANDOM.normal(size=(count, 8)).astype(np.float16) for count in counts]
    with TokenStateFile(counts, 8) as states:
        for text in (2, 0, 3, 1):
            states.write(text, texts[text])
        for text in (3, 1, 0, 2, 0):
            np.testing.assert_array_equal(states.read(text), texts[text])


def test_states_are_stored_in_half_precision() -> None:
    with TokenStateFile(np.array([1]), 2) as states:
        states.write(0, np.array([[0.1, 70.03]]))
        np.testing.assert_array_equal(states.read(0), np.array([[0.1, 70.03]], np.float16))


def test_another_number_of_tokens_is_refused() -> None:
    with (
        TokenStateFile(np.array([2, 2]), 4) as states,
        pytest.raises(ValueError, match=r"text 1: expected states of shape \(2, 4\), got \(3, 4\)"),
    ):
        states.write(1, np.zeros((3, 4)))


def test_the_file_is_closed_at_the_end_of_the_context() -> None:
    with TokenStateFile(np.array([1]), 1) as states:
        states.write(0, np.ones((1, 1)))
    with pytest.raises(ValueError, match="closed"):
        states.read(0)


def test_a_full_disk_is_reported_with_directory_and_size() -> None:
    directory, limits = tempfile.gettempdir(), resource.getrlimit(resource.RLIMIT_FSIZE)
    with TokenStateFile(np.array([2**10, 2**20 - 2**10]), 1024) as states:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        try:
            with pytest.raises(TryAgainError, match=f"^{directory}: File too large.* 2.1 GB"):
                states.write(0, np.zeros((2**10, 1024), np.float16))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
