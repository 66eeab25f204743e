"""Asks an exported model real questions, alone in a fresh process.

The model is loaded as TensorFlow Serving loads it (graph, restored variables, initialised tables, a
session), with nothing but TensorFlow imported: what works here does not lean on the code, the
libraries or the memory of the process that trained it.

    python -m components.smoke_test.probe --model DIR --examples DIR --report FILE

prints the stage it is at and writes a JSON report (see `Report`). The exit status is 0 whether the
model passed or not; anything else means that the process itself failed.
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
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from components.smoke_test import decision
from components.smoke_test.questions import (
    Question,
    edge_questions,
    example_inputs,
    named_inputs,
    question_of_example,
)
from schema import features as raw
from schema import names

Types = dict[str, tf.DType]

_NAMED: Final[Types] = {
    name: tf.float32 if name in raw.NUMBERS else tf.string for name in raw.MODEL_INPUTS
}
_SERIALIZED: Final[Types] = {names.EXAMPLES_INPUT: tf.string}
_ANSWER: Final[Types] = {
    names.GENRES_OUTPUT: tf.string,
    names.PROBABILITIES_OUTPUT: tf.float32,
    names.PREDICTED_OUTPUT: tf.bool,
}
_EVALUATION: Final[Types] = {
    names.PROBABILITIES_OUTPUT: tf.float32,
    names.SCORES_OUTPUT: tf.float32,
}

_SIGNATURES: Final[dict[str, tuple[Types, Types]]] = {
    names.SERVING_SIGNATURE: (_NAMED, _ANSWER),
    names.EXAMPLES_SIGNATURE: (_SERIALIZED, _ANSWER),
    names.EVALUATE_SIGNATURE: (_SERIALIZED, _EVALUATION),
}
"""Inputs, of shape [N], and outputs of each signature. `evaluate` may have further outputs."""

_NEEDS_PYTHON: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that TensorFlow knows and a model server, which has no Python, cannot run."""

STAGE_MARK: Final = "stage: "
"""Begins each line of the output that names a stage."""

_NO_NEWS: Final = "Graph execution error:"
"""How TensorFlow begins the message of every error of a graph."""


@dataclass(frozen=True)
class Report:
    """What the probe found.

    Attributes:
        passed: whether nothing speaks against the model.
        reasons: what does, a sentence each.
        rows: names of the rows asked about.
        largest_difference: the largest absolute difference of two probabilities, by comparison.
        seconds: time by stage.
    """

    passed: bool
    reasons: list[str]
    rows: list[str]
    largest_difference: dict[str, float]
    seconds: dict[str, float]


def probe(model: Path, examples: Path, rows: int) -> Report:
    """Load a model, ask it all questions and judge the answers.

    Args:
        model: directory of the SavedModel.
        examples: directory of gzipped TFRecord files with raw `tf.Example`s.
        rows: how many of them are asked about, from the first.

    Returns:
        The findings. A model that cannot be loaded or whose graph fails is a finding, too.
    """
    begun: dict[str, float] = {}
    _begin(begun, "reading the examples")
    files = sorted(map(str, examples.iterdir()))
    records = tf.data.TFRecordDataset(files, "GZIP").take(rows).as_numpy_iterator()
    questions = [question_of_example(record, position) for position, record in enumerate(records)]
    questions += edge_questions()
    differences: dict[str, float] = {}
    try:
        reasons = _judge(model, questions, begun, differences)
    except Exception as error:  # whatever a model does wrong is a finding
        traceback.print_exc()
        reasons = [f"{[*begun][-1]} failed: {_first_line(error)}"]
    seconds = np.diff([*begun.values(), time.monotonic()]).round(3).tolist()
    return Report(
        passed=not reasons,
        reasons=reasons,
        rows=[question.name for question in questions],
        largest_difference=differences,
        seconds=dict(zip(begun, seconds, strict=True)),
    )


