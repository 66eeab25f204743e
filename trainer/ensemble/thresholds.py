"""From the members' logits to decisions, by genre and by pattern of known fields.

What is known about a movie changes how far its logits can be trusted, and which member of the model
knows best: thresholds chosen on complete rows are wrong for rows with a plot alone. So each of four
patterns (credits known or not, numbers known or not) has weights and thresholds of its own, fitted
on the eval split with the fields of the other patterns hidden.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from scipy import optimize
from scipy.special import expit, logit
from sklearn.metrics import f1_score, precision_recall_curve

from schema import features as raw
from schema.genres import GENRES
from trainer.features import fields
from transform import features as xf

PATTERNS: Final[tuple[str, ...]] = (
    "plot and title only",
    "numbers known",
    "credits known",
    "credits and numbers known",
)
"""Index = 2 * (people known whose other movies are known) + (rating and votes known)."""

SHRINKAGE: Final = 300.0
"""Number of positives on the eval split at which the threshold that is best on the labels weighs as
much as the one that is best by the probabilities."""

PULL: Final = 3.0
"""Strength by which a genre's weights are pulled towards those of all genres: log loss, summed over
the movies, by squared distance."""

_RATING, _VOTES = raw.NUMBERS.index(raw.RATING), raw.NUMBERS.index(raw.VOTES)


@dataclass(frozen=True)
class Decisions:
    """Weights, calibration and thresholds.

    The probability of a genre is the sigmoid of the members' weighted logits and a shift; it is
    predicted where that reaches the threshold, and the genre nearest to its threshold (in logits)
    always.

    Attributes:
        weights: float32 [4, members, 22], by pattern, member and genre.
        shift: float32 [4, 22].
        threshold: float32 [4, 22], a probability.
    """

    weights: np.ndarray
    shift: np.ndarray
    threshold: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """For reports: pattern -> genre -> threshold and calibration."""
        return {
            pattern: {
                genre: {
                    "weights": self.weights[p, :, g].tolist(),
                    "shift": float(self.shift[p, g]),
                    "threshold": float(self.threshold[p, g]),
                }
                for g, genre in enumerate(GENRES)
            }
            for p, pattern in enumerate(PATTERNS)
        }

    def margins(self, members: tf.Tensor, pattern: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Probabilities, and how far each genre is above its threshold in logits.

        Args:
            members: float32 [N, members, 22], logits of the members.
            pattern: int32 [N], index of `PATTERNS`.

        Returns:
            float32 [N, 22] each. A genre is predicted where its margin is at least 0; each row has
            at least one such genre.
        """
        weights, shift = tf.gather(self.weights, pattern), tf.gather(self.shift, pattern)
        calibrated = tf.reduce_sum(members * weights, axis=1) + shift
        margin = calibrated - tf.gather(_logit(self.threshold).astype(np.float32), pattern)
        best = tf.reduce_max(margin, axis=1, keepdims=True)
        margin = tf.where(margin >= best, tf.maximum(margin, 0.0), margin)
        return tf.sigmoid(calibrated), margin


