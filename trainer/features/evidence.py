"""From ids to dense evidence: what a row's n-grams, pieces, title and people say, without training.

None of it changes while the model trains, so it is computed once a training, and again in the
exported model. In training each row sees its people without itself, through the table of its fold.
"""

import logging
from collections import defaultdict
from pathlib import Path
from typing import Final

import keras
import numpy as np
from keras import ops

from schema import features as raw
from trainer.data import PIECES, Rows
from trainer.encoder.sentence import SentenceEncoder, Weights
from trainer.encoder.sentence_store import SentenceStore
from trainer.ensemble.layers import Bag, PeopleLift
from trainer.ensemble.model import inference, input_names
from trainer.features import fields
from trainer.features.factors import LEADS, NUM_LEADS, TERMS, Factors
from trainer.hparams import HParams
from transform import features as xf

TABLE: Final = "table"
"""Input beside the model's own: which table of counts describes the row; int32 [N, 1], 0 in use."""

BATCH: Final = 128

log = logging.getLogger(__name__)


def build(
    factors: Factors,
    hparams: HParams,
    *,
    sentences: bool = True,
    finetuned: Weights | None = None,
) -> keras.Model:
    """The network from ids to evidence.

    Args:
        factors: see `trainer.features.factors`.
        hparams: see `HParams`.
        sentences: whether it makes the sentence vectors, if the text encoder reads them.
        finetuned: weights of the sentence encoder, see `trainer.encoder.finetuning`.

    Returns:
        A model from model inputs and `TABLE` to the features that `trainer.features.fields` names.
    """
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in TERMS}
    inputs[TABLE] = table = keras.Input((1,), dtype="int32", name=TABLE)

    def bag(name: str, *, unit_length: bool) -> keras.KerasTensor:
        weights, basis = factors.weights[name], factors.bases[name]
        return Bag(weights, basis, unit_length=unit_length, name=f"{name}_factors")(inputs[name])

    def lift(name: str, ids: keras.KerasTensor) -> keras.KerasTensor:
        counts = factors.counts[name]
        layer = PeopleLift(counts, factors.genre_rates, hparams.people_prior, name=f"{name}_lift")
        return layer(ids, table)

    def logits(name: str) -> keras.KerasTensor:
        tables = Bag(factors.weights[name], factors.text[name], unit_length=True)
        return tables(inputs[name], table)

    people = list(xf.PEOPLE_IDS.values())
    leads = inputs[xf.PEOPLE_IDS[raw.CAST]][:, :NUM_LEADS]
    outputs = {
        fields.NGRAM_FACTORS: bag(xf.PLOT_NGRAMS, unit_length=True),
        fields.TITLE_FACTORS: bag(xf.TITLE_WORDS, unit_length=True),
        fields.PLOT_LOGITS: logits(xf.PLOT_NGRAMS),
        fields.TITLE_LOGITS: logits(xf.TITLE_WORDS),
        fields.PEOPLE_FACTORS: ops.add(
            ops.add(bag(people[0], unit_length=False), bag(people[1], unit_length=False)),
            bag(people[2], unit_length=False),
        ),
        fields.PEOPLE_LIFTS: ops.concatenate(
            [*(lift(name, inputs[name]) for name in people), lift(LEADS, leads)], axis=-1
        ),
        fields.CREDIT_COUNTS: ops.log1p(
            ops.stack(
                [ops.sum(ops.cast(inputs[name] > 0, "float32"), axis=1) for name in people], axis=1
            )
        ),
    }
    if sentences and hparams.reads_sentences:
        inputs[PIECES] = keras.Input((None,), dtype="int32", name=PIECES)
        encode = SentenceEncoder.of(hparams, instead=finetuned, name="sentence_encoder")
        outputs[fields.SENTENCE] = encode(inputs[PIECES])
    return keras.Model(inputs, outputs, name="evidence")


def sentences(
    rows: Rows, hparams: HParams, directory: Path | None, finetuned: Weights | None = None
) -> dict[str, np.ndarray]:
    """The sentence vectors of a split, which `build`'s network makes too, from a store.

    Args:
        rows: a split with its word pieces.
        hparams: see `HParams`.
        directory: of the store, see `trainer.encoder.sentence_store`.
        finetuned: as in `build`.

    Returns:
        float16 [rows, dimensions] by the names of `fields`; none if the text encoder reads
        no sentences.
    """
    if not hparams.reads_sentences:
        return {}
    store = SentenceStore(directory, hparams, finetuned)
    return {fields.SENTENCE: store.encode(rows.inputs[PIECES])}


def observe(
    network: keras.Model, rows: Rows, tables: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The evidence of a split.

    Args:
        network: as `build` gives it.
        rows: a split.
        tables: int32 [rows], see `factors.folds_of`; None is the table of all films.

    Returns:
        float16 [rows, dimensions] by the names of `trainer.features.fields`.
    """
    tables = np.zeros(len(rows), np.int32) if tables is None else tables
    infer = inference(network)
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    asked = rows.joined({TABLE: tables[:, None]}).only(input_names(network))
    for number, (inputs, _) in enumerate(asked.batches(BATCH)):
        for name, value in infer(inputs).items():
            found[name].append(value.numpy().astype(np.float16))
        if number % 100 == 99:
            log.info("evidence of %d of %d films", (number + 1) * BATCH, len(rows))
    return {name: np.concatenate(values) for name, values in found.items()}
