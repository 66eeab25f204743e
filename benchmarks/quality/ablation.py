"""Ablation study: trainings of the model without each of its parts.

python -m benchmarks.quality.ablation --output runs/imdb --report docs/quality.md

Each variant differs from the full model in its hyperparameters, or in inputs that are missing in
all movies. The variants of one seed share the computation before the training, so their differences
are paired. On the eval split the scores are cross-fitted: stacking weights and thresholds are
fitted on one half of the movies and evaluated on the other, and movies with the same split key are
in the same half. The best epoch is that with the highest mAP on the whole eval split. On the test
split the decision rule is that of the whole eval split, as in a run of the pipeline.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx import v1 as tfx

from benchmarks import tables
from benchmarks.provenance import provenance
from benchmarks.quality import run, scores
from pipeline.config import RunConfig
from schema import command
from schema.errors import UserError
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE, Split
from trainer import data
from trainer import run as training
from trainer.data import Rows
from trainer.encoder.sentence_vectors import SentenceVectorStore
from trainer.ensemble import decision_rule, trees
from trainer.ensemble.training import EVAL_BATCH_SIZE, fit_decision_rule
from trainer.features import extractor
from trainer.features.fields import PLOT_LOGITS, SENTENCE_VECTORS, mask_fields
from trainer.hparams import HParams
from transform import features as xf

ABLATION_MARKER: Final = "ablation"

SCORES: Final = ("macro-F1", "micro-F1", "mAP")
MISSINGNESS_PATTERNS: Final = {"all fields": None, "plot and title": 0}
"""Missingness patterns under which the movies are evaluated. None keeps all fields; a number is an
index of `trainer.ensemble.decision_rule.MISSINGNESS_PATTERNS`."""


class Variant(NamedTuple):
    """A variant of the model.

    Attributes:
        name: Name in the table.
        changes: Hyperparameters that differ from those of the full model.
        mask: Function that removes information from the inputs; None keeps all inputs.
    """

    name: str
    changes: Mapping[str, Any] = {}
    mask: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


FULL_MODEL: Final = Variant("full model")

VARIANTS: Final = (
    Variant("no word encoder", {"word_encoder": "none"}),
    Variant("word_encoder: cnn", {"word_encoder": "cnn"}),
    Variant("word_encoder: rnn", {"word_encoder": "rnn"}),
    Variant("no sentence encoder", {"sentence_encoder": "none"}),
    Variant("no encoder", {"word_encoder": "none", "sentence_encoder": "none"}),
    Variant("one tree per genre", {"trees": 1}),
    Variant("no people", mask=partial(mask_fields, people=0.0)),
    Variant("no people target encoding", mask=partial(mask_fields, people=0.0, credit_counts=1.0)),
    Variant("no numbers", mask=partial(mask_fields, numbers=0.0)),
    Variant("no title regression", mask=partial(mask_fields, title=0.0)),
    # These features are 0 for an empty plot.
    Variant(
        "no plot regression",
        mask=lambda inputs: {**inputs, PLOT_LOGITS: 0 * inputs[PLOT_LOGITS]},
    ),
    Variant("no field dropout", {"field_dropout": 0.0}),
    # This variant comes last, since it cannot share the computation before the training.
    Variant("no fine-tuning", {"finetuned_layers": 0}),
)

VARIANT_NAMES: Final = tuple(variant.name for variant in VARIANTS)

SplitScores = dict[Split, list[float]]
"""For each split, the `SCORES` for each of `MISSINGNESS_PATTERNS`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants and print the tables; return the exit status."""
    parser = tables.command_parser(
        "benchmarks.quality.ablation",
        "Train the model of a run again without each of its parts.",
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="output directory of the run")
    add("--epochs", type=int, default=3, metavar="N", help="epochs per training (default: 3)")
    add("--seeds", type=int, default=3, metavar="N", help="seeds per variant (default: 3)")
    add(
        "--only",
        nargs="+",
        choices=VARIANT_NAMES,
        metavar="NAME",
        help="train only these variants, which have the names of the table",
    )
    options = parser.parse_args(arguments)
    return command.run(lambda: _ablate(options))


def _ablate(options: argparse.Namespace) -> None:
    if options.report:
        # Report a missing marker before the work begins.
        tables.split_at_markers(options.report, ABLATION_MARKER)
    heading = provenance("benchmarks.quality.ablation")
    study = AblationStudy(options.output.resolve(), options.epochs)
    variants = [
        FULL_MODEL,
        *(variant for variant in VARIANTS if variant.name in (options.only or VARIANT_NAMES)),
    ]
    results: dict[str, list[SplitScores]] = {variant.name: [] for variant in variants}
    for seed in range(options.seeds):
        for number, variant in enumerate(variants, 1 + seed * len(variants)):
            started = time.monotonic()
            scores_by_split = study.train_and_score(variant, seed)
            results[variant.name].append(scores_by_split)
            shown = " ".join(f"{score:.4f}" for row in scores_by_split.values() for score in row)
            print(
                f"{number} of {len(variants) * options.seeds}: seed {seed}, {variant.name}: "
                f"{shown} ({time.monotonic() - started:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    parts = [f"{heading}, {options.epochs} epochs each, number of seeds: {options.seeds}"]
    for split in (Split.EVAL, Split.TEST):
        parts += [f"On the {split} split:", _table(split, results)]
    tables.publish({ABLATION_MARKER: "\n\n".join(parts)}, options.report)


def _table(split: Split, results: Mapping[str, Sequence[SplitScores]]) -> str:
    """Return the means of the full model and the mean paired differences of the variants.

    With several seeds, ± is the standard deviation of the differences.
    """
    full = np.array([scores[split] for scores in results[FULL_MODEL.name]])
    rows = [[FULL_MODEL.name, *(f"{value:.4f}" for value in full.mean(0))]]
    for name, by_seed in results.items():
        if name != FULL_MODEL.name:
            differences = np.array([scores[split] for scores in by_seed]) - full
            cells = [f"{mean:+.4f}" for mean in differences.mean(0)]
            if len(differences) > 1:
                deviations = differences.std(0, ddof=1)
                cells = [
                    f"{cell} ± {deviation:.4f}"
                    for cell, deviation in zip(cells, deviations, strict=True)
                ]
            rows.append([name, *cells])
    return tables.table(
        ["", *(f"{pattern}: {score}" for pattern in MISSINGNESS_PATTERNS for score in SCORES)], rows
    )


class AblationStudy:
    """Trainer of variants of a run's model on the examples of that run."""

    def __init__(self, output: Path, epochs: int) -> None:
        """Find the served model of a run and its training data.

        Args:
            output: Output directory of the run.
            epochs: Int. Epochs of each training.

        Raises:
            UserError: The output directory has no served model.
        """
        model = run.served_model(output)
        if model is None:
            raise UserError(f"{output}: there is no served model. Run the pipeline first.")
        record = json.loads((model / EXTRA_ASSETS / TRAINING_RECORD_FILE).read_text())
        self.hparams = HParams(**record["hparams"] | {"epochs": epochs})
        self.inputs = run.trainer_inputs(model, output)
        self.store = RunConfig(data=output, output=output).sentence_store
        # A store contains only the newest encoder. Other encoders use a temporary store, so that
        # that of the run is preserved.
        self._other_store = tempfile.TemporaryDirectory()
        self._prepared: tuple[HParams, training.TrainingInputs, Rows] | None = None

    def train_and_score(self, variant: Variant, seed: int) -> SplitScores:
        """Train a variant and return its scores; `seed` is added to the seed of the run."""
        hparams = self.hparams.updated({"seed": self.hparams.seed + seed, **variant.changes})
        prepared, test = self._prepare(hparams)
        if variant.mask:
            train, evaluation, test = (
                replace(rows, inputs=variant.mask(rows.inputs))
                for rows in (prepared.train, prepared.evaluation, test)
            )
            prepared = replace(prepared, train=train, evaluation=evaluation)
        if variant.mask or set(variant.changes) & {"trees", "field_dropout"}:
            prepared = replace(prepared, forest=trees.fit(prepared.train, hparams))
        with tempfile.TemporaryDirectory() as logs:
            members, _ = training.train(hparams, prepared, Path(logs))
        log_odds = prepared.train.genre_log_odds()
        one, other = _halves(prepared.evaluation)
        crossed = [
            (one, fit_decision_rule(members, other, log_odds)),
            (other, fit_decision_rule(members, one, log_odds)),
        ]
        whole = [(test, fit_decision_rule(members, prepared.evaluation, log_odds))]
        found = {
            split: [
                score
                for pattern in MISSINGNESS_PATTERNS.values()
                for score in _scores(members, judged, pattern)
            ]
            for split, judged in ((Split.EVAL, crossed), (Split.TEST, whole))
        }
        keras.backend.clear_session()
        return found

    def _prepare(self, hparams: HParams) -> tuple[training.TrainingInputs, Rows]:
        """Return the training inputs and the test split, shared between variants if possible."""
        shared = self.hparams.updated(
            {"seed": hparams.seed, "finetuned_layers": hparams.finetuned_layers}
        )
        if self._prepared and self._prepared[0] == shared:
            return self._prepared[1:]
        # Free the memory of the previous inputs first.
        self._prepared = None
        same = shared.seed == self.hparams.seed
        directory = self.store if same else Path(self._other_store.name)
        files = {split: [str(self.inputs.examples / f"Split-{split}" / "*")] for split in Split}
        transform_graph = str(self.inputs.transform_graph)
        prepared = training.prepare(
            tfx.components.FnArgs(
                train_files=files[Split.TRAIN],
                eval_files=files[Split.EVAL],
                transform_graph_path=transform_graph,
                base_model=str(self.inputs.word_vectors),
                custom_config={"sentence_store": str(directory)},
            ),
            shared,
        )
        tft_output = tft.TFTransformOutput(transform_graph)
        test = data.load(files[Split.TEST], tft_output, with_pieces=shared.has_sentence_encoder)
        more = extractor.compute(
            extractor.build(prepared.fitted_features.for_serving(), shared), test
        )
        if shared.has_sentence_encoder:
            store = SentenceVectorStore(directory, shared, prepared.encoder_weights)
            more[SENTENCE_VECTORS] = store.encode(test.inputs[data.PIECES])
        self._prepared = (shared, prepared, test.with_inputs(more))
        return self._prepared[1:]


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    """Divide a split in halves; movies with the same split key are in the same half."""
    groups = np.asarray(rows.inputs[xf.SPLIT_GROUP]) % 2

    def half(which: int) -> Rows:
        places = np.flatnonzero(groups == which)
        inputs = {name: tf.gather(value, places) for name, value in rows.inputs.items()}
        return Rows(inputs, rows.labels[places])

    return half(0), half(1)


