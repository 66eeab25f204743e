"""The feature extractor: a network from ids to features, fitted on the training split.

Its weights do not change while the model trains. So features are computed once per training, and
again in the exported model. The features of a training movie exclude the movies of its fold.
"""

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

import keras
import numpy as np
from keras import ops

from trainer.data import Rows, inference_function, input_names
from trainer.features import fields, people, texts
from trainer.features.people import GenreCounts, PeopleTargetEncoding
from trainer.features.texts import TextLogits, TextRegression
from trainer.features.vocabulary import VocabularyLookup
from trainer.hparams import HParams
from transform import features as xf

FOLD: Final = "fold"
"""Name of the input with the fold whose movies are excluded; int32 [N, 1], 0 in serving."""

BATCH_SIZE: Final = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedFeatures:
    """What the extractor learns from the training split.

    Attributes:
        regressions: Regressions on text by feature.
        people: Genre counts by field of `people.ENCODED_FIELDS`.
        genre_rates: float32 [genres]. Share of each genre among the training movies.
    """

    regressions: dict[str, TextRegression]
    people: dict[str, GenreCounts]
    genre_rates: np.ndarray

    def for_serving(self) -> "FittedFeatures":
        """Return a copy without the tables of single folds, which only training needs."""
        return replace(
            self,
            regressions={
                name: replace(regression, coefficients=regression.coefficients[:1])
                for name, regression in self.regressions.items()
            },
            people={
                name: replace(genre_counts, counts=genre_counts.counts[:1])
                for name, genre_counts in self.people.items()
            },
        )


def assign_folds(train: Rows, hparams: HParams) -> np.ndarray:
    """Return the fold of each training movie; int32 [rows], counted from 1.

    Movies with the same split key, such as sequels, are in the same fold.
    """
    return (1 + np.asarray(train.inputs[xf.SPLIT_GROUP]) % hparams.folds).astype(np.int32)


def fit(train: Rows, hparams: HParams) -> FittedFeatures:
    """Fit the regressions on text and the target encoding of people on the training split."""
    folds = assign_folds(train, hparams)
    regressions, genre_counts = texts.fit(train, folds, hparams.seed), people.fit(train, folds)
    return FittedFeatures(regressions, genre_counts, train.labels.mean(0))


def build(fitted: FittedFeatures, hparams: HParams) -> keras.Model:
    """Build the extractor.

    Its inputs are `FOLD` and the hashed features of `trainer.data.model_inputs`, its outputs the
    features that `trainer.features.fields` names.
    """
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in xf.HASHED_FEATURES}
    inputs[FOLD] = folds = keras.Input((1,), dtype="int32", name=FOLD)

    def text_logits(name: str) -> keras.KerasTensor:
        regression = fitted.regressions[name]
        indices = VocabularyLookup(regression.vocabulary, name=f"{name}_lookup")(inputs[name])
        return TextLogits(regression, name=f"{name}_logits")(indices, folds)

    def target_encoding(field: str) -> keras.KerasTensor:
        genre_counts = fitted.people[field]
        ids = people.person_ids(inputs, field)
        indices = VocabularyLookup(genre_counts.vocabulary, name=f"{field}_lookup")(ids)
        encoding = PeopleTargetEncoding(
            genre_counts.counts,
            fitted.genre_rates,
            hparams.people_smoothing,
            name=f"{field}_target_encoding",
        )
        return encoding(indices, folds)

    # In float32, the last digit of a logarithm depends on the number of rows of the batch.
    num_names = [
        ops.sum(ops.cast(inputs[name] > 0, "float64"), axis=1) for name in xf.PEOPLE_IDS.values()
    ]
    credit_counts = ops.log1p(ops.stack(num_names, axis=1))
    encodings = [target_encoding(field) for field in people.ENCODED_FIELDS]
    outputs = {
        fields.PLOT_LOGITS: text_logits(xf.PLOT_NGRAMS),
        fields.TITLE_LOGITS: text_logits(xf.TITLE_WORDS),
        fields.PEOPLE_TARGET_ENCODING: ops.concatenate(encodings, axis=-1),
        fields.CREDIT_COUNTS: ops.cast(credit_counts, "float32"),
    }
    return keras.Model(inputs, outputs, name="features")


def compute(
    extractor: keras.Model, rows: Rows, folds: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Compute the features of a split.

    Args:
        extractor: Network of `build`.
        rows: Rows of the split.
        folds: int32 [rows]. Fold whose movies are excluded for each row; by default none.

    Returns:
        float16 [rows, dimensions] by the names of `trainer.features.fields`.
    """
    folds = np.zeros(len(rows), np.int32) if folds is None else folds
    infer = inference_function(extractor)
    features: dict[str, list[np.ndarray]] = defaultdict(list)
    inputs_by_row = rows.with_inputs({FOLD: folds[:, None]}).select(input_names(extractor))
    for number, (inputs, _) in enumerate(inputs_by_row.batches(BATCH_SIZE)):
        for name, values in infer(inputs).items():
            features[name].append(values.numpy().astype(np.float16))
        if number % 100 == 99:
            log.info(
                "computed the features of %d of %d movies", (number + 1) * BATCH_SIZE, len(rows)
            )
    return {name: np.concatenate(values) for name, values in features.items()}
