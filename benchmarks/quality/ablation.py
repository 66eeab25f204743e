"""What each part of the model brings: the same training without it.

python -m benchmarks.quality.ablation --output runs/imdb --report docs/quality.md
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.origin import origin
from benchmarks.quality import report, run, scores
from pipeline.config import RunConfig
from schema.errors import UserError
from trainer.ensemble.model import DEEP, LINEAR, TREES, WIDE
from trainer.features import fields
from transform import features as xf

if TYPE_CHECKING:
    from trainer.data import Rows
    from trainer.hparams import HParams
    from trainer.run import Prepared

ABLATION: Final = "ablation"
"""Marker in the document."""


@dataclass(frozen=True)
class Variant:
    """A training that differs from the model's own in one thing.

    Attributes:
        name: in the table.
        changes: hyperparameters that differ.
        leave_out: parts and inputs that are not built, see `trainer.ensemble.model.build`.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    leave_out: Collection[str] = ()


VARIANTS: Final = (
    Variant("the whole model"),
    Variant("one tower", {"towers": 1}),
    Variant("no wide member", leave_out={WIDE}),
    Variant("no linear member", leave_out={LINEAR}),
    Variant("neither", leave_out={LINEAR, WIDE}),
    Variant("no trees", leave_out={TREES}),
    Variant("the wide member alone", leave_out={DEEP, LINEAR, TREES}),
    Variant("no factors of n-grams", leave_out={fields.NGRAM_FACTORS}),
    Variant("no regressions on text", leave_out={fields.PLOT_LOGITS, fields.TITLE_LOGITS}),
    Variant("no words of the title beside MiniLM's text", leave_out=set(fields.TITLE)),
    Variant("no people", leave_out={*fields.PEOPLE, fields.CREDIT_COUNTS}),
    Variant("no single people", leave_out=set(xf.PEOPLE_IDS.values())),
    Variant("no genres of the people's other films", leave_out={fields.PEOPLE_LIFTS}),
    Variant("no classes of numbers", leave_out={fields.NUMBER_CLASSES}),
    Variant("no numbers", leave_out={xf.NUMBERS, xf.NUMBERS_MISSING, fields.NUMBER_CLASSES}),
    Variant("no hiding of fields in training", {"field_dropout": 0.0}),
    Variant("text_encoder: cnn", {"text_encoder": "cnn"}),
    Variant("text_encoder: rnn", {"text_encoder": "rnn"}),
    Variant("text_encoder: cnn_rnn", {"text_encoder": "cnn_rnn"}),
    Variant("text_encoder: minilm", {"text_encoder": "minilm"}),
    Variant("MiniLM as it is", {"finetuned_layers": 0}),
    Variant("MiniLM as it is and alone", {"finetuned_layers": 0, "text_encoder": "minilm"}),
    Variant("loss: focal", {"loss": "focal"}),
    Variant("loss: asymmetric", {"loss": "asymmetric"}),
)

NAMES: Final = tuple(variant.name for variant in VARIANTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants and print the table; returns the exit status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    output = options.output.resolve()
    try:
        if options.report:
            report.around(options.report, ABLATION)
        model = run.served_model(output)
        if model is None:
            raise UserError(f"{output}: no model is served from there. Run the pipeline first.")
        chosen = [one for one in VARIANTS if one.name in (options.only or NAMES)]
        text = _table(model, output, options.epochs, chosen)
        if options.report:
            report.insert(options.report, ABLATION, text)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _table(model: Path, output: Path, epochs: int, variants: Sequence[Variant]) -> str:
    import keras
    import tensorflow_transform as tft
    from tfx import v1 as tfx

    from trainer import data
    from trainer import run as training
    from trainer.features import evidence
    from trainer.hparams import HParams

    heading = origin("benchmarks.quality.ablation")
    record = json.loads((model / "assets.extra" / training.RECORD_FILE).read_text())
    hparams = HParams().changed({**record["hparams"], "epochs": epochs})
    inputs = run.trainer_inputs(model, output)

    def files(split: str) -> list[str]:
        return [str(inputs.examples / f"Split-{split}" / "*")]

    store = RunConfig(data=output, output=output).sentence_store
    tft_output = tft.TFTransformOutput(str(inputs.transform_graph))

    @cache
    def splits(finetuned_layers: int) -> "tuple[Prepared, Rows]":
        """Training and eval split, and the test split with its evidence."""
        of = hparams.changed({"finetuned_layers": finetuned_layers})
        prepared = training.prepare(
            tfx.components.FnArgs(
                train_files=files("train"),
                eval_files=files("eval"),
                transform_graph_path=str(inputs.transform_graph),
                base_model=str(inputs.word_vectors),
                custom_config={"sentence_store": str(store)},
            ),
            of,
        )
        test = data.load(files("test"), tft_output, with_pieces=of.reads_sentences)
        observer = evidence.build(prepared.factors.for_serving(), of, sentences=False)
        test = test.joined(evidence.observe(observer, test))
        return prepared, test.joined(evidence.sentences(test, of, store, prepared.finetuned))

    rows = []
    for number, variant in enumerate(variants):
        started = time.monotonic()
        of = hparams.changed(dict(variant.changes))
        figures = _scores(variant, of, *splits(of.finetuned_layers))
        keras.backend.clear_session()
        rows.append([variant.name, *(f"{figure:.3f}" for figure in figures)])
        print(
            f"{number + 1} of {len(variants)}: {' '.join(rows[-1])} "
            f"({time.monotonic() - started:.0f} s)",
            file=sys.stderr,
            flush=True,
        )
    head = [
        "",
        "all fields: macro-F1",
        "micro-F1",
        "mAP",
        "plot and title: macro-F1",
        "micro-F1",
        "mAP",
    ]
    return f"{heading}, {epochs} passes each:\n\n{report.table(head, rows)}"


def _scores(
    variant: Variant, hparams: "HParams", prepared: "Prepared", test: "Rows"
) -> list[float]:
    """Macro-F1, micro-F1 and mAP of the test films, with all fields and with plot and title."""
    import numpy as np
    import tensorflow as tf

    from trainer import run as training
    from trainer.ensemble import model, thresholds

    network = training.new_model(hparams, prepared, variant.leave_out)
    with tempfile.TemporaryDirectory() as logs:
        training.fit(network, hparams, prepared, Path(logs))
    decisions = training.decide(network, prepared.evaluation)
    infer = model.inference(network)
    figures = []
    for pattern in (None, 0):
        probabilities, decided = [], []
        for inputs, _ in test.only(model.input_names(network)).batches(training.EVAL_BATCH):
            known = inputs if pattern is None else thresholds.hide(inputs, pattern)
            found, margin = decisions.margins(infer(known), thresholds.pattern_of(known))
            probabilities.append(found)
            decided.append(margin >= 0)
        predictions = scores.Predictions(
            tf.concat(probabilities, 0).numpy(), tf.concat(decided, 0).numpy()
        )
        found = scores.scores(np.asarray(test.labels > 0.5), predictions)
        figures += [found[name] for name in ("macro-F1", "micro-F1", "mAP")]
    return figures


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