def _judge(
    model: Path,
    questions: Sequence[Question],
    begun: dict[str, float],
    differences: dict[str, float],
) -> list[str]:
    """What speaks against the model; ends at the first stage that finds something.

    `begun` gets the time at which each stage begins, and `differences` the largest difference of
    two probabilities by comparison.
    """
    _begin(begun, "reading the graph")
    saved = saved_model_pb2.SavedModel.FromString((model / names.SAVED_MODEL_FILE).read_bytes())
    graphs = [meta_graph.graph_def for meta_graph in saved.meta_graphs]
    if foreign := _ops_not_in_a_server(graphs):
        return [f"the graph has ops that no stock server has: {', '.join(foreign)}"]
    tolerance = decision.ROUGH_TOLERANCE if _multiplies_in_bfloat16(graphs) else decision.TOLERANCE
    _begin(begun, "loading the model")
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(model))
    signatures = loaded.signature_def
    if reasons := _signature_faults(signatures):
        return reasons

    def ask(
        signature: str, inputs: Mapping[str, npt.NDArray[Any]], how: str = ""
    ) -> decision.Answer:
        """Run a signature; an input that is not given takes the default stored with the model."""
        _begin(begun, f"asking {signature}{how}")
        definition = signatures[signature]
        feed = {name: tf.make_ndarray(default) for name, default in definition.defaults.items()}
        feed |= inputs
        answer: decision.Answer = session.run(
            {name: tensor.name for name, tensor in definition.outputs.items()},
            {definition.inputs[name].name: array for name, array in feed.items()},
        )
        return answer

    rows = [question.name for question in questions]
    named = ask(names.SERVING_SIGNATURE, named_inputs(questions))
    if reasons := decision.check_answer(names.SERVING_SIGNATURE, named, rows):
        return reasons
    evaluated = ask(names.EVALUATE_SIGNATURE, example_inputs(questions))
    reasons, differences[names.EVALUATE_SIGNATURE] = decision.check_probabilities(
        names.EVALUATE_SIGNATURE, evaluated, named, rows, tolerance
    )
    if reasons:
        return reasons

    def check(what: str, answer: decision.Answer, asked: Sequence[int]) -> None:
        """Compare an answer with those for the same rows, given by their positions."""
        asked_rows = [rows[position] for position in asked]
        faults = decision.check_answer(what, answer, asked_rows)
        if not faults:
            expected, judged = (
                {name: array[asked] for name, array in one.items()} for one in (named, evaluated)
            )
            faults, differences[what] = decision.check_probabilities(
                what, answer, expected, asked_rows, tolerance
            )
            faults = faults or decision.check_decisions(what, answer, judged, asked_rows, tolerance)
        reasons.extend(faults)

    everything = list(range(len(questions)))
    check(names.SERVING_SIGNATURE, named, everything)
    from_examples = ask(names.EXAMPLES_SIGNATURE, example_inputs(questions))
    check(names.EXAMPLES_SIGNATURE, from_examples, everything)
    alone = [ask(names.SERVING_SIGNATURE, named_inputs([one]), " row by row") for one in questions]
    stacked = {name: np.concatenate([one[name] for one in alone]) for name in alone[0]}
    check("one row alone", stacked, everything)
    plot_only = [place for place, one in enumerate(questions) if one.known <= {raw.PLOT}]
    inputs = named_inputs([questions[place] for place in plot_only], [raw.PLOT])
    answer = ask(names.SERVING_SIGNATURE, inputs, " with a plot alone")
    check("a request with a plot alone", answer, plot_only)
    return reasons


def _begin(begun: dict[str, float], stage: str) -> None:
    """Print a stage that begins, and note the time."""
    if stage not in begun:
        begun[stage] = time.monotonic()
        print(f"{STAGE_MARK}{stage}", flush=True)


def _ops_not_in_a_server(graphs: Sequence[GraphDef]) -> list[str]:
    """Ops of a SavedModel's graphs that a stock server does not have, sorted."""
    functions = [function for graph in graphs for function in graph.library.function]
    used = {node.op for graph in graphs for node in graph.node}
    used |= {node.op for function in functions for node in function.node_def}
    used -= {function.signature.name for function in functions}
    return sorted(op for op in used if op in _NEEDS_PYTHON or op_def_registry.get(op) is None)


def _multiplies_in_bfloat16(graphs: Sequence[GraphDef]) -> bool:
    return any(
        node.op == "MatMul" and node.attr["T"].type == tf.bfloat16.as_datatype_enum
        for graph in graphs
        for function in graph.library.function
        for node in function.node_def
    )


def _signature_faults(signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> list[str]:
    """What is wrong with the names and types that the model declares."""
    reasons = []
    for name, (inputs, outputs) in _SIGNATURES.items():
        if name not in signatures:
            found = ", ".join(sorted(signatures)) or "none"
            reasons.append(f"there is no signature '{name}' (found: {found})")
            continue
        signature = signatures[name]
        for kind, expected, declared in (
            ("input", inputs, signature.inputs),
            ("output", outputs, signature.outputs),
        ):
            missing, further = expected.keys() - set(declared), set(declared) - expected.keys()
            if missing or (further and expected is not _EVALUATION):
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
    return next((line for line in lines if line and line != _NO_NEWS), type(error).__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe and write its report."""
    parser = argparse.ArgumentParser(description="Load a model in this process and question it.")
    parser.add_argument("--model", type=Path, required=True, help="directory of the SavedModel")
    parser.add_argument("--examples", type=Path, required=True, help="directory of TFRecord files")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rows", type=int, default=32, help="examples to ask about (default: 32)")
    parser.add_argument(
        "--time-limit", type=int, default=300, help="seconds before giving up (default: 300)"
    )
    options = parser.parse_args(arguments)
    # By the kernel, so that it also ends an op that never returns, and without anybody's help: the
    # process that started this one may be gone.
    signal.alarm(options.time_limit)
    report = probe(options.model, options.examples, options.rows)
    options.report.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
