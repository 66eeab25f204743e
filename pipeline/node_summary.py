"""One-line summaries of what each node produced, for the console."""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.evaluator.verdict import read_verdict
from pipeline.output_records import damaged
from pipeline.runner import NodeResult
from schema.names import (
    EXAMPLES_COMPRESSION,
    PASSED_FILE,
    SIMPLE_BASELINE_FILE,
    SMOKE_TEST_LOG_FILE,
    TRAINING_RECORD_FILE,
    WORD_VECTORS_INFO_FILE,
    Node,
    Split,
)
from schema.wording import count
from transform import features as xf


def summarize(result: NodeResult) -> str:
    """Return a short summary of a node's outputs; empty for nodes that have none."""
    outputs = result.outputs
    if not outputs:
        return ""

    def read_json(file: Path) -> Any:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise damaged(file, result.node) from error

    match result.node:
        case Node.EXAMPLE_GEN:
            splits = {split: outputs["examples"] / f"Split-{split}" for split in Split}
            sizes = {
                split: sum(_count_examples(file, result.node) for file in directory.glob("*.gz"))
                for split, directory in splits.items()
                if directory.is_dir()
            }
            return ", ".join(f"{count:,} {split}" for split, count in sizes.items())
        case Node.TRANSFORM:
            words = outputs["transform_graph"] / "transform_fn" / "assets" / xf.PLOT_WORDS
            return count(len(words.read_bytes().splitlines()), "word")
        case Node.WORD_VECTORS:
            info = read_json(next(outputs["model"].rglob(WORD_VECTORS_INFO_FILE)))
            return f"{info['source']}, {info['dimensions']} dimensions"
        case Node.SIMPLE_BASELINE:
            metrics = read_json(outputs["metrics"] / SIMPLE_BASELINE_FILE)
            return f"macro-F1 {metrics['macro_f1']:.3f} on test"
        case Node.TRAINER:
            record = read_json(outputs["model_run"] / TRAINING_RECORD_FILE)
            curve, best = record["history"]["val_macro_f1"], record["best_epoch"]
            trained, largest = len(curve), record["hparams"]["epochs"]
            stopped = f"; stopped after {trained} of at most {largest}"
            epochs = f" of {trained}" if trained == largest else stopped
            return f"best epoch {best + 1}{epochs}; macro-F1 {curve[best]:.3f} on eval"
        case Node.EVALUATOR:
            verdict = read_verdict(outputs["blessing"])
            return f"macro-F1 {verdict.macro_f1:.3f}, {'' if verdict.blessed else 'not '}blessed"
        case Node.SMOKE_TEST:
            if (outputs["blessing"] / PASSED_FILE).exists():
                return "blessed"
            # The test writes its log first. Without a log, the test was left out.
            tested = (outputs["blessing"] / SMOKE_TEST_LOG_FILE).exists()
            return "not blessed" if tested else "not run: the gate did not bless the model"
        case Node.LABELLER:
            counts = result.properties["labels"]
            if "labels" not in counts:
                return "not run: no model was pushed"
            return (
                f"{count(counts['labels'], 'movie')} labelled ({counts['unsure']:,} unsure), "
                f"{counts['doubts']:,} doubted"
            )
    return ""


def _count_examples(file: Path, node: str) -> int:
    records = tf.data.TFRecordDataset(str(file), compression_type=EXAMPLES_COMPRESSION)
    try:
        return int(records.reduce(0, lambda total, _: total + 1))
    except tf.errors.DataLossError as error:
        raise damaged(file, node) from error
