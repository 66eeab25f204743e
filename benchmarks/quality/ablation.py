"""What each part of the model brings: paired trainings with and without it.

python -m benchmarks.quality.ablation --output runs/imdb --report docs/quality.md

Each variant differs from the whole model by hyperparameters or by inputs that are unknown in all
films. The variants of one seed share what is prepared before the training, so that their difference
is paired. On the eval split a variant is judged by cross-fitting: members are weighed and
thresholds chosen on one half of the films, and the other half is judged; films that belong together
are in the same half. The best pass is chosen on the whole eval split, by mAP. On the test split the
decision rule is that of the whole eval split, as in a run of the pipeline.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.origin import origin
from benchmarks.quality import report, run, scores
from pipeline.config import RunConfig
from schema import command
from schema.errors import UserError
from schema.names import EXTRA_ASSETS, TRAINING_RECORD_FILE, Split
from trainer.hparams import HParams

if TYPE_CHECKING:
    import keras

    from trainer.data import Rows
    from trainer.ensemble.thresholds import Decisions
    from trainer.run import Prepared

ABLATION: Final = "ablation"
"""Marker in the document."""

SCORES: Final = ("macro-F1", "micro-F1", "mAP")
PATTERNS: Final = {"all fields": None, "plot and title": 0}
"""Which fields of the judged films are known: None is all that the films have, a number an index of
`trainer.ensemble.thresholds.PATTERNS`."""

Mask = Callable[[Mapping[str, Any]], dict[str, Any]]


def unknown(**fields_known: float) -> Mask:
    """Hides fields by the product's own masking, see `trainer.features.fields.keep`."""

    def hide(inputs: Mapping[str, Any]) -> dict[str, Any]:
        from trainer.features import fields

        return fields.keep(inputs, **fields_known)

    return hide


def without(*names: str) -> Mask:
    """Sets features to zero, which is what they are if nothing is known."""
    return lambda inputs: {**inputs, **{name: 0 * inputs[name] for name in names}}


@dataclass(frozen=True)
class Variant:
    """A training that differs from the whole model's in one thing.

    Attributes:
        name: in the tables.
        changes: hyperparameters that differ.
        mask: hides inputs of all films; None hides nothing.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    mask: Mask | None = None


WHOLE: Final = Variant("the whole model")

VARIANTS: Final = (
    Variant("no word encoder", {"word_encoder": "none"}),
    Variant("word_encoder: cnn", {"word_encoder": "cnn"}),
    Variant("word_encoder: rnn", {"word_encoder": "rnn"}),
    Variant("no sentence encoder", {"sentence_encoder": "none"}),
    Variant("neither", {"word_encoder": "none", "sentence_encoder": "none"}),
    Variant("one tree for each genre", {"trees": 1}),
    Variant("nobody known", mask=unknown(people=0.0)),
    Variant("no genres of the people's other films", mask=unknown(people=0.0, names=1.0)),
    Variant("no numbers known", mask=unknown(numbers=0.0)),
    Variant("no regression on the title", mask=unknown(title=0.0)),
    Variant("no regression on the plot", mask=without("plot_logits")),
    Variant("no hiding of fields in training", {"field_dropout": 0.0}),
    # Last, since it is prepared in another way than the others.
    Variant("no fine-tuning", {"finetuned_layers": 0}),
)

NAMES: Final = tuple(variant.name for variant in VARIANTS)

Figures = dict[Split, list[float]]
"""By split, `SCORES` for each of `PATTERNS`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants and print the tables; returns the exit status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return command.run(lambda: _ablate(options))


def _ablate(options: argparse.Namespace) -> None:
    if options.report:
        report.around(options.report, ABLATION)
    experiment = Experiment(options.output.resolve(), options.epochs)
    variants = [one for one in VARIANTS if one.name in (options.only or NAMES)]
    text = _tables(experiment, [WHOLE, *variants], options.seeds)
    if options.report:
        report.insert(options.report, ABLATION, text)
    print(text)


