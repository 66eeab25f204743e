"""How the training scores."""

import numpy as np
import pytest

from schema.genres import NUM_GENRES
from trainer import run


def test_mean_average_precision_is_over_the_genres_that_occur() -> None:
    labels = np.zeros((4, NUM_GENRES))
    labels[[0, 2], 0] = 1
    labels[3, 1] = 1
    probabilities = np.zeros_like(labels)
    probabilities[:, 0] = [0.9, 0.8, 0.7, 0.1]
    probabilities[:, 1] = [0.4, 0.3, 0.2, 0.9]
    # First genre: hits at ranks 1 and 3, (1 + 2 / 3) / 2; second: a hit at rank 1.
    expected = ((1 + 2 / 3) / 2 + 1) / 2
    assert run.mean_average_precision(probabilities, labels) == pytest.approx(expected)
