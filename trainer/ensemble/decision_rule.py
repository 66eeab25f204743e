"""The decision rule: from the members' logits to probabilities and predicted genres.

The fields that are known of a movie determine how reliable its logits are, and those of which
member: thresholds chosen on complete rows are wrong for rows with only a plot. So each missingness
pattern has its own stacking weights and thresholds, which are fitted on the eval split with the
other fields masked. A movie of which nothing is known gets the genres' shares of the training
movies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from scipy import optimize
from scipy.special import expit, logit
from sklearn.metrics import f1_score, precision_recall_curve

from schema import features as raw
from trainer.features import fields
from transform import features as xf

MISSINGNESS_PATTERNS: Final[tuple[str, ...]] = (
    "plot and title only",
    "numbers known",
    "credits known",
    "credits and numbers known",
    "title only",
    "numbers known, no plot",
    "credits known, no plot",
    "credits and numbers known, no plot",
    "nothing known",
)
"""Names of the patterns. Except for the last, the index is 4 * (no plot) + 2 * (people with other
movies known) + (rating and votes known)."""

TITLE_ONLY: Final = MISSINGNESS_PATTERNS.index("title only")
NOTHING_KNOWN: Final = MISSINGNESS_PATTERNS.index("nothing known")
FITTED_PATTERNS: Final = range(NOTHING_KNOWN)
"""Indices of the patterns that are fitted on the eval split."""

THRESHOLD_SHRINKAGE: Final = 300.0
"""Number of positives on the eval split at which the threshold with the best F1 on the labels and
the threshold with the best expected F1 have the same weight."""

L2_PENALTY: Final = 3.0
"""Penalty on the squared distance of a genre's stacking weights from those of all genres.

