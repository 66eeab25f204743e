"""Describes what each node made, in a few words for the console."""

import json
from pathlib import Path
from typing import Any

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


def describe(result: NodeResult) -> str:
    """A few words on what a node made; empty if there is nothing to say."""
    outputs = result.outputs
    if not outputs:
        return ""
    match result.node:
        case Node.EXAMPLE_GEN:
            folders = {split: outputs["examples"] / f"Split-{split}" for split in Split}
            counts = {split: _rows(folder) for split, folder in folders.items() if folder.is_dir()}
            return ", ".join(f"{count:,} {split}" for split, count in counts.items())
        case Node.TRANSFORM:
            words = outputs["transform_graph"] / "transform_fn" / "assets" / xf.PLOT_WORDS
            return f"{len(words.read_bytes().splitlines()):,} words"
        case Node.WORD_VECTORS:
            info = _json(next(outputs["model"].rglob(WORD_VECTORS_INFO_FILE)))
            return f"{info['source']}, {info['dimensions']} dimensions"
        case Node.SIMPLE_BASELINE:
            metrics = _json(outputs["metrics"] / SIMPLE_BASELINE_FILE)
            return f"macro-F1 {metrics['macro_f1']:.3f} on test"
        case Node.TRAINER:
            record = _json(outputs["model_run"] / TRAINING_RECORD_FILE)
            curve, best = record["history"]["val_macro_f1"], record["best_epoch"]
            return f"kept epoch {best + 1} of {len(curve)}, macro-F1 {curve[best]:.3f} on eval"
        case Node.EVALUATOR:
            verdict = read_verdict(outputs["blessing"])
            return f"macro-F1 {verdict.macro_f1:.3f}, {'blessed' if verdict.blessed else 'refused'}"
        case Node.SMOKE_TEST:
            return "blessed" if (outputs["blessing"] / PASSED_FILE).exists() else "refused"
    return ""


def _rows(folder: Path) -> int:
    """The number of rows, counted in the files."""
    files = [str(file) for file in folder.glob("*.gz")]
    records = tf.data.TFRecordDataset(files, compression_type=EXAMPLES_COMPRESSION)
    return int(records.reduce(0, lambda total, _: total + 1))


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
