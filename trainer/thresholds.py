"""From logits to decisions: calibration and thresholds by genre, for each pattern of known fields.

What is known about a film changes how far its logits can be trusted: thresholds chosen on complete
rows are wrong for rows with a plot alone. So each of four patterns (credits known or not, numbers
known or not) has a calibration and thresholds of its own, fitted on the eval split with the fields
of the other patterns hidden.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from scipy import optimize

from schema import features as raw
from schema.genres import GENRES, NUM_GENRES
from trainer import fields
from transform import features as xf

PATTERNS: Final[tuple[str, ...]] = (
    "plot and title only",
    "numbers known",
    "credits known",
    "credits and numbers known",
)
"""Index = 2 * (people known whose other films are known) + (rating and votes known)."""

SHRINKAGE: Final = 30.0
"""Positives on the eval split at which a genre's own choice weighs as much as the one of all
genres.
"""

_RATING, _VOTES = raw.NUMBERS.index(raw.RATING), raw.NUMBERS.index(raw.VOTES)


@dataclass(frozen=True)
class Decisions:
    """Calibration and thresholds.

    The probability of a genre is `sigmoid(scale * logit + shift)`; it is predicted where that
    reaches the threshold, and the genre nearest to its threshold (in logits) always.

    Attributes:
        scale: float32 [4, 22], by pattern and genre.
        shift: float32 [4, 22].
        threshold: float32 [4, 22], a probability.
    """

    scale: np.ndarray
    shift: np.ndarray
    threshold: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """For reports: pattern -> genre -> threshold and calibration."""
        return {
            pattern: {
                genre: {
                    "scale": float(self.scale[p, g]),
                    "shift": float(self.shift[p, g]),
                    "threshold": float(self.threshold[p, g]),
                }
                for g, genre in enumerate(GENRES)
            }
            for p, pattern in enumerate(PATTERNS)
        }

    def margins(self, logits: tf.Tensor, pattern: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Probabilities, and how far each genre is above its threshold.

        Args:
            logits: float32 [N, 22].
            pattern: int32 [N], see `PATTERNS`.

        Returns:
            Probabilities, float32 [N, 22], and margins in logits, float32 [N, 22]; a genre is
            predicted where its margin is at least 0. Each row has at least one such genre.
        """
        scale, shift = tf.gather(self.scale, pattern), tf.gather(self.shift, pattern)
        calibrated = logits * scale + shift
        margin = calibrated - tf.gather(_logit(self.threshold).astype(np.float32), pattern)
        best = tf.reduce_max(margin, axis=1, keepdims=True)
        margin = tf.where(margin >= best, tf.maximum(margin, 0.0), margin)
        return tf.sigmoid(calibrated), margin


