"""Training of the deep network, and fitting of the decision rule of both members."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from scipy.special import expit
from sklearn.metrics import average_precision_score
from tensorboard.plugins.hparams import api as tensorboard

from trainer.data import Inputs, Rows, inference_function, input_names
from trainer.ensemble import decision_rule, network
from trainer.features import fields
from trainer.hparams import HParams
from transform import features as xf

EVAL_BATCH_SIZE: Final = 256

MONITORED_SCORE: Final = "val_map"
"""Score by which the best epoch is chosen."""

History = dict[str, list[float]]
"""Learning curves: values by name, one value per epoch."""

log = logging.getLogger(__name__)


def fit(
    deep: keras.Model,
    members: keras.Model,
    hparams: HParams,
    train: Rows,
    evaluation: Rows,
    log_directory: Path,
) -> History:
    """Train until `MONITORED_SCORE` stops rising, and restore the weights of the best epoch.

    Args:
        deep: Deep network of `members`; compiled and trained in place.
        members: Model with both members.
        hparams: Hyperparameters of the training.
        train: Training split.
        evaluation: Eval split.
        log_directory: Directory of TensorBoard's logs.

    Returns:
        The learning curves `loss`, `val_loss`, `val_map` and `val_macro_f1`.
    """
    steps = -(-len(train) // hparams.batch_size) * hparams.epochs
    network.compile_model(deep, hparams, steps)
    log_directory.mkdir(parents=True, exist_ok=True)
    with tf.summary.create_file_writer(str(log_directory)).as_default():
        tensorboard.hparams(hparams.model_dump())
    history = deep.fit(
        train.select(input_names(deep)).batches(hparams.batch_size, hparams.seed),
        epochs=hparams.epochs,
        verbose=0,
        callbacks=[
            # GenreScores comes first, because the other callbacks read its scores.
            GenreScores(members, evaluation),
            keras.callbacks.EarlyStopping(
                MONITORED_SCORE, mode="max", patience=hparams.patience, restore_best_weights=True
            ),
            keras.callbacks.TensorBoard(str(log_directory), update_freq="epoch", write_graph=False),
        ],
    ).history
    return {name: [float(value) for value in values] for name, values in history.items()}


def best_epoch(history: History) -> int:
    """Return the index of the epoch whose weights `fit` restores.

    It is the first epoch with the highest `MONITORED_SCORE`.
    """
    return int(np.argmax(history[MONITORED_SCORE]))


class GenreScores(keras.callbacks.Callback):
    """Callback that adds the scores on the eval split to the logs of each epoch.

    `val_loss` is the binary cross entropy, `val_map` the mean average precision over the genres,
    and `val_macro_f1` their mean F1. Stacking weights and thresholds are fitted on the same split,
    so the scores are slightly optimistic.

    Args:
        members: Model with both members.
        evaluation: Eval split.
    """

    def __init__(self, members: keras.Model, evaluation: Rows) -> None:
        super().__init__()
        self.infer = inference_function(members)
        self.num_genres = evaluation.labels.shape[1]
        self.batches = evaluation.select(input_names(members)).batches(EVAL_BATCH_SIZE)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compute and log the scores of an epoch."""
        logs = {} if logs is None else logs
        member_logits, labels = predict_logits(self.infer, self.batches, self.num_genres)
        stacking = decision_rule.fit_stacking(member_logits, labels)
        logits = decision_rule.stack_logits(member_logits, *stacking)
        probabilities = expit(logits)
        thresholds = decision_rule.choose_thresholds(probabilities, labels)
        predicted = decision_rule.predict_genres(probabilities, thresholds)
        logs |= {
            "val_loss": float(np.mean(np.logaddexp(0, logits) - labels * logits)),
            MONITORED_SCORE: mean_average_precision(probabilities, labels),
            "val_macro_f1": decision_rule.macro_f1(predicted, labels),
        }
        log.info(
            "epoch %d of %d: loss %.4f, eval loss %.4f, mAP %.3f, macro-F1 %.3f",
            epoch + 1,
            self.params["epochs"],
            logs.get("loss", float("nan")),
            *(logs[name] for name in ("val_loss", MONITORED_SCORE, "val_macro_f1")),
        )


def fit_decision_rule(
    members: keras.Model, evaluation: Rows, log_odds: np.ndarray
) -> decision_rule.DecisionRule:
    """Fit the decision rule of each missingness pattern on the eval split.

    Args:
        members: Model with both members.
        evaluation: Eval split.
        log_odds: float32 [genres]. Log odds of each genre among the training movies.
    """
    names = {*input_names(members), xf.PLOT_WORDS, xf.TITLE_WORDS}
    names |= evaluation.inputs.keys() & {fields.TITLE_VECTORS}
    batches = evaluation.select(names).batches(EVAL_BATCH_SIZE)
    infer = inference_function(members)
    logits, labels = {}, {}
    for pattern in decision_rule.FITTED_PATTERNS:
        masked = _mask_batches(batches, pattern, input_names(members))
        logits[pattern], labels[pattern] = predict_logits(infer, masked, len(log_odds))
    return decision_rule.fit(logits, labels, log_odds)


def _mask_batches(batches: tf.data.Dataset, pattern: int, names: list[str]) -> tf.data.Dataset:
    """Mask the fields that a missingness pattern lacks, and drop rows that have fewer fields.

    Args:
        batches: Pairs of model inputs and labels.
        pattern: Integer. Index of the missingness pattern.
        names: Names of the inputs to return.
    """

    def mask(inputs: Inputs, labels: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        masked = decision_rule.mask_to_pattern(inputs, pattern)
        has_pattern = decision_rule.missingness_patterns(masked) == pattern
        selected = {name: tf.boolean_mask(masked[name], has_pattern) for name in names}
        return selected, tf.boolean_mask(labels, has_pattern)

    return batches.map(mask).filter(lambda _, labels: tf.shape(labels)[0] > 0)


def predict_logits(
    infer: Callable[[Inputs], Any], batches: Iterable[tuple[Inputs, Any]], num_genres: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the logits of the members.

    Args:
        infer: Members as a function, from `trainer.data.inference_function`.
        batches: Pairs of model inputs and labels; there may be none.
        num_genres: Integer. Number of genres.

    Returns:
        Logits, float32 [rows, members, genres], and labels, float32 [rows, genres], of all batches.
    """
    logits = [np.zeros((0, len(network.MEMBERS), num_genres), np.float32)]
    labels = [np.zeros((0, num_genres), np.float32)]
    for inputs, batch_labels in batches:
        logits.append(infer(inputs).numpy())
        labels.append(np.asarray(batch_labels))
    return np.concatenate(logits), np.concatenate(labels)


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean average precision of the genres that occur in `labels`; 0 if none occurs.

    Args:
        probabilities: float [N, genres].
        labels: float [N, genres].
    """
    present = labels.any(0)
    if not present.any():
        return 0.0
    return float(average_precision_score(labels[:, present] > 0.5, probabilities[:, present]))
