"""`run_fn` of the Trainer component: train, fit the decision rule, export."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import keras
import keras_tuner
import numpy as np
import tensorflow_transform as tft
from tfx import v1 as tfx

from schema import manifest
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE, WORD_VECTORS_FILE, Split
from trainer import data, precision
from trainer.encoder.fine_tuning import FineTunedWeights, load_or_fine_tune
from trainer.encoder.sentence import SentenceEncoder, Weights
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.ensemble import network, training, trees
from trainer.export import signatures
from trainer.features import extractor, fields
from trainer.hparams import HParams
from transform import features as xf
from transform.language import Language

TITLE_DROPOUT: Final = 0.1
"""Share of the training movies that the sentence encoder reads without their title."""

MIN_LANGUAGE_SHARE: Final = 0.05
"""Share of the training plots above which a model is familiar with their language."""

RECORDED_PACKAGES: Final = ("tfx", "tensorflow", "keras", "tensorflow-transform", "numpy")
"""Packages whose versions are part of the training record."""


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Train the model, fit its decision rule on the eval split, and export it.

    The Trainer component calls this function.

    Args:
        fn_args: Arguments of the Trainer component. `custom_config` has the arguments of
            `resolve_hparams` and `prepare`, and `genres`, the names of the genres in the order of
            the labels; by default those of `schema.genres.GENRES`.

    Raises:
        UserError: The split `train` or `eval` has no movies.
        pydantic.ValidationError: A hyperparameter is unknown or invalid.
    """
    started = time.monotonic()
    hparams = resolve_hparams(fn_args.custom_config, fn_args.hyperparameters)
    genres = tuple((fn_args.custom_config or {}).get("genres", GENRES))
    training_inputs = prepare(fn_args, hparams)
    members, history = train(hparams, training_inputs, Path(fn_args.model_run_dir))
    decision_rule = training.fit_decision_rule(
        members, training_inputs.evaluation, training_inputs.train.genre_log_odds()
    )
    feature_extractor = extractor.build(training_inputs.fitted_features.for_serving(), hparams)
    encoder = None
    if hparams.has_sentence_encoder:
        encoder = SentenceEncoder.from_hparams(
            hparams, weight_overrides=training_inputs.encoder_weights
        )
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    model_directory = Path(fn_args.serving_model_dir)
    languages = data.count_values(fn_args.train_files, tft_output, xf.LANGUAGE)
    signatures.export(
        feature_extractor,
        encoder,
        members,
        decision_rule,
        genres,
        familiar_languages(languages),
        tft_output,
        model_directory,
    )

    parts = (feature_extractor, members, encoder)
    record = {
        "genres": genres,
        "languages": languages,
        "hparams": hparams.model_dump() | {"precision": precision.resolve(hparams.precision)},
        "parameters": sum(int(part.count_params()) for part in parts if part is not None),
        "history": history,
        "best_epoch": training.best_epoch(history),
        "decision_rule": decision_rule.to_dict(genres),
        "seconds": round(time.monotonic() - started, 1),
        "cached_finetuning_seconds": training_inputs.cached_finetuning_seconds,
        "versions": {name: metadata.version(name) for name in RECORDED_PACKAGES},
    }
    for directory in (Path(fn_args.model_run_dir), model_directory / EXTRA_ASSETS):
        (directory / TRAINING_RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n")
    manifest.write(model_directory)


def familiar_languages(counts: Mapping[str, int]) -> tuple[Language, ...]:
    """Return the languages of more than `MIN_LANGUAGE_SHARE` of the training plots with letters.

    `Language.NONE` is among them, since nobody need be warned of a plot without letters.

    Args:
        counts: Number of training plots by language.

    >>> familiar_languages({"English": 900, "Cyrillic": 60, "other Latin": 9, "none": 31})
    (<Language.ENGLISH: 'English'>, <Language.CYRILLIC: 'Cyrillic'>, <Language.NONE: 'none'>)
    """
    total = sum(counts.values()) - counts.get(Language.NONE, 0)
    return tuple(
        language
        for language in Language
        if language is Language.NONE or counts.get(language, 0) > MIN_LANGUAGE_SHARE * total
    )


def resolve_hparams(
    custom_config: dict[str, Any] | None, tuned: dict[str, Any] | None = None
) -> HParams:
    """Merge the configured hyperparameters with those that the Tuner found.

    Args:
        custom_config: Custom configuration of the Trainer or Tuner. `hparams` are the configured
            hyperparameters; `search_overrides` are those of them that override the Tuner's.
        tuned: Configuration of the `keras_tuner.HyperParameters` that the Tuner found; None if
            there was no search.

    Raises:
        pydantic.ValidationError: A hyperparameter is unknown or invalid.
    """
    config = custom_config or {}
    found = keras_tuner.HyperParameters.from_config(tuned).values if tuned else {}
    return HParams.model_validate(
        config.get("hparams", {}) | found | config.get("search_overrides", {})
    )


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of a training. They depend on no hyperparameter that the Tuner searches.

    Attributes:
        train: Training split with all features, computed out of fold.
        evaluation: Eval split with all features.
        fitted_features: Fitted weights of the feature extractor.
        forest: Boosted trees.
        moments: Mean and variance of each feature of the training split.
        word_vectors: float32 [vocabulary of `plot_words`, dimensions].
        encoder_weights: Fine-tuned weights of the sentence encoder; empty without fine-tuning.
        cached_finetuning_seconds: Duration, in seconds, of the fine-tuning of an earlier training
            whose weights are used; 0 if there is none.
    """

    train: data.Rows
    evaluation: data.Rows
    fitted_features: extractor.FittedFeatures
    forest: trees.Forest
    moments: network.Moments
    word_vectors: np.ndarray
    encoder_weights: Weights
    cached_finetuning_seconds: float


def prepare(fn_args: tfx.components.FnArgs, hparams: HParams) -> TrainingInputs:
    """Read both splits, fit the feature extractor and the trees, and compute all features.

    Args:
        fn_args: Arguments of the Trainer or Tuner component. `base_model` is the directory of the
            word vectors; `sentence_store` in `custom_config` is the directory in which sentence
            vectors are cached, by default none.
        hparams: Hyperparameters of the training.

    Raises:
        UserError: A split has no movies.
    """
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = _load_split(Split.TRAIN, fn_args.train_files, tft_output, hparams)
    evaluation = _load_split(Split.EVAL, fn_args.eval_files, tft_output, hparams)
    fitted_features = extractor.fit(train, hparams)
    feature_extractor = extractor.build(fitted_features, hparams)
    folds = extractor.assign_folds(train, hparams)
    train_features = extractor.compute(feature_extractor, train, folds)
    eval_features = extractor.compute(feature_extractor, evaluation)
    forest = trees.fit(train.with_inputs(train_features), hparams)
    encoder_weights, cached_seconds = FineTunedWeights({}, 0.0)
    if hparams.has_sentence_encoder:
        masked = np.random.default_rng(hparams.seed).random(len(train)) < TITLE_DROPOUT
        pieces = data.mask_titles(train.inputs[data.PIECES], masked)
        train = train.with_inputs({data.PIECES: pieces})
        location = (fn_args.custom_config or {}).get("sentence_store")
        directory = Path(location) if location else None
        encoder_weights, cached_seconds = load_or_fine_tune(train, hparams, directory)
        store = SentenceVectorStore(directory, hparams, encoder_weights)
        eval_pieces = evaluation.inputs[data.PIECES]
        train_features[fields.SENTENCE_VECTORS] = store.encode(train.inputs[data.PIECES])
        eval_features[fields.SENTENCE_VECTORS] = store.encode(eval_pieces)
        eval_features[fields.TITLE_VECTORS] = store.encode(data.mask_plots(eval_pieces))
    return TrainingInputs(
        train=train.with_inputs(train_features),
        evaluation=evaluation.with_inputs(eval_features),
        fitted_features=fitted_features,
        forest=forest,
        moments=network.feature_moments(train_features),
        word_vectors=np.load(Path(fn_args.base_model, WORD_VECTORS_FILE)),
        encoder_weights=encoder_weights,
        cached_finetuning_seconds=cached_seconds,
    )


def _load_split(
    split: Split, files: list[str], tft_output: tft.TFTransformOutput, hparams: HParams
) -> data.Rows:
    rows = data.load(files, tft_output, with_pieces=hparams.has_sentence_encoder)
    if not len(rows):
        raise UserError(
            f"The {split} split has no movies. Add more movies, or repeat the split with "
            "--from CsvExampleGen."
        )
    return rows


def train(
    hparams: HParams, training_inputs: TrainingInputs, log_directory: Path
) -> tuple[keras.Model, training.History]:
    """Train the model.

    Args:
        hparams: Hyperparameters of the training.
        training_inputs: Inputs of `prepare`.
        log_directory: Directory of TensorBoard's logs.

    Returns:
        The model with both members, and the learning curves.
    """
    log_odds = training_inputs.train.genre_log_odds()
    deep = network.build(hparams, training_inputs.word_vectors, log_odds, training_inputs.moments)
    members = network.build_members(deep, training_inputs.forest)
    splits = training_inputs.train, training_inputs.evaluation
    return members, training.fit(deep, members, hparams, *splits, log_directory)