def pattern_of(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Which fields of each row are known.

    Args:
        inputs: model inputs with evidence, see `trainer.fields`.

    Returns:
        int32 [N], an index of `PATTERNS`.
    """
    missing = inputs[xf.NUMBERS_MISSING]
    numbers = (missing[:, _RATING] < 0.5) & (missing[:, _VOTES] < 0.5)
    return 2 * tf.cast(fields.anyone_known(inputs), tf.int32) + tf.cast(numbers, tf.int32)


def hide(inputs: dict[str, tf.Tensor], pattern: int) -> dict[str, tf.Tensor]:
    """Model inputs with the fields hidden that `pattern` does not know.

    Without credits and numbers the year and the running time are hidden too: `plot and title only`.
    """
    lost = {0: raw.NUMBERS, 1: (), 2: (raw.RATING, raw.VOTES), 3: ()}[pattern]
    kept: dict[str, tf.Tensor] = fields.keep(
        inputs,
        people=float(pattern & 2 > 0),
        numbers=tf.constant([float(name not in lost) for name in raw.NUMBERS]),
    )
    return kept


def fit(logits: dict[int, np.ndarray], labels: dict[int, np.ndarray]) -> Decisions:
    """Calibrate and choose thresholds for every pattern.

    Args:
        logits: float32 [rows, 22] by pattern, from rows that have that pattern.
        labels: float32 [rows, 22] by pattern. A pattern may have no rows: it then takes what all
            rows together give.

    Returns:
        The decisions.
    """
    scale = np.ones((len(PATTERNS), NUM_GENRES), np.float32)
    shift, threshold = np.zeros_like(scale), np.full_like(scale, 0.5)
    all_logits = np.concatenate(list(logits.values()))
    all_labels = np.concatenate(list(labels.values()))
    for pattern in range(len(PATTERNS)):
        x, y = logits[pattern], labels[pattern]
        if not len(x):
            x, y = all_logits, all_labels
        scale[pattern], shift[pattern] = calibrate(x, y)
        probabilities = 1 / (1 + np.exp(-(x * scale[pattern] + shift[pattern])))
        threshold[pattern] = choose_thresholds(probabilities, y)
    return Decisions(scale, shift, threshold)


def calibrate(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Platt scaling by genre (Platt 1999), shrunk towards one scaling of all genres.

    Args:
        logits: float [N, 22].
        labels: float [N, 22].

    Returns:
        Scale and shift, float32 [22] each; scale is always positive, so no ranking changes.
    """
    overall = _platt(logits.ravel(), labels.ravel(), prior=(0.0, 0.0), strength=1.0)
    fitted = np.array(
        [
            _platt(logits[:, g], labels[:, g], prior=overall, strength=SHRINKAGE / 10)
            for g in range(labels.shape[1])
        ]
    )
    return np.exp(fitted[:, 0]).astype(np.float32), fitted[:, 1].astype(np.float32)


def choose_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The threshold by genre with the best F1, shrunk where positives are few.

    The shrinkage mixes, in logits, a genre's own best threshold on the labels with the one that is
    best if the probabilities are taken at their word: that has the highest expected F1, and needs
    no positives to be seen (Lipton, Elkan and Naryanaswamy 2014, arXiv:1402.1892). The weight of
    the former is `n / (n + SHRINKAGE)` for n positives.

    Args:
        probabilities: float [N, 22], calibrated.
        labels: float [N, 22].

    Returns:
        float32 [22], each in [0.02, 0.95].
    """
    chosen = np.empty(labels.shape[1], np.float32)
    for g in range(labels.shape[1]):
        positives = float(labels[:, g].sum())
        weight = positives / (positives + SHRINKAGE)
        expected = _best_threshold(probabilities[:, g], probabilities[:, g])
        own = _best_threshold(probabilities[:, g], labels[:, g]) if positives else expected
        mixed = weight * _logit(own) + (1 - weight) * _logit(expected)
        chosen[g] = 1 / (1 + np.exp(-mixed))
    return np.clip(chosen, 0.02, 0.95)


def predict(probabilities: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Decide, at least one genre a row.

    Args:
        probabilities: float [N, 22].
        threshold: float [22] or [N, 22].

    Returns:
        bool [N, 22].
    """
    margin = _logit(probabilities) - _logit(threshold)
    return (margin >= 0) | (margin >= margin.max(axis=1, keepdims=True))


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean F1 over the genres that occur in `labels`; both [N, 22]."""
    truth = labels > 0.5
    hits = (predicted & truth).sum(0)
    f1 = 2 * hits / np.maximum(predicted.sum(0) + truth.sum(0), 1)
    present = truth.any(0)
    return float(f1[present].mean()) if present.any() else 0.0


def _best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The cut with the highest F1; halfway between the two neighbouring probabilities.

    The labels may be probabilities themselves: the F1 is then the expected one.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    hits = np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + max(labels.sum(), 1e-9))
    # Equal probabilities fall on the same side, so a cut inside such a run cannot be made.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    best = int(np.argmax(f1))
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] / 2
    return float(np.clip((ranked[best] + below) / 2, 0.02, 0.95))


def _platt(
    logits: np.ndarray, labels: np.ndarray, prior: tuple[float, float], strength: float
) -> tuple[float, float]:
    """Log-scale and shift with the least log loss, pulled towards `prior`."""

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.exp(parameters[0]) * logits + parameters[1]
        residual = 1 / (1 + np.exp(-z)) - labels
        away = parameters - np.array(prior)
        value = np.sum(np.logaddexp(0, z) - labels * z) + strength * np.sum(away**2)
        slope = np.array([np.sum(residual * logits) * np.exp(parameters[0]), np.sum(residual)])
        return float(value), slope + 2 * strength * away

    bounds = [(-2.0, 2.0), (-5.0, 5.0)]
    found = optimize.minimize(loss, np.array(prior), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def _logit(probability: np.ndarray | float) -> Any:
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.log(clipped) - np.log1p(-clipped)
