"""What each part of the model brings: paired trainings with and without it.

python -m benchmarks.quality.ablation --output runs/imdb --report docs/quality.md

Each variant differs from the whole model by hyperparameters or by inputs that are unknown in all
movies. The variants of one seed share what is prepared before the training, so that their
difference is paired. On the eval split a variant is judged by cross-fitting: members are weighed
and thresholds chosen on one half of the movies, and the other half is judged; movies that belong
together are in the same half. The best epoch is chosen on the whole eval split, by mAP. On the test
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
from benchmarks.origin import origin
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
from trainer.ensemble.network import SENTENCE_VECTORS
from trainer.ensemble.training import EVAL_BATCH_SIZE, fit_decision_rule
from trainer.features import extractor
from trainer.features.fields import PLOT_LOGITS, mask_fields
from trainer.hparams import HParams
from transform import features as xf

ABLATION: Final = "ablation"
"""Marker in the document."""

SCORES: Final = ("macro-F1", "micro-F1", "mAP")
PATTERNS: Final = {"all fields": None, "plot and title": 0}
"""Which fields of the judged movies are known: None is all that the movies have, a number an index
of `trainer.ensemble.decision_rule.MISSINGNESS_PATTERNS`."""


class Variant(NamedTuple):
    """A training that differs from the whole model's in hyperparameters, or in inputs hidden."""

    name: str
    changes: Mapping[str, Any] = {}
    mask: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


WHOLE: Final = Variant("the whole model")

VARIANTS: Final = (
    Variant("no word encoder", {"word_encoder": "none"}),
    Variant("word_encoder: cnn", {"word_encoder": "cnn"}),
    Variant("word_encoder: rnn", {"word_encoder": "rnn"}),
    Variant("no sentence encoder", {"sentence_encoder": "none"}),
    Variant("neither", {"word_encoder": "none", "sentence_encoder": "none"}),
    Variant("one tree for each genre", {"trees": 1}),
    Variant("nobody known", mask=partial(mask_fields, people=0.0)),
    Variant(
        "no genres of the people's other movies",
        mask=partial(mask_fields, people=0.0, credit_counts=1.0),
    ),
    Variant("no numbers known", mask=partial(mask_fields, numbers=0.0)),
    Variant("no regression on the title", mask=partial(mask_fields, title=0.0)),
    # Zero is what these features are if nothing is known.
    Variant(
        "no regression on the plot",
        mask=lambda inputs: {**inputs, PLOT_LOGITS: 0 * inputs[PLOT_LOGITS]},
    ),
    Variant("no hiding of fields in training", {"field_dropout": 0.0}),
    # Last, since it is prepared in another way than the others.
    Variant("no fine-tuning", {"finetuned_layers": 0}),
)

NAMES: Final = tuple(variant.name for variant in VARIANTS)

Figures = dict[Split, list[float]]
"""By split, `SCORES` for each of `PATTERNS`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants and print the tables; returns the exit status."""
    parser = tables.parser(
        "benchmarks.quality.ablation",
        "Train the model of a run again without each of its parts in turn.",
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="of the run")
    add("--epochs", type=int, default=3, metavar="N", help="epochs of each training (default: 3)")
    add("--seeds", type=int, default=3, metavar="N", help="seeds of each variant (default: 3)")
    add(
        "--only",
        nargs="+",
        choices=NAMES,
        metavar="NAME",
        help="these variants and no others, as the table names them",
    )
    options = parser.parse_args(arguments)
    return command.run(lambda: _ablate(options))