def _scores(
    members: keras.Model,
    judged: Sequence[tuple[Rows, decision_rule.DecisionRule]],
    pattern: int | None,
) -> list[float]:
    """Return the `SCORES` of the movies of all parts, each with its own decision rule.

    Args:
        members: Model that outputs the logits of all members.
        judged: Movies and decision rule of each part.
        pattern: Int. Index of the missingness pattern; None keeps all fields.
    """
    infer, names = data.inference_function(members), data.input_names(members)
    labels, probabilities, decided = [], [], []
    for rows, rule in judged:
        selected = rows.select({*names, xf.PLOT_WORDS, xf.TITLE_WORDS})
        for inputs, given in selected.batches(EVAL_BATCH_SIZE):
            known = inputs if pattern is None else decision_rule.mask_to_pattern(inputs, pattern)
            logits = infer({name: known[name] for name in names})
            found, margin = rule.apply(logits, decision_rule.missingness_patterns(known))
            labels.append(given > 0.5)
            probabilities.append(found)
            decided.append(margin >= 0)
    given, *predicted = (np.concatenate(parts) for parts in (labels, probabilities, decided))
    found_scores = scores.scores(given, scores.Predictions(*predicted))
    return [found_scores[name] for name in SCORES]


if __name__ == "__main__":
    sys.exit(main())
