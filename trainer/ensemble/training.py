"""Training of the deep member, and the decision rule of both members."""

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

from schema.genres import NUM_GENRES
from trainer.data import Inputs, Rows, inference, input_names
from trainer.ensemble import network, thresholds
from trainer.hparams import HParams

EVAL_BATCH: Final = 256

MONITORED: Final = "val_map"
"""Name of the score by which one pass is better than another."""

History = dict[str, list[float]]

log = logging.getLogger(__name__)


def fit(
    deep: keras.Model,
    members: keras.Model,
    hparams: HParams,
    train: Rows,
    evaluation: Rows,
    log_directory: Path,
) -> History:
    """Train until `MONITORED` stops rising; keep the weights of the best pass.

    `deep`, which is one of `members`, is compiled and trained in place. TensorBoard's logs go to
    `log_directory`.

    Returns:
        Learning curves: `loss`, `val_loss`, `val_map` and `val_macro_f1`, one value for each pass.
    """
    steps = -(-len(train) // hparams.batch_size) * hparams.epochs
    network.compile_model(deep, hparams, steps)
    log_directory.mkdir(parents=True, exist_ok=True)
    with tf.summary.create_file_writer(str(log_directory)).as_default():
        tensorboard.hparams(hparams.model_dump())
    history = deep.fit(
        train.only(input_names(deep)).batches(hparams.batch_size, hparams.seed),
        epochs=hparams.epochs,
        verbose=0,
        callbacks=[
            # First, since the others read its scores.
            GenreScores(members, evaluation),
            keras.callbacks.EarlyStopping(
                MONITORED, mode="max", patience=hparams.patience, restore_best_weights=True
            ),
            keras.callbacks.TensorBoard(str(log_directory), update_freq="epoch", write_graph=False),
        ],
    ).history
    return {name: [float(value) for value in values] for name, values in history.items()}


def best_pass(history: History) -> int:
    """The pass, counted from 0, whose weights `fit` keeps: the first with the highest score."""
    return int(np.argmax(history[MONITORED]))


class GenreScores(keras.callbacks.Callback):
    """Adds the eval split's scores to the logs of each pass.

    `val_loss` is the cross entropy, `val_map` the mean over genres of average precision, and
    `val_macro_f1` the mean of their F1. The members are weighed, and thresholds chosen, on the same
    split, so the scores are a little too good.
    """

    def __init__(self, members: keras.Model, evaluation: Rows) -> None:
        super().__init__()
        self.infer = inference(members)
        self.evaluation = evaluation.only(input_names(members)).batches(EVAL_BATCH)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score, and log how far the training is."""
        logs = {} if logs is None else logs
        members, labels = predict(self.infer, self.evaluation)
        logits = thresholds.weighed(members, *thresholds.weigh(members, labels))
        probabilities = expit(logits)
        chosen = thresholds.choose_thresholds(probabilities, labels)
        logs |= {
            "val_loss": float(np.mean(np.logaddexp(0, logits) - labels * logits)),
            MONITORED: mean_average_precision(probabilities, labels),
            "val_macro_f1": thresholds.macro_f1(thresholds.predict(probabilities, chosen), labels),
        }
        log.info(
            "epoch %d of %d: loss %.4f, eval loss %.4f, mAP %.3f, macro-F1 %.3f",
            epoch + 1,
            self.params["epochs"],
            logs.get("loss", float("nan")),
            *(logs[name] for name in ("val_loss", MONITORED, "val_macro_f1")),
        )


def decide(members: keras.Model, evaluation: Rows) -> thresholds.Decisions:
    """Weights and thresholds for each pattern of known fields, from the eval split."""
    batches = evaluation.only(input_names(members)).batches(EVAL_BATCH)
    infer = inference(members)
    logits, labels = {}, {}
    for pattern in range(len(thresholds.PATTERNS)):
        logits[pattern], labels[pattern] = predict(infer, _rows_of_pattern(batches, pattern))
    return thresholds.fit(logits, labels)


def _rows_of_pattern(evaluation: tf.data.Dataset, pattern: int) -> tf.data.Dataset:
    """The rows that know at least what the pattern knows, with the rest hidden."""

    def hidden(inputs: Inputs, labels: tf.Tensor) -> tuple[Inputs, tf.Tensor]:
        masked = thresholds.hide(inputs, pattern)
        rows = thresholds.pattern_of(masked) == pattern
        kept = {name: tf.boolean_mask(value, rows) for name, value in masked.items()}
        return kept, tf.boolean_mask(labels, rows)

    return evaluation.map(hidden).filter(lambda _, labels: tf.shape(labels)[0] > 0)


def predict(
    infer: Callable[[Inputs], Any], batches: Iterable[tuple[Inputs, Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the members, float32 [rows, members, 22], and labels, [rows, 22], of all batches.

    `infer` is the members as `trainer.data.inference` returns them.
    """
    logits = [np.zeros((0, len(network.MEMBERS), NUM_GENRES), np.float32)]
    labels = [np.zeros((0, NUM_GENRES), np.float32)]
    for inputs, truth in batches:
        logits.append(infer(inputs).numpy())
        labels.append(np.asarray(truth))
    return np.concatenate(logits), np.concatenate(labels)


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the genres that occur of average precision; both float [N, 22]."""
    present = labels.any(0)
    if not present.any():
        return 0.0
    return float(average_precision_score(labels[:, present] > 0.5, probabilities[:, present]))
