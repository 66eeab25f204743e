"""Load an exported model in a separate process, call its signatures and check the outputs.

The model is loaded as TensorFlow Serving loads it: graph, restored variables, initialized tables
and a session. Only TensorFlow is imported, so that a model that passes does not depend on the code,
the libraries or the memory of the process that trained it.

    python -m components.smoke_test.probe --model DIR --examples DIR --report FILE

prints the name of each stage and writes a report as JSON (see `ProbeReport`). The exit status is 0
whether the model passed or not. Any other status means that the process itself failed.
"""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schema.streams import import_tensorflow

# The messages that TensorFlow prints at import would come before the help and the stages.
import_tensorflow()

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from components.smoke_test import decision
from components.smoke_test.cases import (
    ProbeCase,
    case_from_example,
    edge_cases,
    example_inputs,
    named_inputs,
)
from schema import features as raw
from schema import names
from schema.genres import read_genres

Types = dict[str, tf.DType]
"""Types of tensors, by name."""

_FEATURE_INPUTS: Final[Types] = {
    name: tf.float32 if name in raw.NUMBERS else tf.string for name in raw.MODEL_INPUTS
}
_EXAMPLE_INPUTS: Final[Types] = {names.EXAMPLES_INPUT: tf.string}
_PREDICTION_OUTPUTS: Final[Types] = {
    names.GENRES_OUTPUT: tf.string,
    names.PROBABILITIES_OUTPUT: tf.float32,
    names.PREDICTED_OUTPUT: tf.bool,
    names.THRESHOLDS_OUTPUT: tf.float32,
    names.UNFAMILIAR_OUTPUT: tf.bool,
    names.KNOWN_WORDS_OUTPUT: tf.float32,
}
_EVALUATION_OUTPUTS: Final[Types] = {
    names.PROBABILITIES_OUTPUT: tf.float32,
    names.SCORES_OUTPUT: tf.float32,
}

_SIGNATURES: Final[dict[str, tuple[Types, Types]]] = {
    names.SERVING_SIGNATURE: (_FEATURE_INPUTS, _PREDICTION_OUTPUTS),
    names.EXAMPLES_SIGNATURE: (_EXAMPLE_INPUTS, _PREDICTION_OUTPUTS),
    names.EVALUATE_SIGNATURE: (_EXAMPLE_INPUTS, _EVALUATION_OUTPUTS),
}
"""Inputs and outputs of each signature. `evaluate` may have more outputs."""

