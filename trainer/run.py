"""`run_fn` of the Trainer component: train, calibrate, choose thresholds, export."""

import json
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import keras
import keras_tuner
import numpy as np
import tensorflow_transform as tft
from tfx import v1 as tfx

from schema.errors import UserError
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE, WORD_VECTORS_FILE, Split
from trainer import data, precision
from trainer.encoder.fine_tuning import FineTunedWeights, load_or_fine_tune
from trainer.encoder.sentence import SentenceEncoder, Weights
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.ensemble import network, training, trees
from trainer.export import signatures
from trainer.features import network as features
from trainer.hparams import HParams

UNTITLED: Final = 0.1
"""Share of the training movies whose titles the sentence encoder does not see."""

RECORDED_PACKAGES: Final = ("tfx", "tensorflow", "keras", "tensorflow-transform", "numpy")


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train on the split `train`; stop, calibrate and choose thresholds on the split `eval`.

    See `resolve_hparams` and `prepare` for the arguments of the Trainer component that are used.

    Raises:
        UserError: the training split or the eval split has no movies.
        pydantic.ValidationError: a hyperparameter is unknown or not allowed.
    """
    started = time.monotonic()
    hparams = resolve_hparams(fn_args.custom_config, fn_args.hyperparameters)
    prepared = prepare(fn_args, hparams)
    members, history = train(hparams, prepared, Path(fn_args.model_run_dir))
    decisions = training.decide(members, prepared.evaluation)
    extracted = features.build(prepared.fitted.for_serving(), hparams)
    encoder = None
    if hparams.reads_sentences:
        encoder = SentenceEncoder.from_hparams(hparams, weight_overrides=prepared.finetuned)
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    folder = Path(fn_args.serving_model_dir)
    signatures.export(extracted, encoder, members, decisions, tft_output, folder)

    parts = (extracted, members, encoder)
    record = {
        "hparams": hparams.model_dump() | {"precision": precision.resolve(hparams.precision)},
        "parameters": sum(int(part.count_params()) for part in parts if part is not None),
        "history": history,
        "best_pass": training.best_pass(history),
        "decisions": decisions.to_dict(),
        "seconds": round(time.monotonic() - started, 1),
        "seconds_before": prepared.seconds_before,
        "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
    }
    for place in (Path(fn_args.model_run_dir), folder / EXTRA_ASSETS):
        (place / TRAINING_RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n")


def resolve_hparams(
    custom_config: dict[str, Any] | None, tuned: dict[str, Any] | None = None
) -> HParams:
    """Join the configuration with what the Tuner found, each None if there is none.

    Of `custom_config`, `hparams` are the hyperparameters that were set, and `over_search` those of
    them that go before the Tuner's, which are the configuration of `keras_tuner.HyperParameters`.

    Raises:
        pydantic.ValidationError: a value is unknown or not allowed.
    """
    config = custom_config or {}
    found = keras_tuner.HyperParameters.from_config(tuned).values if tuned else {}
    return HParams.model_validate(config.get("hparams", {}) | found | config.get("over_search", {}))


@dataclass(frozen=True)
class Prepared:
    """What a training starts from; nothing that the Tuner searches changes it.

    Attributes:
        train: the training split with all features, out of fold.
        evaluation: the eval split with all features.
        word_vectors: float32 [ids of `plot_words`, dimensions].
        finetuned: weights of the sentence encoder, empty without fine-tuning.
        seconds_before: duration of an earlier training's fine-tuning, if its result was found.
    """

    train: data.Rows
    evaluation: data.Rows
    fitted: features.Fitted
    grown: trees.Trees
    scales: network.Scaling
    word_vectors: np.ndarray
    finetuned: Weights
    seconds_before: float


def prepare(fn_args: tfx.components.FnArgs, hparams: HParams) -> Prepared:
    """Read both splits, fit what is fitted before any gradient, and compute all features.

    `base_model` is the directory with the word vectors; `sentence_store` in `custom_config`, if
    given, that of the sentence vectors that are already made.

    Raises:
        UserError: a split has no movies.
    """
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = _read(Split.TRAIN, fn_args.train_files, tft_output, hparams)
    evaluation = _read(Split.EVAL, fn_args.eval_files, tft_output, hparams)
    fitted = features.fit(train, hparams)
    extract = features.build(fitted, hparams)
    of_train = features.compute(extract, train, features.folds_of(train, hparams))
    of_evaluation = features.compute(extract, evaluation)
    grown = trees.fit(train.joined(of_train), hparams)
    weights, seconds_before = FineTunedWeights({}, 0.0)
    if hparams.reads_sentences:
        untitled = np.random.default_rng(hparams.seed).random(len(train)) < UNTITLED
        pieces = data.without_titles(train.inputs[data.PIECES], untitled)
        train = train.joined({data.PIECES: pieces})
        store = (fn_args.custom_config or {}).get("sentence_store")
        directory = Path(store) if store else None
        weights, seconds_before = load_or_fine_tune(train, hparams, directory)
        vectors = SentenceVectorStore(directory, hparams, weights)
        of_train[network.SENTENCE] = vectors.encode(train.inputs[data.PIECES])
        of_evaluation[network.SENTENCE] = vectors.encode(evaluation.inputs[data.PIECES])
    return Prepared(
        train=train.joined(of_train),
        evaluation=evaluation.joined(of_evaluation),
        fitted=fitted,
        grown=grown,
        scales=network.scaling(of_train),
        word_vectors=np.load(Path(fn_args.base_model, WORD_VECTORS_FILE)),
        finetuned=weights,
        seconds_before=seconds_before,
    )


def _read(
    split: Split, files: list[str], tft_output: tft.TFTransformOutput, hparams: HParams
) -> data.Rows:
    rows = data.load(files, tft_output, with_pieces=hparams.reads_sentences)
    if not len(rows):
        raise UserError(
            f"the split `{split}` has no movies: look at the counts of CsvExampleGen, and bring "
            "more movies or run again with --from CsvExampleGen"
        )
    return rows


def train(
    hparams: HParams, prepared: Prepared, log_directory: Path
) -> tuple[keras.Model, training.History]:
    """Train both members, and return them with the learning curves.

    TensorBoard's logs go to `log_directory`.
    """
    log_odds = prepared.train.log_odds()
    deep = network.build(hparams, prepared.word_vectors, log_odds, prepared.scales)
    members = network.members(deep, prepared.grown)
    splits = prepared.train, prepared.evaluation
    return members, training.fit(deep, members, hparams, *splits, log_directory)
