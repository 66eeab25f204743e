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


def check_answer(signature: str, answer: Answer, rows: Sequence[str]) -> list[str]:
    """Check one answer of `serving_default` or `examples`.

    Args:
        signature: names the answer.
        answer: genres, probabilities and predicted.
        rows: names of the N rows.

    Returns:
        A sentence for each kind of fault, naming the first row.
    """
    shape = (len(rows), len(GENRES))
    wrong = {key: array.shape for key, array in answer.items() if array.shape != shape}
    if wrong:
        return [
            f"{signature}: '{key}' has the shape {list(found)}. Expected: {list(shape)}"
            for key, found in wrong.items()
        ]
    probabilities = answer[PROBABILITIES_OUTPUT]
    finite = np.isfinite(probabilities)
    in_range = ~finite | ((probabilities >= 0) & (probabilities <= 1))
    names = np.array([name.encode() for name in GENRES], object)
    right_genre = np.asarray(answer[GENRES_OUTPUT] == names, dtype=np.bool_)
    some_genre = np.asarray(answer[PREDICTED_OUTPUT].any(axis=1, keepdims=True))
    demands: dict[str, npt.NDArray[Any]] = {
        "genres are not those of schema.genres.GENRES in their order": right_genre,
        "probabilities are not finite": finite,
        "probabilities lie outside of 0 to 1": in_range,
        "no genre is predicted": some_genre,
    }
    return [
        f"{signature}: {fault} in {_where(~met, rows)}"
        for fault, met in demands.items()
        if not met.all()
    ]


def check_probabilities(
    what: str, answer: Answer, expected: Answer, rows: Sequence[str], tolerance: float
) -> tuple[list[str], float]:
    """Compare probabilities with those that all rows together had from `serving_default`.

    Args:
        what: names the answer.
        answer: found sound by `check_answer`.
        expected: the answer for the same rows among all rows together.
        rows: names of the N rows.
        tolerance: how far two probabilities may lie apart.

    Returns:
        What is wrong, and the largest absolute difference of two probabilities.
    """
    difference = np.abs(answer[PROBABILITIES_OUTPUT] - expected[PROBABILITIES_OUTPUT])
    apart = ~(difference <= tolerance)
    if not apart.any():
        return [], float(difference.max())
    return [
        f"{what}: probabilities are up to {difference.max():.2g} away from those of "
        f"{SERVING_SIGNATURE} for all rows together (allowed: {tolerance:g}) in "
        f"{_where(apart, rows)}"
    ], float(difference.max())


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

    Args:
        what: names the answer.
        answer: found sound by `check_answer`.
        evaluated: probabilities and scores of the signature `evaluate` for the same rows.
        rows: names of the N rows.
        tolerance: how far two probabilities for the same row may lie apart.

    Returns:
        What is wrong.
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
    if not wrong.any():
        return []
    return [
        f"{what}: decisions do not follow from the probabilities and the thresholds of "
        f"{EVALUATE_SIGNATURE} in {_where(wrong, rows)}"
    ]


def _where(faulty: npt.NDArray[Any], rows: Sequence[str]) -> str:
    """Names the rows that hold a fault: how many, and the first with its genre.

    Args:
        faulty: bool [N, genres], or [N, 1] for a fault of the row as a whole.
        rows: names of the N rows.
    """
    row, column = (int(position) for position in np.argwhere(faulty)[0])
    genre = f", {GENRES[column]}" if faulty.shape[1] > 1 else ""
    count = int(faulty.any(axis=1).sum())
    return f"{count} of {len(rows)} rows, first {rows[row]}{genre}"