The loss to which it is added is the sum of the log losses of all movies.
"""

_RATING, _VOTES = raw.NUMBERS.index(raw.RATING), raw.NUMBERS.index(raw.VOTES)


@dataclass(frozen=True)
class DecisionRule:
    """Stacking weights, calibration and thresholds.

    The probability of a genre is the sigmoid of the weighted sum of the members' logits plus an
    intercept. A genre is predicted if its probability reaches its threshold. The genre with the
    highest margin in logits is always predicted.

    Attributes:
        weights: float32 [patterns, members, genres]. Stacking weights by missingness pattern.
        intercepts: float32 [patterns, genres].
        thresholds: float32 [patterns, genres]. Probabilities.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    thresholds: np.ndarray

    def to_dict(self, genres: Sequence[str]) -> dict[str, Any]:
        """Return the values as JSON, by missingness pattern and genre.

        Args:
            genres: Names of the genres, in the order of the arrays' last axis.
        """
        return {
            pattern: {
                genre: {
                    "weights": self.weights[p, :, g].tolist(),
                    "intercept": float(self.intercepts[p, g]),
                    "threshold": float(self.thresholds[p, g]),
                }
                for g, genre in enumerate(genres)
            }
            for p, pattern in enumerate(MISSINGNESS_PATTERNS)
        }

    def apply(self, member_logits: tf.Tensor, patterns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the probability of each genre, and its margin above the threshold in logits.

        A genre is predicted if its margin is at least 0. Each row has at least one such genre.

        Args:
            member_logits: float32 [N, members, genres].
            patterns: int32 [N]. Indices of `MISSINGNESS_PATTERNS`.

        Returns:
            Two float32 tensors [N, genres].
        """
        weights, intercepts = (
            tf.gather(self.weights, patterns),
            tf.gather(self.intercepts, patterns),
        )
        logits = tf.reduce_sum(member_logits * weights, axis=1) + intercepts
        margins = logits - tf.gather(_logit(self.thresholds).astype(np.float32), patterns)
        highest = tf.reduce_max(margins, axis=1, keepdims=True)
        margins = tf.where(margins >= highest, tf.maximum(margins, 0.0), margins)
        return tf.sigmoid(logits), margins


def missingness_patterns(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the index in `MISSINGNESS_PATTERNS` of each row of model inputs; int32 [N]."""
    missing = inputs[xf.NUMBERS_MISSING]
    has_ratings = (missing[:, _RATING] < 0.5) & (missing[:, _VOTES] < 0.5)
    has_people = fields.has_known_people(inputs)
    has_plot, has_title = (
        tf.reduce_any(inputs[name] > 0, axis=1) for name in (xf.PLOT_WORDS, xf.TITLE_WORDS)
    )
    has_credits = tf.reduce_any(inputs[fields.CREDIT_COUNTS] > 0, axis=1)
    has_numbers = tf.reduce_any(missing < 0.5, axis=1)
    bits = tf.stack([has_ratings, has_people, ~has_plot], axis=1)
    pattern = tf.reduce_sum(tf.cast(bits, tf.int32) * [1, 2, 4], axis=1)
    return tf.where(has_plot | has_title | has_credits | has_numbers, pattern, NOTHING_KNOWN)


def mask_to_pattern(inputs: dict[str, tf.Tensor], pattern: int) -> dict[str, tf.Tensor]:
    """Return model inputs without the fields that a missingness pattern lacks.

    Year and running time are masked too for the patterns without people, rating and votes.

    Args:
        inputs: Model inputs by name. Patterns without a plot need `fields.TITLE_VECTORS` if there
            are sentence vectors.
        pattern: Integer. Index in `MISSINGNESS_PATTERNS`.
    """
    masked_numbers = {0: raw.NUMBERS, 1: (), 2: (raw.RATING, raw.VOTES), 3: ()}[pattern % 4]
    numbers = tf.constant([float(name not in masked_numbers) for name in raw.NUMBERS])
    masked = fields.mask_fields(inputs, people=float(pattern & 2 > 0), numbers=numbers)
    return fields.mask_plots(masked) if pattern & 4 else masked


def fit(
    logits: dict[int, np.ndarray], labels: dict[int, np.ndarray], log_odds: np.ndarray
) -> DecisionRule:
    """Fit the stacking weights and choose the thresholds of each missingness pattern.

    A pattern without rows gets the values of all rows together. If nothing is known of a movie, its
    logits are `log_odds`, and the thresholds are those of the pattern `TITLE_ONLY`.

    Args:
        logits: float32 [rows, members, genres] by pattern. Logits of the members.
        labels: float32 [rows, genres] by pattern.
        log_odds: float32 [genres]. Log odds of each genre among the training movies.
    """
    all_rows = np.concatenate(list(logits.values())), np.concatenate(list(labels.values()))
    weights, intercepts, thresholds = [], [], []
    for pattern in FITTED_PATTERNS:
        x, y = (logits[pattern], labels[pattern]) if len(labels[pattern]) else all_rows
        stacking = fit_stacking(x, y)
        weights.append(stacking[0])
        intercepts.append(stacking[1])
        thresholds.append(choose_thresholds(expit(stack_logits(x, *stacking)), y))
    weights.append(np.zeros_like(weights[0]))
    intercepts.append(log_odds)
    thresholds.append(thresholds[TITLE_ONLY])
    return DecisionRule(np.stack(weights), np.stack(intercepts), np.stack(thresholds))


def fit_stacking(member_logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the stacking weights of each genre by logistic regression on the members' logits.

    This is stacking (Wolpert 1992) with non-negative weights, which Breiman 1996 found best. It
    also calibrates the probabilities, as Platt 1999 does for a single model. An L2 penalty shrinks
    the weights of a genre towards those of one regression for all genres, which are shrunk a little
    towards the mean of the members.

    Args:
        member_logits: float [N, members, genres].
        labels: float [N, genres].

    Returns:
        Weights, float32 [members, genres], and intercepts, float32 [genres].
    """
    num_members = member_logits.shape[1]
    mean_of_members = np.append(np.full(num_members, 1 / num_members), 0.0)
    all_genres = member_logits.transpose(0, 2, 1).reshape(-1, num_members)
    shared = _logistic_regression(all_genres, labels.ravel(), mean_of_members, l2_penalty=1.0)
    fitted = np.array(
        [
            _logistic_regression(member_logits[:, :, g], labels[:, g], shared, L2_PENALTY)
            for g in range(labels.shape[1])
        ],
        np.float32,
    )
    return fitted[:, :-1].T, fitted[:, -1]


def stack_logits(
    member_logits: np.ndarray, weights: np.ndarray, intercepts: np.ndarray
) -> np.ndarray:
    """Return the logits of the model, float [N, genres].

    Args:
        member_logits: float [N, members, genres].
        weights: float32 [members, genres]. Weights of `fit_stacking`.
        intercepts: float32 [genres]. Intercepts of `fit_stacking`.
    """
    return (member_logits * weights).sum(axis=1) + intercepts


def choose_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Choose the threshold of each genre that has the best F1, shrunk if positives are few.

    The threshold is the weighted mean, in logits, of the threshold with the best F1 on the labels
    and the threshold with the best expected F1 by the probabilities, which needs no positives
    (Lipton, Elkan and Naryanaswamy 2014, arXiv:1402.1892). The weight of the former is
    `n / (n + THRESHOLD_SHRINKAGE)` for n positives.

    Args:
        probabilities: float [N, genres]. Calibrated probabilities.
        labels: float [N, genres].

    Returns:
        float32 [genres], each value between 0.02 and 0.95.
    """
    thresholds = np.empty(labels.shape[1], np.float32)
    for g in range(labels.shape[1]):
        positives = float(labels[:, g].sum())
        weight = positives / (positives + THRESHOLD_SHRINKAGE)
        expected = _best_threshold(probabilities[:, g], probabilities[:, g])
        empirical = _best_threshold(probabilities[:, g], labels[:, g]) if positives else expected
        thresholds[g] = expit(weight * _logit(empirical) + (1 - weight) * _logit(expected))
    return np.clip(thresholds, 0.02, 0.95)


def predict_genres(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return which genres are predicted, at least one per row; bool [N, genres].

    Args:
        probabilities: float [N, genres].
        thresholds: float [genres] or [N, genres]. Probabilities.
    """
    margins = _logit(probabilities) - _logit(thresholds)
    return (margins >= 0) | (margins >= margins.max(axis=1, keepdims=True))


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean F1 of the genres that occur in `labels`; 0 if none occurs.

    Args:
        predicted: bool [N, genres].
        labels: float [N, genres].
    """
    present = np.flatnonzero(labels.any(0))
    if not len(present):
        return 0.0
    return f1_score(labels > 0.5, predicted, labels=present, average="macro", zero_division=0)


def _best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the threshold with the highest F1, halfway between two neighbouring probabilities.

    If the labels are probabilities, it is the threshold with the highest expected F1.
    """
    # Each row counts as a positive, weighted by its label, and as a negative, weighted by the rest.
    truth = np.repeat([1, 0], len(labels))
    precision, recall, cuts = precision_recall_curve(
        truth, np.tile(probabilities, 2), sample_weight=np.append(labels, 1 - labels)
    )
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    # The curve has one point more than cuts, at its end; of equal F1 the highest cut is chosen.
    best = len(cuts) - 1 - int(np.argmax(f1[-2::-1]))
    below = cuts[best - 1] if best else cuts[best] / 2
    return float(np.clip((cuts[best] + below) / 2, 0.02, 0.95))


def _logistic_regression(
    logits: np.ndarray, labels: np.ndarray, prior: np.ndarray, l2_penalty: float
) -> np.ndarray:
    """Fit a logistic regression with non-negative weights, shrunk towards those of `prior`.

    Args:
        logits: float [rows, columns].
        labels: float [rows].
        prior: float [columns + 1]. Weights, and the intercept last.
        l2_penalty: Float. Penalty on the squared distance from `prior`.

    Returns:
        float [columns + 1]. Weights, and the intercept last.
    """

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = logits @ parameters[:-1] + parameters[-1]
        residual = expit(z) - labels
        distance = parameters - prior
        value = np.sum(np.logaddexp(0, z) - labels * z) + l2_penalty * np.sum(distance**2)
        gradient = np.append(logits.T @ residual, residual.sum()) + 2 * l2_penalty * distance
        return float(value), gradient

    bounds = [(0.0, None)] * logits.shape[1] + [(None, None)]
    return optimize.minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x


def _logit(probability: np.ndarray | float) -> Any:
    """Return the log odds, finite also for 0 and 1."""
    return logit(np.clip(probability, 1e-7, 1 - 1e-7))