def pattern_of(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Which fields of each row are known: int32 [N], an index of `PATTERNS`."""
    missing = inputs[xf.NUMBERS_MISSING]
    numbers = (missing[:, _RATING] < 0.5) & (missing[:, _VOTES] < 0.5)
    return 2 * tf.cast(fields.anyone_known(inputs), tf.int32) + tf.cast(numbers, tf.int32)


def hide(inputs: dict[str, tf.Tensor], pattern: int) -> dict[str, tf.Tensor]:
    """Model inputs with the fields hidden that `pattern` does not know.

    Without credits and numbers the year and the running time are hidden too: `plot and title only`.
    """
    lost = {0: raw.NUMBERS, 1: (), 2: (raw.RATING, raw.VOTES), 3: ()}[pattern]
    numbers = tf.constant([float(name not in lost) for name in raw.NUMBERS])
    return fields.keep(inputs, people=float(pattern & 2 > 0), numbers=numbers)


def fit(logits: dict[int, np.ndarray], labels: dict[int, np.ndarray]) -> Decisions:
    """Weigh the members and choose thresholds for every pattern.

    `logits` of the members, float32 [rows, members, 22], and `labels`, float32 [rows, 22], are by
    pattern. A pattern may have no rows: it then takes what all rows together give.
    """
    everything = np.concatenate(list(logits.values())), np.concatenate(list(labels.values()))
    weights, shift, threshold = [], [], []
    for pattern in range(len(PATTERNS)):
        x, y = (logits[pattern], labels[pattern]) if len(labels[pattern]) else everything
        of_members, constant = weigh(x, y)
        weights.append(of_members)
        shift.append(constant)
        threshold.append(choose_thresholds(expit(weighed(x, of_members, constant)), y))
    return Decisions(np.stack(weights), np.stack(shift), np.stack(threshold))


def weigh(members: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far to trust each member on each genre: a logistic regression on their logits.

    It stacks the members (Wolpert 1992; with weights that are not negative, as Breiman 1996 found
    best), and calibrates them at once, as Platt 1999 does a single one. Each genre is pulled
    towards one regression of all genres, that one a little towards the members' mean.

    Logits of the members, float [N, members, 22], and labels, float [N, 22], in; weights, float32
    [members, 22], and shift, float32 [22], out.
    """
    count = members.shape[1]
    mean = np.append(np.full(count, 1 / count), 0.0)
    together = members.transpose(0, 2, 1).reshape(-1, count)
    overall = _regression(together, labels.ravel(), prior=mean, pull=1.0)
    fitted = np.array(
        [
            _regression(members[:, :, g], labels[:, g], prior=overall, pull=PULL)
            for g in range(labels.shape[1])
        ],
        np.float32,
    )
    return fitted[:, :-1].T, fitted[:, -1]


def weighed(members: np.ndarray, weights: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Logits of the model, float [N, 22], from those of its members; see `weigh`."""
    return (members * weights).sum(axis=1) + shift


def choose_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The threshold by genre with the best F1, shrunk where positives are few.

    The shrinkage mixes, in logits, a genre's own best threshold on the labels with the one that is
    best if the probabilities are taken at their word: that has the highest expected F1, and needs
    no positives to be seen (Lipton, Elkan and Naryanaswamy 2014, arXiv:1402.1892). The weight of
    the former is `n / (n + SHRINKAGE)` for n positives.

    Calibrated probabilities and labels, float [N, 22], in; float32 [22] out, each in [0.02, 0.95].
    """
    chosen = np.empty(labels.shape[1], np.float32)
    for g in range(labels.shape[1]):
        positives = float(labels[:, g].sum())
        weight = positives / (positives + SHRINKAGE)
        expected = _best_threshold(probabilities[:, g], probabilities[:, g])
        own = _best_threshold(probabilities[:, g], labels[:, g]) if positives else expected
        chosen[g] = expit(weight * _logit(own) + (1 - weight) * _logit(expected))
    return np.clip(chosen, 0.02, 0.95)


def predict(probabilities: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Decide, at least one genre a row: bool [N, 22]; the threshold is float [22] or [N, 22]."""
    margin = _logit(probabilities) - _logit(threshold)
    return (margin >= 0) | (margin >= margin.max(axis=1, keepdims=True))


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean F1 over the genres that occur in `labels`; both [N, 22]."""
    present = np.flatnonzero(labels.any(0))
    if not len(present):
        return 0.0
    return f1_score(labels > 0.5, predicted, labels=present, average="macro", zero_division=0)


def _best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The cut with the highest F1; halfway between the two neighbouring probabilities.

    The labels may be probabilities themselves: the F1 is then the expected one.
    """
    # Each row counts as a movie of the genre and as one of others, by its label.
    truth = np.repeat([1, 0], len(labels))
    precision, recall, cuts = precision_recall_curve(
        truth, np.tile(probabilities, 2), sample_weight=np.append(labels, 1 - labels)
    )
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    # The last point of the curve is beyond the highest cut; of equal ones the highest cut counts.
    best = len(cuts) - 1 - int(np.argmax(f1[-2::-1]))
    below = cuts[best - 1] if best else cuts[best] / 2
    return float(np.clip((cuts[best] + below) / 2, 0.02, 0.95))


def _regression(
    logits: np.ndarray, labels: np.ndarray, prior: np.ndarray, pull: float
) -> np.ndarray:
    """Logistic regression whose weights are not negative, pulled towards those of `prior`.

    `logits` are float [rows, columns]; weights and shift, here and in `prior`, [columns + 1].
    """

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = logits @ parameters[:-1] + parameters[-1]
        residual = expit(z) - labels
        away = parameters - prior
        value = np.sum(np.logaddexp(0, z) - labels * z) + pull * np.sum(away**2)
        return float(value), np.append(logits.T @ residual, residual.sum()) + 2 * pull * away

    bounds = [(0.0, None)] * logits.shape[1] + [(None, None)]
    return optimize.minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x


def _logit(probability: np.ndarray | float) -> Any:
    """Log odds, finite for 0 and 1 too."""
    return logit(np.clip(probability, 1e-7, 1 - 1e-7))
