"""The network from ids to features: fitted on the training split, then fixed.

Nothing in it changes while the model trains, so its features are computed once for a training, and
again in the exported model. A training movie gets the tables of its fold, which have not seen it.
"""

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

import keras
import numpy as np
from keras import ops

from trainer.data import Rows, inference, input_names
from trainer.features import fields, people, texts
from trainer.features.people import People, PeopleLift
from trainer.features.texts import Terms, TextLogits
from trainer.features.vocabulary import Lookup
from trainer.hparams import HParams
from transform import features as xf

TABLE: Final = "table"
"""Input beside the ids, int32 [N, 1]: the table that describes each row, 0 in use."""

BATCH: Final = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """What is fitted on the training split before any gradient.

    `genre_rates` are the share of the training movies with each genre, float32 [22].
    """

    terms: dict[str, Terms]
    people: dict[str, People]
    genre_rates: np.ndarray

    def for_serving(self) -> "Fitted":
        """Without the tables of single folds, which only training needs."""
        terms, people = self.terms.items(), self.people.items()
        return replace(
            self,
            terms={name: replace(one, coefficients=one.coefficients[:1]) for name, one in terms},
            people={name: replace(one, counts=one.counts[:1]) for name, one in people},
        )


def folds_of(train: Rows, hparams: HParams) -> np.ndarray:
    """The fold of each training movie, int32 [rows] from 1; movies that belong together share
    it.
    """
    return (1 + np.asarray(train.inputs[xf.SPLIT_GROUP]) % hparams.folds).astype(np.int32)


def fit(train: Rows, hparams: HParams) -> Fitted:
    """Fit everything on the training split."""
    folds = folds_of(train, hparams)
    terms, counted = texts.fit(train, folds, hparams.seed), people.fit(train, folds)
    return Fitted(terms, counted, train.labels.mean(0))


def build(fitted: Fitted, hparams: HParams) -> keras.Model:
    """The network from ids to features.

    It goes from the hashed inputs of `trainer.data.model_inputs` and `TABLE` to the features that
    `trainer.features.fields` names.
    """
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in xf.HASHED_FEATURES}
    inputs[TABLE] = table = keras.Input((1,), dtype="int32", name=TABLE)

    def logits(name: str) -> keras.KerasTensor:
        terms = fitted.terms[name]
        places = Lookup(terms.vocabulary, name=f"{name}_places")(inputs[name])
        return TextLogits(terms, name=f"{name}_logits")(places, table)

    def lift(field: str) -> keras.KerasTensor:
        known = fitted.people[field]
        ids = people.ids_of(inputs, field)
        places = Lookup(known.vocabulary, name=f"{field}_places")(ids)
        tables = known.counts, fitted.genre_rates, hparams.people_prior
        return PeopleLift(*tables, name=f"{field}_lift")(places, table)

    names = [
        ops.sum(ops.cast(inputs[name] > 0, "float32"), axis=1) for name in xf.PEOPLE_IDS.values()
    ]
    outputs = {
        fields.PLOT_LOGITS: logits(xf.PLOT_NGRAMS),
        fields.TITLE_LOGITS: logits(xf.TITLE_WORDS),
        fields.PEOPLE_LIFTS: ops.concatenate([lift(field) for field in people.FIELDS], axis=-1),
        fields.CREDIT_COUNTS: ops.log1p(ops.stack(names, axis=1)),
    }
    return keras.Model(inputs, outputs, name="features")


def compute(
    network: keras.Model, rows: Rows, folds: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The features of a split, float16 [rows, dimensions] by the names of `fields`.

    `folds`, int32 [rows], are those of `folds_of`; by default each row gets the table of all
    movies.
    """
    tables = np.zeros(len(rows), np.int32) if folds is None else folds
    infer = inference(network)
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    given = rows.joined({TABLE: tables[:, None]}).only(input_names(network))
    for number, (inputs, _) in enumerate(given.batches(BATCH)):
        for name, value in infer(inputs).items():
            found[name].append(value.numpy().astype(np.float16))
        if number % 100 == 99:
            log.info("features of %d of %d movies", (number + 1) * BATCH, len(rows))
    return {name: np.concatenate(values) for name, values in found.items()}