def _ablate(options: argparse.Namespace) -> None:
    if options.report:
        # A mistake in the document ends the command before the work.
        tables.around(options.report, ABLATION)
    heading = origin("benchmarks.quality.ablation")
    experiment = Experiment(options.output.resolve(), options.epochs)
    variants = [WHOLE, *(one for one in VARIANTS if one.name in (options.only or NAMES))]
    found: dict[str, list[Figures]] = {variant.name: [] for variant in variants}
    for seed in range(options.seeds):
        for number, variant in enumerate(variants, 1 + seed * len(variants)):
            started = time.monotonic()
            figures = experiment.figures(variant, seed)
            found[variant.name].append(figures)
            shown = " ".join(f"{figure:.4f}" for values in figures.values() for figure in values)
            print(
                f"{number} of {len(variants) * options.seeds}: seed {seed}, {variant.name}: "
                f"{shown} ({time.monotonic() - started:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    parts = [f"{heading}, {options.epochs} epochs each, number of seeds: {options.seeds}"]
    for split in (Split.EVAL, Split.TEST):
        parts += [f"On the {split} split:", _table(split, found)]
    tables.publish({ABLATION: "\n\n".join(parts)}, options.report)


def _table(split: Split, found: Mapping[str, Sequence[Figures]]) -> str:
    """Means of the whole model, then mean paired differences; ± is the standard deviation."""
    whole = np.array([one[split] for one in found[WHOLE.name]])
    rows = [[WHOLE.name, *(f"{value:.4f}" for value in whole.mean(0))]]
    for name, figures in found.items():
        if name != WHOLE.name:
            away = np.array([one[split] for one in figures]) - whole
            cells = [f"{mean:+.4f}" for mean in away.mean(0)]
            if len(away) > 1:
                spread = away.std(0, ddof=1)
                cells = [f"{cell} ± {one:.4f}" for cell, one in zip(cells, spread, strict=True)]
            rows.append([name, *cells])
    return tables.table(["", *(f"{what}: {one}" for what in PATTERNS for one in SCORES)], rows)


class Experiment:
    """Trains variants of the model of a run on the examples of that run."""

    def __init__(self, output: Path, epochs: int) -> None:
        """Find the served model of an output directory, and what it was trained on.

        Raises:
            UserError: no model is served from there.
        """
        model = run.served_model(output)
        if model is None:
            raise UserError(f"{output}: no model is served from there. Run the pipeline first.")
        record = json.loads((model / EXTRA_ASSETS / TRAINING_RECORD_FILE).read_text())
        self.hparams = HParams(**record["hparams"] | {"epochs": epochs})
        self.inputs = run.trainer_inputs(model, output)
        self.store = RunConfig(data=output, output=output).sentence_store
        # A store keeps the newest encoder alone, and that of the run is to stay.
        self._other_store = tempfile.TemporaryDirectory()
        self._prepared: tuple[HParams, training.TrainingInputs, Rows] | None = None

    def figures(self, variant: Variant, seed: int) -> Figures:
        """Train one variant and judge it on both splits; `seed` is added to that of the run."""
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
        one, other = _halves(prepared.evaluation)
        crossed = [
            (one, fit_decision_rule(members, other)),
            (other, fit_decision_rule(members, one)),
        ]
        whole = [(test, fit_decision_rule(members, prepared.evaluation))]
        found = {
            split: [
                score
                for pattern in PATTERNS.values()
                for score in _scores(members, judged, pattern)
            ]
            for split, judged in ((Split.EVAL, crossed), (Split.TEST, whole))
        }
        keras.backend.clear_session()
        return found

    def _prepare(self, hparams: HParams) -> tuple[training.TrainingInputs, Rows]:
        """What precedes the training, and the test split; once for all variants that share it."""
        shared = self.hparams.updated(
            {"seed": hparams.seed, "finetuned_layers": hparams.finetuned_layers}
        )
        if self._prepared and self._prepared[0] == shared:
            return self._prepared[1:]
        # The former one goes before the next takes as much memory.
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
    """Two halves of a split; movies that belong together are in the same half."""
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
    """`SCORES` of the movies of some parts, each decided in its way, with what a pattern knows."""
    infer, names = data.inference_function(members), data.input_names(members)
    labels, probabilities, decided = [], [], []
    for rows, rule in judged:
        for inputs, given in rows.select(names).batches(EVAL_BATCH_SIZE):
            known = inputs if pattern is None else decision_rule.mask_to_pattern(inputs, pattern)
            found, margin = rule.apply(infer(known), decision_rule.missingness_patterns(known))
            labels.append(given > 0.5)
            probabilities.append(found)
            decided.append(margin >= 0)
    given, *predicted = (np.concatenate(parts) for parts in (labels, probabilities, decided))
    found_scores = scores.scores(given, scores.Predictions(*predicted))
    return [found_scores[name] for name in SCORES]


if __name__ == "__main__":
    sys.exit(main())
