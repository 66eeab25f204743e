"""Check the outputs of an exported model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from schema.names import (
    EVALUATE_SIGNATURE,
    GENRES_OUTPUT,
    KNOWN_WORDS_OUTPUT,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SCORES_OUTPUT,
    SERVING_SIGNATURE,
    THRESHOLDS_OUTPUT,
    UNFAMILIAR_OUTPUT,
)

Outputs = Mapping[str, npt.NDArray[Any]]
"""Arrays [rows, genres] by name of the output."""

TOLERANCE: Final = 5e-3
"""Largest allowed difference of two probabilities for the same row: half a percentage point.

The order of the additions in a matrix product depends on the number of rows of the batch. In
bfloat16 this changed probabilities by up to 0.0008 on the sample, in float32 by less than 0.00001.
"""

_ROW_OUTPUTS: Final = (UNFAMILIAR_OUTPUT, KNOWN_WORDS_OUTPUT)
"""Outputs with one value per row."""

_MIN_DISTANCE: Final = 1e-7
"""Probabilities and scores are clipped to this distance from 0 and 1."""


def check_outputs(
    call: str, outputs: Outputs, rows: Sequence[str], genres: Sequence[str]
) -> list[str]:
    """Check shapes and values of the outputs of `serving_default` or `examples`.

    Args:
        call: Name of the call, for messages.
        outputs: Genres, probabilities, predicted genres, thresholds, and whether the language is
            unfamiliar.
        rows: Names of the rows.
        genres: Names of the genres with which the model was trained.

    Returns:
        One sentence for each kind of fault, which names the first row that has it.
    """
    wrong_shapes = []
    for key, array in outputs.items():
        expected = (len(rows),) if key in _ROW_OUTPUTS else (len(rows), len(genres))
        if array.shape != expected:
            wrong_shapes.append(
                f"{call}: '{key}' has the shape {list(array.shape)}. Expected: {list(expected)}"
            )
    if wrong_shapes:
        return wrong_shapes
    probabilities, thresholds = outputs[PROBABILITIES_OUTPUT], outputs[THRESHOLDS_OUTPUT]
    finite = np.isfinite(probabilities)
    outside = (probabilities < 0) | (probabilities > 1)
    names = np.array([name.encode() for name in genres], object)
    known_words = outputs[KNOWN_WORDS_OUTPUT][:, np.newaxis]
    faults = {
        "genres are not those of the training in the same order": outputs[GENRES_OUTPUT] != names,
        "probabilities are not finite": ~finite,
        "probabilities are not between 0 and 1": finite & outside,
        "no genre is predicted": ~outputs[PREDICTED_OUTPUT].any(axis=1, keepdims=True),
        "the share of known words is not between 0 and 1": ~(np.abs(known_words - 0.5) <= 0.5),
        "thresholds are not between 0 and 1": ~((thresholds > 0) & (thresholds < 1)),
    }
    return _describe_faults(call, faults, rows, names)


def check_probabilities(
    call: str, outputs: Outputs, expected: Outputs, rows: Sequence[str]
) -> tuple[list[str], float]:
    """Compare probabilities with those of `serving_default` for all rows in one batch.

    Args:
        call: Name of the call, for messages.
        outputs: Outputs of the call, which `check_outputs` accepted.
        expected: Outputs of `serving_default` for the same rows.
        rows: Names of the rows.

    Returns:
        One sentence if there is a fault, and the largest absolute difference of two probabilities.
    """
    difference = np.abs(outputs[PROBABILITIES_OUTPUT] - expected[PROBABILITIES_OUTPUT])
    largest = float(difference.max())
    fault = (
        f"probabilities differ by up to {largest:.2g} from those of {SERVING_SIGNATURE} for all "
        f"rows in one batch (allowed: {TOLERANCE:g})"
    )
    faults = {fault: ~(difference <= TOLERANCE)}
    return _describe_faults(call, faults, rows, expected[GENRES_OUTPUT][0]), largest


def check_predicted_genres(
    call: str, outputs: Outputs, evaluated: Outputs, rows: Sequence[str]
) -> list[str]:
    """Check that the predicted genres follow from the probabilities of the same call.

    The signature `evaluate`, which the gate uses, returns the probability of each genre and its
    distance from the decision threshold, and so determines the threshold. A genre must be predicted
    if and only if its probability is at least the threshold. A probability within `TOLERANCE` of
    the threshold may fall on either side.

    If no probability exceeds its threshold by more than `TOLERANCE`, the model predicts the one
    genre that is nearest. The thresholds do not determine this genre, so any single genre passes.

    Args:
        call: Name of the call, for messages.
        outputs: Outputs of the call, which `check_outputs` accepted.
        evaluated: Probabilities and scores of the signature `evaluate` for the same rows.
        rows: Names of the rows.

    Returns:
        One sentence if there is a fault.
    """
    scores, probabilities = (
        logit(np.clip(evaluated[name].astype(np.float64), _MIN_DISTANCE, 1 - _MIN_DISTANCE))
        for name in (SCORES_OUTPUT, PROBABILITIES_OUTPUT)
    )
    margin = outputs[PROBABILITIES_OUTPUT] - expit(probabilities - scores)
    decisive = np.abs(margin) > TOLERANCE
    predicted = outputs[PREDICTED_OUTPUT]
    nearest_only = ~(decisive & (margin > 0)).any(axis=1) & (predicted.sum(axis=1) == 1)
    wrong = decisive & (predicted != (margin > 0)) & ~nearest_only[:, np.newaxis]
    fault = (
        "predicted genres do not follow from the probabilities and the thresholds of "
        f"{EVALUATE_SIGNATURE}"
    )
    return _describe_faults(call, {fault: wrong}, rows, outputs[GENRES_OUTPUT][0])


def _describe_faults(
    call: str,
    faults: Mapping[str, npt.NDArray[Any]],
    rows: Sequence[str],
    genres: npt.NDArray[Any],
) -> list[str]:
    """Describe each fault that any row has, with the first row and genre.

    Args:
        call: Name of the call.
        faults: bool [rows, genres], or [rows, 1] for faults of whole rows, by description.
        rows: Names of the rows.
        genres: bytes objects [genres]. Names of the genres.
    """
    sentences = []
    for fault, faulty in faults.items():
        for row, column in np.argwhere(faulty)[:1]:
            count = faulty.any(axis=1).sum()
            genre = f", {genres[column].decode()}" if faulty.shape[1] > 1 else ""
            sentences.append(
                f"{call}: {fault} in {count} of {len(rows)} rows, first {rows[row]}{genre}"
            )
    return sentences