def _tables(experiment: "Experiment", variants: Sequence[Variant], seeds: int) -> str:
    heading = origin("benchmarks.quality.ablation")
    found: dict[str, list[Figures]] = {variant.name: [] for variant in variants}
    total, done = len(variants) * seeds, 0
    for seed in range(seeds):
        for variant in variants:
            started = time.monotonic()
            figures = experiment.figures(variant, seed)
            found[variant.name].append(figures)
            done += 1
            shown = " ".join(f"{figure:.4f}" for values in figures.values() for figure in values)
            seconds = time.monotonic() - started
            print(
                f"{done} of {total}: seed {seed}, {variant.name}: {shown} ({seconds:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    parts = [f"{heading}, {experiment.epochs} passes each, means of {seeds} seeds"]
    for split in (Split.EVAL, Split.TEST):
        parts += [f"On the {split} split:", _table(split, found)]
    return "\n\n".join(parts)


def _table(split: Split, found: Mapping[str, Sequence[Figures]]) -> str:
    """Means of the whole model, then mean paired differences and their standard deviations."""
    of = {name: np.array([one[split] for one in figures]) for name, figures in found.items()}
    rows = [[WHOLE.name, *(f"{value:.4f}" for value in of[WHOLE.name].mean(0))]]
    for name, values in of.items():
        if name != WHOLE.name:
            away = values - of[WHOLE.name]
            deviation = away.std(0, ddof=1) if len(away) > 1 else np.full(away.shape[1], np.nan)
            cells = zip(away.mean(0), deviation, strict=True)
            rows.append([name, *(f"{mean:+.4f} ± {spread:.4f}" for mean, spread in cells)])
    return report.table(["", *(f"{what}: {one}" for what in PATTERNS for one in SCORES)], rows)


class Experiment:
    """Trains variants of the model of a run on the examples of that run."""

    def __init__(self, output: Path, epochs: int) -> None:
        """Find the model and what it was trained on.

        Args:
            output: output directory of the run.
            epochs: passes of each training.

        Raises:
            UserError: no model is served from there.
        """
        model = run.served_model(output)
        if model is None:
            raise UserError(f"{output}: no model is served from there. Run the pipeline first.")
        self.epochs = epochs
        record = json.loads((model / EXTRA_ASSETS / TRAINING_RECORD_FILE).read_text())
        self.hparams = HParams(**record["hparams"] | {"epochs": epochs})
        self.inputs = run.trainer_inputs(model, output)
        self.store = RunConfig(data=output, output=output).sentence_store
        # A store keeps the newest encoder alone, and that of the run is to stay.
        self._other_store = tempfile.TemporaryDirectory()
        self._prepared: tuple[HParams, Prepared, Rows] | None = None

    def figures(self, variant: Variant, seed: int) -> Figures:
        """Train one variant and judge it on both splits.

        Args:
            variant: the `Variant` to train.
            seed: added to the seed of the run.
        """
        import keras

        from trainer import run as training
        from trainer.ensemble import trees
        from trainer.ensemble.training import decide

        hparams = self.hparams.changed({"seed": self.hparams.seed + seed, **variant.changes})
        prepared, test = self._prepare(hparams)
        if variant.mask:
            train, evaluation, test = (
                replace(rows, inputs=variant.mask(rows.inputs))
                for rows in (prepared.train, prepared.evaluation, test)
            )
            prepared = replace(prepared, train=train, evaluation=evaluation)
        if variant.mask or set(variant.changes) & {"trees", "field_dropout"}:
            prepared = replace(prepared, grown=trees.fit(prepared.train, hparams))
        with tempfile.TemporaryDirectory() as logs:
            members, _ = training.train(hparams, prepared, Path(logs))
        evaluation = prepared.evaluation
        found: Figures = {split: [] for split in (Split.EVAL, Split.TEST)}
        halves = _halves(evaluation)
        of_halves = [decide(members, half) for half in halves]
        of_all = decide(members, evaluation)
        for pattern in PATTERNS.values():
            crossed = [
                _predictions(members, of_halves[1 - place], half, pattern)
                for place, half in enumerate(halves)
            ]
            found[Split.EVAL] += _scores(halves, crossed)
            found[Split.TEST] += _scores([test], [_predictions(members, of_all, test, pattern)])
        keras.backend.clear_session()
        return found

    def _prepare(self, hparams: HParams) -> "tuple[Prepared, Rows]":
        """What precedes the training, and the test split; once for all variants that share it."""
        import tensorflow_transform as tft
        from tfx import v1 as tfx

        from trainer import data
        from trainer import run as training
        from trainer.encoder.sentence_store import SentenceStore
        from trainer.ensemble.network import SENTENCE
        from trainer.features import network

        shared = self.hparams.changed(
            {"seed": hparams.seed, "finetuned_layers": hparams.finetuned_layers}
        )
        if self._prepared and self._prepared[0] == shared:
            return self._prepared[1:]
        self._prepared = None
        same = shared.seed == self.hparams.seed
        directory = self.store if same else Path(self._other_store.name)
        files = {split: [str(self.inputs.examples / f"Split-{split}" / "*")] for split in Split}
        prepared = training.prepare(
            tfx.components.FnArgs(
                train_files=files[Split.TRAIN],
                eval_files=files[Split.EVAL],
                transform_graph_path=str(self.inputs.transform_graph),
                base_model=str(self.inputs.word_vectors),
                custom_config={"sentence_store": str(directory)},
            ),
            shared,
        )
        tft_output = tft.TFTransformOutput(str(self.inputs.transform_graph))
        test = data.load(files[Split.TEST], tft_output, with_pieces=shared.reads_sentences)
        extract = network.build(prepared.fitted.for_serving(), shared)
        more = network.compute(extract, test)
        if shared.reads_sentences:
            store = SentenceStore(directory, shared, prepared.finetuned)
            more[SENTENCE] = store.encode(test.inputs[data.PIECES])
        self._prepared = (shared, prepared, test.joined(more))
        return self._prepared[1:]


def _halves(rows: "Rows") -> "tuple[Rows, Rows]":
    """Two halves of a split; films that belong together are in the same half."""
    import tensorflow as tf

    from trainer.data import Rows
    from transform import features as xf

    groups = np.asarray(rows.inputs[xf.SPLIT_GROUP]) % 2

    def half(which: int) -> Rows:
        places = np.flatnonzero(groups == which)
        return Rows(
            {name: tf.gather(value, places) for name, value in rows.inputs.items()},
            rows.labels[places],
        )

    return half(0), half(1)


def _predictions(
    members: "keras.Model", decisions: "Decisions", rows: "Rows", pattern: int | None
) -> scores.Predictions:
    """Decisions on a split's films, with the fields hidden that `pattern` does not know."""
    import tensorflow as tf

    from trainer.data import inference, input_names
    from trainer.ensemble import thresholds, training

    infer = inference(members)
    probabilities, decided = [], []
    for inputs, _ in rows.only(input_names(members)).batches(training.EVAL_BATCH):
        known = inputs if pattern is None else thresholds.hide(inputs, pattern)
        found, margin = decisions.margins(infer(known), thresholds.pattern_of(known))
        probabilities.append(found)
        decided.append(margin >= 0)
    return scores.Predictions(tf.concat(probabilities, 0).numpy(), tf.concat(decided, 0).numpy())


def _scores(parts: "Sequence[Rows]", predictions: Sequence[scores.Predictions]) -> list[float]:
    """`SCORES` of the films of several parts together."""
    together = scores.Predictions(
        np.concatenate([one.probabilities for one in predictions]),
        np.concatenate([one.decided for one in predictions]),
    )
    labels = np.concatenate([part.labels for part in parts]) > 0.5
    found = scores.scores(labels, together)
    return [found[name] for name in SCORES]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.ablation",
        description="Train the model of a run again without each of its parts in turn.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="of the run")
    parser.add_argument(
        "--epochs", type=int, default=3, metavar="N", help="passes of each training (default: 3)"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="seeds of each variant (default: 3)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=NAMES,
        metavar="NAME",
        help="these variants and no others, as the table names them",
    )
    report.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
