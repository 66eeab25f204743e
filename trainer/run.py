"""`run_fn` of the Trainer component: train, calibrate, choose thresholds, export."""

import json
import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from sklearn.metrics import average_precision_score
from tensorboard.plugins.hparams import api as tensorboard
from tfx import v1 as tfx

from schema.errors import UserError
from schema.genres import GENRES, NUM_GENRES
from trainer import data
from trainer.encoder import finetuning
from trainer.encoder.sentence import Weights
from trainer.ensemble import model, thresholds, trees
from trainer.export import signatures as export
from trainer.features import evidence, factors, fields
from trainer.hparams import HParams

VECTORS_FILE: Final = "vectors.npy"
"""What the WordVectors component writes: float32 [ids of `plot_words`, dimensions]."""

RECORD_FILE: Final = "training.json"
"""Hyperparameters, learning curves, thresholds and versions: beside TensorBoard's logs, and with
the model in `assets.extra`, which TensorFlow Serving leaves alone.
"""

UNTITLED: Final = 0.1
"""Share of the training films whose titles the sentence encoder does not see."""

EVAL_BATCH: Final = 256
RECORDED_PACKAGES: Final = ("tfx", "tensorflow", "keras", "tensorflow-transform", "numpy")

log = logging.getLogger(__name__)


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train on the split `train`; stop, calibrate and choose thresholds on the split `eval`.

    Args:
        fn_args: of the Trainer component. `custom_config` may hold `hparams`, the values that
            differ from `HParams`' own; what the Tuner found, in `hyperparameters`, goes before
            them. `base_model` is the directory with the word vectors.

    Raises:
        UserError: the training split has no films.
        ValueError: a hyperparameter is unknown or not allowed.
    """
    started = time.monotonic()
    hparams = resolve_hparams(fn_args.custom_config, fn_args.hyperparameters)
    prepared = prepare(fn_args, hparams)
    network = new_model(hparams, prepared)
    history = fit(network, hparams, prepared, Path(fn_args.model_run_dir))
    decisions = decide(network, prepared.evaluation)
    serving = evidence.build(prepared.factors.for_serving(), hparams, finetuned=prepared.finetuned)
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    export.export(serving, network, decisions, tft_output, fn_args.serving_model_dir)

    record = {
        "hparams": hparams.to_dict() | {"precision": hparams.compute_dtype},
        "parameters": int(network.count_params() + serving.count_params()),
        "history": history,
        "decisions": decisions.to_dict(),
        "seconds": round(time.monotonic() - started, 1),
        "seconds_before": prepared.seconds_before,
        "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
    }
    extra = Path(fn_args.serving_model_dir, "assets.extra")
    extra.mkdir(exist_ok=True)
    for folder in (Path(fn_args.model_run_dir), extra):
        (folder / RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n")


def resolve_hparams(
    custom_config: dict[str, Any] | None, tuned: dict[str, Any] | None = None
) -> HParams:
    """Defaults, then what the configuration sets, then what the Tuner found.

    Args:
        custom_config: of the Trainer or Tuner component, with `hparams` in it, or None.
        tuned: a `keras_tuner.HyperParameters` configuration, or None.

    Raises:
        ValueError: a value is unknown or not allowed.
    """
    hparams = HParams().changed((custom_config or {}).get("hparams", {}))
    if tuned:
        hparams = hparams.changed(keras_tuner.HyperParameters.from_config(tuned).values)
    return hparams


@dataclass(frozen=True)
class Prepared:
    """What a training starts from, whatever its rates and sizes of layers are.

    Attributes:
        train: the training split with its evidence.
        evaluation: the eval split with its evidence.
        factors: see `trainer.features.factors`.
        trees: see `trainer.ensemble.trees`.
        scales: see `trainer.ensemble.model.scaling`.
        word_vectors: float32 [ids of `plot_words`, dimensions].
        finetuned: weights of the sentence encoder, see `trainer.encoder.finetuning`.
        seconds_before: that earlier trainings took to make what was looked up.
    """

    train: data.Rows
    evaluation: data.Rows
    factors: factors.Factors
    trees: trees.Trees
    scales: model.Scaling
    word_vectors: np.ndarray
    finetuned: Weights
    seconds_before: float


def prepare(fn_args: tfx.components.FnArgs, hparams: HParams) -> Prepared:
    """Read both splits, count and factor, and compute the evidence.

    Args:
        fn_args: of the Trainer or Tuner component; `base_model` is the directory with the word
            vectors. `custom_config` may hold `sentence_store`, the directory of sentence vectors
            that are already made.
        hparams: see `HParams`.

    Raises:
        UserError: the training split has no films.
    """
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    train, evaluation = (
        data.load(files, tft_output, with_pieces=hparams.reads_sentences)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    if not len(train):
        raise UserError(
            "the split `train` has no films to train on: look at the counts of CsvExampleGen, and "
            "bring more films or run again with --from CsvExampleGen"
        )
    if hparams.reads_sentences:
        untitled = np.random.default_rng(hparams.seed).random(len(train)) < UNTITLED
        pieces = data.without_titles(train.inputs[data.PIECES], untitled)
        train = train.joined({data.PIECES: pieces})
    fitted = factors.fit(train, data.vocabulary_sizes(tft_output), hparams)
    observer = evidence.build(fitted, hparams, sentences=False)
    store = (fn_args.custom_config or {}).get("sentence_store")
    directory = Path(store) if store else None
    of_train = evidence.observe(observer, train, factors.folds_of(len(train), hparams))
    grown = trees.fit({**train.inputs, **of_train}, train.labels, hparams)
    finetuned, seconds_before = finetuning.finetuned(train, hparams, directory)
    of_train |= evidence.sentences(train, hparams, directory, finetuned)
    of_evaluation = evidence.observe(observer, evaluation)
    of_evaluation |= evidence.sentences(evaluation, hparams, directory, finetuned)
    return Prepared(
        train=train.joined(of_train),
        evaluation=evaluation.joined(of_evaluation),
        factors=fitted,
        trees=grown,
        scales=model.scaling(of_train),
        word_vectors=np.load(Path(fn_args.base_model, VECTORS_FILE)),
        finetuned=finetuned,
        seconds_before=seconds_before,
    )


def new_model(hparams: HParams, prepared: Prepared, leave_out: Collection[str] = ()) -> keras.Model:
    """A compiled model; evidence that its text encoder does not make is left aside.

    Args:
        hparams: see `HParams`.
        prepared: see `Prepared`.
        leave_out: see `trainer.ensemble.model.build`.
    """
    scales = {
        name: scale
        for name, scale in prepared.scales.items()
        if name != fields.SENTENCE or hparams.reads_sentences
    }
    network = model.build(
        hparams, prepared.word_vectors, prepared.factors, prepared.trees, scales, leave_out
    )
    steps = -(-len(prepared.train) // hparams.batch_size) * hparams.epochs
    model.compile_model(network, hparams, steps)
    return network


def fit(
    network: keras.Model, hparams: HParams, prepared: Prepared, log_directory: Path
) -> dict[str, list[float]]:
    """Train until the eval split's mean average precision stops rising; keep the best weights.

    Args:
        network: compiled; trained in place.
        hparams: see `HParams`.
        prepared: see `Prepared`.
        log_directory: TensorBoard's logs go there: hyperparameters, and what this returns.

    Returns:
        Learning curves: `loss`, `val_loss`, `val_map` and `val_macro_f1`, one value a pass.
    """
    names = model.input_names(network)
    log_directory.mkdir(parents=True, exist_ok=True)
    with tf.summary.create_file_writer(str(log_directory)).as_default():
        tensorboard.hparams(hparams.to_dict())
    history = network.fit(
        prepared.train.only(names).batches(hparams.batch_size, hparams.seed),
        epochs=hparams.epochs,
        verbose=0,
        callbacks=callbacks(
            hparams, prepared.evaluation.only(names).batches(EVAL_BATCH), log_directory
        ),
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def callbacks(
    hparams: HParams, evaluation: tf.data.Dataset, log_directory: Path
) -> list[keras.callbacks.Callback]:
    """What watches a training: scores first, since the others read them."""
    return [
        GenreScores(evaluation),
        keras.callbacks.EarlyStopping(
            monitor="val_map", mode="max", patience=hparams.patience, restore_best_weights=True
        ),
        keras.callbacks.TensorBoard(str(log_directory), update_freq="epoch", write_graph=False),
    ]


class GenreScores(keras.callbacks.Callback):
    """Adds the eval split's scores to the logs of each pass.

    `val_loss` is the cross entropy; `val_map` the mean over genres of average precision; and
    `val_macro_f1` the mean of their F1. The members are weighed, and thresholds chosen, on the same
    split, so the scores are a little too good.
    """

    def __init__(self, evaluation: tf.data.Dataset) -> None:
        super().__init__()
        self.evaluation = evaluation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score, and say how far the training is."""
        members, labels = predict(self.model, self.evaluation)
        logits = thresholds.weighed(members, *thresholds.weigh(members, labels))
        probabilities = 1 / (1 + np.exp(-logits))
        chosen = thresholds.choose_thresholds(probabilities, labels)
        scores = {
            "val_loss": float(np.mean(np.logaddexp(0, logits) - labels * logits)),
            "val_map": mean_average_precision(probabilities, labels),
            "val_macro_f1": thresholds.macro_f1(thresholds.predict(probabilities, chosen), labels),
        }
        if logs is not None:
            logs.update(scores)
        log.info(
            "epoch %d of %d: loss %.4f, eval loss %.4f, mAP %.3f, macro-F1 %.3f",
            epoch + 1,
            self.params["epochs"],
            (logs or {}).get("loss", float("nan")),
            scores["val_loss"],
            scores["val_map"],
            scores["val_macro_f1"],
        )


