"""Describes what each node made, in a few words for the console."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from components.evaluator.verdict import read_verdict
from pipeline.runner import NodeResult
from schema.names import (
    EXAMPLES_COMPRESSION,
    PASSED_FILE,
    SIMPLE_BASELINE_FILE,
    TRAINING_RECORD_FILE,
    WORD_VECTORS_INFO_FILE,
    Node,
    Split,
)
from transform import features as xf

Outputs = Mapping[str, Path]


def describe(result: NodeResult) -> str:
    """A few words on what a node made; empty if there is nothing to say."""
    description = _DESCRIPTIONS.get(result.node)
    return description(result.outputs) if description and result.outputs else ""


def _rows(outputs: Outputs) -> str:
    """Rows of each split, counted in the files."""
    counts = []
    for split in sorted(outputs["examples"].glob("Split-*"), key=_split_order):
        files = [str(file) for file in sorted(split.glob("*.gz"))]
        records = tf.data.TFRecordDataset(files, compression_type=EXAMPLES_COMPRESSION)
        count = int(records.reduce(0, lambda total, _: total + 1))
        counts.append(f"{count:,} {split.name.removeprefix('Split-')}")
    return ", ".join(counts)


def _split_order(split: Path) -> int:
    return list(Split).index(Split(split.name.removeprefix("Split-")))


def _vocabulary(outputs: Outputs) -> str:
    file = outputs["transform_graph"] / "transform_fn" / "assets" / xf.PLOT_WORDS
    with file.open("rb") as content:
        return f"{sum(1 for _ in content):,} words"


def _word_vectors(outputs: Outputs) -> str:
    info = _json(next(outputs["model"].rglob(WORD_VECTORS_INFO_FILE)))
    return f"{info['source']}, {info['dimensions']} dimensions"


def _simple_baseline(outputs: Outputs) -> str:
    return f"macro-F1 {_json(outputs['metrics'] / SIMPLE_BASELINE_FILE)['macro_f1']:.3f} on test"


def _training(outputs: Outputs) -> str:
    record = _json(outputs["model_run"] / TRAINING_RECORD_FILE)
    curve, best = record["history"]["val_macro_f1"], record["best_pass"]
    return f"kept epoch {best + 1} of {len(curve)}, macro-F1 {curve[best]:.3f} on eval"


def _verdict(outputs: Outputs) -> str:
    verdict = read_verdict(outputs["blessing"])
    return f"macro-F1 {verdict.macro_f1:.3f}, {'blessed' if verdict.blessed else 'refused'}"


def _smoke_test(outputs: Outputs) -> str:
    return "blessed" if (outputs["blessing"] / PASSED_FILE).exists() else "refused"


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


_DESCRIPTIONS: Final[dict[str, Callable[[Outputs], str]]] = {
    Node.EXAMPLE_GEN: _rows,
    Node.TRANSFORM: _vocabulary,
    Node.WORD_VECTORS: _word_vectors,
    Node.SIMPLE_BASELINE: _simple_baseline,
    Node.TRAINER: _training,
    Node.EVALUATOR: _verdict,
    Node.SMOKE_TEST: _smoke_test,
}
