"""Judges the answers of an exported model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from schema.genres import GENRES
from schema.names import (
    EVALUATE_SIGNATURE,
    GENRES_OUTPUT,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SCORES_OUTPUT,
    SERVING_SIGNATURE,
)

Answer = Mapping[str, npt.NDArray[Any]]
"""Arrays [N, genres] by output name."""

TOLERANCE: Final = 1e-5
"""How far two probabilities for the same row may lie apart."""

ROUGH_TOLERANCE: Final = 5e-3
"""The same where a model multiplies in bfloat16, whose rounding depends on the rows beside."""

_EXTREME: Final = 1e-7
"""Probabilities and scores nearer to 0 or 1 than this count as this far away."""


def check_answer(what: str, answer: Answer, rows: Sequence[str]) -> list[str]:
    """Check one answer of `serving_default` or `examples` by itself.

    Args:
        what: names the answer.
        answer: genres, probabilities and predicted.
        rows: names of the N rows.

    Returns:
        A sentence for each kind of fault, which names the first row.
    """
    shape = (len(rows), len(GENRES))
    wrong = {key: array.shape for key, array in answer.items() if array.shape != shape}
    if wrong:
        return [
            f"{what}: '{key}' has the shape {list(found)}. Expected: {list(shape)}"
            for key, found in wrong.items()
        ]
    probabilities = answer[PROBABILITIES_OUTPUT]
    finite = np.isfinite(probabilities)
    outside = (probabilities < 0) | (probabilities > 1)
    names = np.array([name.encode() for name in GENRES], object)
    faults = {
        "genres are not those of schema.genres.GENRES in their order": (
            answer[GENRES_OUTPUT] != names
        ),
        "probabilities are not finite": ~finite,
        "probabilities lie outside of 0 to 1": finite & outside,
        "no genre is predicted": ~answer[PREDICTED_OUTPUT].any(axis=1, keepdims=True),
    }
    return _told(what, faults, rows)


def check_probabilities(
    what: str, answer: Answer, expected: Answer, rows: Sequence[str], tolerance: float
) -> tuple[list[str], float]:
    """Compare probabilities with those that all rows together had from `serving_default`.

    Args:
        what: names the answer.
        answer: found sound by `check_answer`, as in `check_decisions`.
        expected: the answer for the same rows among all rows together.
        rows: names of the N rows.
        tolerance: how far two probabilities may lie apart.

    Returns:
        What is wrong, and the largest absolute difference of two probabilities.
    """
    difference = np.abs(answer[PROBABILITIES_OUTPUT] - expected[PROBABILITIES_OUTPUT])
    largest = float(difference.max())
    fault = (
        f"probabilities are up to {largest:.2g} away from those of {SERVING_SIGNATURE} for all "
        f"rows together (allowed: {tolerance:g})"
    )
    return _told(what, {fault: ~(difference <= tolerance)}, rows), largest


def check_decisions(
    what: str, answer: Answer, evaluated: Answer, rows: Sequence[str], tolerance: float
) -> list[str]:
    """Check that decisions follow from the answer's own probabilities.

    The signature `evaluate`, by which the gate has judged the model, gives for each row and genre
    the probability and the distance from the decision threshold, and so the threshold itself. A
    genre must be predicted exactly where its probability is at least the threshold. A probability
    within the tolerance of the threshold may fall on either side. Where no probability reaches its
    threshold by more than the tolerance, the model predicts the one genre that comes nearest, which
    the thresholds do not tell: in such a row any single genre passes.

    Arguments and result are those of `check_probabilities`; `evaluated` has probabilities and
    scores of the signature `evaluate` for the same rows.
    """
    scores, probabilities = (
        logit(np.clip(evaluated[name].astype(np.float64), _EXTREME, 1 - _EXTREME))
        for name in (SCORES_OUTPUT, PROBABILITIES_OUTPUT)
    )
    above = answer[PROBABILITIES_OUTPUT] - expit(probabilities - scores)
    clear = np.abs(above) > tolerance
    predicted = answer[PREDICTED_OUTPUT]
    nearest_only = ~(clear & (above > 0)).any(axis=1) & (predicted.sum(axis=1) == 1)
    wrong = clear & (predicted != (above > 0)) & ~nearest_only[:, np.newaxis]
    fault = (
        f"decisions do not follow from the probabilities and the thresholds of {EVALUATE_SIGNATURE}"
    )
    return _told(what, {fault: wrong}, rows)


def _told(what: str, faults: Mapping[str, npt.NDArray[Any]], rows: Sequence[str]) -> list[str]:
    """A sentence for each fault that any of N rows has, which names the first row and its genre.

    A fault is bool [N, genres], or [N, 1] if it is one of the row as a whole.
    """
    told = []
    for fault, faulty in faults.items():
        for row, column in np.argwhere(faulty)[:1]:
            genre = f", {GENRES[column]}" if faulty.shape[1] > 1 else ""
            count = faulty.any(axis=1).sum()
            told.append(f"{what}: {fault} in {count} of {len(rows)} rows, first {rows[row]}{genre}")
    return told