_PYTHON_OPS: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that call Python, which a model server does not have."""

STAGE_PREFIX: Final = "stage: "
"""Prefix of the output lines that name a stage."""

_GRAPH_ERROR_LINE: Final = "Graph execution error:"
"""First line of the message of every error in a graph; it contains no information."""


@dataclass(frozen=True)
class ProbeReport:
    """Result of a probe.

    Attributes:
        passed: Whether the model passed.
        reasons: Reasons to refuse the model, one sentence each; empty if it passed.
        rows: Names of the cases.
        largest_difference: Largest absolute difference of two probabilities, by call.
        seconds: Duration in seconds, by stage.
    """

    passed: bool
    reasons: list[str]
    rows: list[str]
    largest_difference: dict[str, float]
    seconds: dict[str, float]


def probe(model: Path, examples: Path, rows: int) -> ProbeReport:
    """Load a model, call its signatures with all cases and check the outputs.

    Args:
        model: Path of the SavedModel.
        examples: Path of a directory of gzipped TFRecord files with raw `tf.train.Example`s.
        rows: Number of examples to use, from the first.

    Returns:
        The report. It also covers models that cannot be loaded and graphs that fail.
    """
    stage_starts: dict[str, float] = {}
    _begin_stage(stage_starts, "reading the examples")
    files = sorted(map(str, examples.iterdir()))
    records = tf.data.TFRecordDataset(files, "GZIP").take(rows).as_numpy_iterator()
    cases = [case_from_example(record, position) for position, record in enumerate(records)]
    cases += edge_cases()
    differences: dict[str, float] = {}
    try:
        reasons = _check_model(model, cases, stage_starts, differences)
    except Exception as error:  # any error of the model is a reason to refuse it
        traceback.print_exc()
        reasons = [f"{[*stage_starts][-1]} failed: {_first_line(error)}"]
    seconds = np.diff([*stage_starts.values(), time.monotonic()]).round(3).tolist()
    return ProbeReport(
        passed=not reasons,
        reasons=reasons,
        rows=[case.name for case in cases],
        largest_difference=differences,
        seconds=dict(zip(stage_starts, seconds, strict=True)),
    )


def _check_model(
    model: Path,
    cases: Sequence[ProbeCase],
    stage_starts: dict[str, float],
    differences: dict[str, float],
) -> list[str]:
    """Check a model.

    Args:
        model: Path of the SavedModel.
        cases: Cases to call the signatures with.
        stage_starts: Output: start time of each stage, by stage.
        differences: Output: largest absolute difference of two probabilities, by call.

    Returns:
        Reasons to refuse the model. Later checks are skipped if they depend on one that failed.
    """
    _begin_stage(stage_starts, "reading the graph")
    saved = saved_model_pb2.SavedModel.FromString((model / names.SAVED_MODEL_FILE).read_bytes())
    graphs = [meta_graph.graph_def for meta_graph in saved.meta_graphs]
    if unsupported := _unsupported_ops(graphs):
        return [f"the graph has ops that TensorFlow Serving lacks: {', '.join(unsupported)}"]
    _begin_stage(stage_starts, "loading the model")
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(model))
    signatures = loaded.signature_def
    if reasons := _signature_faults(signatures):
        return reasons

    def call(
        signature: str, inputs: Mapping[str, npt.NDArray[Any]], how: str = ""
    ) -> decision.Outputs:
        """Call a signature. Inputs that are left out have the defaults stored with the model."""
        _begin_stage(stage_starts, f"calling {signature}{how}")
        definition = signatures[signature]
        feed = {name: tf.make_ndarray(default) for name, default in definition.defaults.items()}
        feed |= inputs
        outputs: decision.Outputs = session.run(
            {name: tensor.name for name, tensor in definition.outputs.items()},
            {definition.inputs[name].name: array for name, array in feed.items()},
        )
        return outputs

    rows = [case.name for case in cases]
    served = call(names.SERVING_SIGNATURE, named_inputs(cases))
    genres = read_genres(model)
    if reasons := decision.check_outputs(names.SERVING_SIGNATURE, served, rows, genres):
        return reasons
    evaluated = call(names.EVALUATE_SIGNATURE, example_inputs(cases))
    reasons, differences[names.EVALUATE_SIGNATURE] = decision.check_probabilities(
        names.EVALUATE_SIGNATURE, evaluated, served, rows
    )
    if reasons:
        return reasons

    def check(name: str, outputs: decision.Outputs, positions: Sequence[int]) -> None:
        """Compare the outputs of a call with those for the same cases in one batch."""
        called_rows = [rows[position] for position in positions]
        faults = decision.check_outputs(name, outputs, called_rows, genres)
        if not faults:
            expected, thresholds_from = (
                {key: array[positions] for key, array in batch.items()}
                for batch in (served, evaluated)
            )
            faults, differences[name] = decision.check_probabilities(
                name, outputs, expected, called_rows
            )
            faults = faults or decision.check_predicted_genres(
                name, outputs, thresholds_from, called_rows
            )
        reasons.extend(faults)

    all_positions = list(range(len(cases)))
    check(names.SERVING_SIGNATURE, served, all_positions)
    from_examples = call(names.EXAMPLES_SIGNATURE, example_inputs(cases))
    check(names.EXAMPLES_SIGNATURE, from_examples, all_positions)
    single = [call(names.SERVING_SIGNATURE, named_inputs([case]), " row by row") for case in cases]
    stacked = {name: np.concatenate([row[name] for row in single]) for name in single[0]}
    check("single rows", stacked, all_positions)
    plot_only = [i for i, case in enumerate(cases) if case.present_features <= {raw.PLOT}]
    inputs = named_inputs([cases[i] for i in plot_only], [raw.PLOT])
    outputs = call(names.SERVING_SIGNATURE, inputs, " with plots only")
    check("requests with plots only", outputs, plot_only)
    return reasons


def _begin_stage(stage_starts: dict[str, float], stage: str) -> None:
    """Print the name of a stage and record its start, unless the stage has begun already."""
    if stage not in stage_starts:
        stage_starts[stage] = time.monotonic()
        print(f"{STAGE_PREFIX}{stage}", flush=True)


def _unsupported_ops(graphs: Sequence[GraphDef]) -> list[str]:
    """Return the sorted names of ops that TensorFlow Serving does not have."""
    functions = [function for graph in graphs for function in graph.library.function]
    used = {node.op for graph in graphs for node in graph.node}
    used |= {node.op for function in functions for node in function.node_def}
    used -= {function.signature.name for function in functions}
    return sorted(op for op in used if op in _PYTHON_OPS or op_def_registry.get(op) is None)


def _signature_faults(signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> list[str]:
    """Check the names and types of inputs and outputs that the model declares.

    Returns:
        Reasons to refuse the model, one sentence each.
    """
    reasons = []
    for name, (inputs, outputs) in _SIGNATURES.items():
        if name not in signatures:
            found = ", ".join(sorted(signatures)) or "none"
            reasons.append(f"the model has no signature '{name}' (found: {found})")
            continue
        signature = signatures[name]
        for kind, expected, declared in (
            ("input", inputs, signature.inputs),
            ("output", outputs, signature.outputs),
        ):
            missing, further = expected.keys() - set(declared), set(declared) - expected.keys()
            if missing or (further and expected is not _EVALUATION_OUTPUTS):
                reasons.append(
                    f"signature '{name}' has the {kind}s {', '.join(sorted(declared))}. "
                    f"Expected: {', '.join(sorted(expected))}"
                )
            reasons += [
                f"{kind} '{key}' of signature '{name}' is "
                f"{tf.as_dtype(declared[key].dtype).name}. Expected: {dtype.name}"
                for key, dtype in expected.items()
                if key in declared and tf.as_dtype(declared[key].dtype) != dtype
            ]
        if name == names.SERVING_SIGNATURE:
            reasons += [
                f"input '{key}' of signature '{name}' has no default: a request cannot leave it out"
                for key in inputs
                if key not in signature.defaults
            ]
    return reasons


def _first_line(error: Exception) -> str:
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = (line.strip() for line in text.splitlines())
    return next(
        (line for line in lines if line and line != _GRAPH_ERROR_LINE), type(error).__name__
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe and write its report. Return the exit status."""
    parser = argparse.ArgumentParser(
        description="Load an exported model, call its signatures and check the outputs."
    )
    parser.add_argument("--model", type=Path, required=True, help="directory of the SavedModel")
    parser.add_argument("--examples", type=Path, required=True, help="directory of TFRecord files")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--rows", type=int, default=32, help="number of examples to use (default: 32)"
    )
    parser.add_argument(
        "--time-limit",
        type=int,
        default=300,
        help="time allowed for the process, in seconds (default: 300)",
    )
    options = parser.parse_args(arguments)
    # An alarm also ends an op that never returns, and it works even if the parent process is gone.
    signal.alarm(options.time_limit)
    report = probe(options.model, options.examples, options.rows)
    options.report.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