def predict(
    network: keras.Model, batches: Iterable[tuple[data.Inputs, tf.Tensor]]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the members and labels, in the order of the batches.

    Args:
        network: see `trainer.ensemble.model.build`.
        batches: of model inputs and labels.

    Returns:
        Float32 [rows, members, 22] and [rows, 22].
    """
    infer = model.inference(network)
    logits, labels = [], []
    for inputs, truth in batches:
        logits.append(infer(inputs).numpy())
        labels.append(np.asarray(truth))
    if not logits:
        members = network.output_shape[1]
        return np.zeros((0, members, NUM_GENRES), np.float32), np.zeros((0, NUM_GENRES), np.float32)
    return np.concatenate(logits), np.concatenate(labels)


def decide(network: keras.Model, evaluation: data.Rows) -> thresholds.Decisions:
    """Weights and thresholds for each pattern of known fields, from the eval split."""
    batches = evaluation.only(model.input_names(network)).batches(EVAL_BATCH)
    logits, labels = {}, {}
    for pattern in range(len(thresholds.PATTERNS)):
        logits[pattern], labels[pattern] = predict(network, _rows_of_pattern(batches, pattern))
    return thresholds.fit(logits, labels)


def _rows_of_pattern(evaluation: tf.data.Dataset, pattern: int) -> tf.data.Dataset:
    """The rows that know at least what the pattern knows, with the rest hidden."""

    def hidden(inputs: data.Inputs, labels: tf.Tensor) -> tuple[data.Inputs, tf.Tensor]:
        masked = thresholds.hide(inputs, pattern)
        rows = thresholds.pattern_of(masked) == pattern
        kept = {name: tf.boolean_mask(value, rows) for name, value in masked.items()}
        return kept, tf.boolean_mask(labels, rows)

    return evaluation.map(hidden).filter(lambda _, labels: tf.shape(labels)[0] > 0)


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the genres that occur of average precision; both float [N, 22]."""
    scores = [
        average_precision_score(labels[:, g] > 0.5, probabilities[:, g])
        for g in range(len(GENRES))
        if labels[:, g].any()
    ]
    return float(np.mean(scores)) if scores else 0.0
