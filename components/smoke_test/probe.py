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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from components.smoke_test.decision import (
    ROUGH_TOLERANCE,
    TOLERANCE,
    Answer,
    check_answer,
    check_decisions,
    check_probabilities,
)
from components.smoke_test.questions import (
    Question,
    edge_questions,
    example_inputs,
    named_inputs,
    question_of_example,
    read_examples,
)
from schema import features as raw
from schema.names import (
    EVALUATE_SIGNATURE,
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    GENRES_OUTPUT,
    PREDICTED_OUTPUT,
    PROBABILITIES_OUTPUT,
    SAVED_MODEL_FILE,
    SCORES_OUTPUT,
    SERVING_SIGNATURE,
)

Types = dict[str, tf.DType]

_ANSWER: Final[Types] = {
    GENRES_OUTPUT: tf.string,
    PROBABILITIES_OUTPUT: tf.float32,
    PREDICTED_OUTPUT: tf.bool,
}
_NAMED: Final[Types] = {
    name: tf.float32 if name in raw.NUMBERS else tf.string for name in raw.MODEL_INPUTS
}
_SERIALIZED: Final[Types] = {EXAMPLES_INPUT: tf.string}

SIGNATURES: Final[dict[str, tuple[Types, Types]]] = {
    SERVING_SIGNATURE: (_NAMED, _ANSWER),
    EXAMPLES_SIGNATURE: (_SERIALIZED, _ANSWER),
    EVALUATE_SIGNATURE: (
        _SERIALIZED,
        {PROBABILITIES_OUTPUT: tf.float32, SCORES_OUTPUT: tf.float32},
    ),
}
"""Inputs, of shape [N], and outputs of each signature. `evaluate` may have further outputs."""

NEEDS_PYTHON: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
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
        largest_difference: by comparison, the largest absolute difference of two probabilities.
        seconds: time by stage.
    """

    passed: bool
    reasons: list[str]
    rows: list[str] = field(default_factory=list)
    largest_difference: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class ServedModel:
    """A SavedModel, loaded and asked the way TensorFlow Serving does it."""

    def __init__(self, path: Path) -> None:
        """Load the model.

        Args:
            path: folder of the SavedModel.

        Raises:
            OSError: there is no readable SavedModel.
            tf.errors.OpError: the graph cannot be restored or initialised.
        """
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(path))
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(loaded.signature_def)

    def ask(self, signature: str, inputs: dict[str, npt.NDArray[Any]]) -> Answer:
        """Run a signature; an input that is not given takes the default stored with the model.

        Args:
            signature: its name.
            inputs: array [N] by input name.

        Returns:
            Array by output name.

        Raises:
            tf.errors.OpError: the graph fails, or an input is neither given nor has a default.
        """
        definition = self.signatures[signature]
        feed = {
            definition.inputs[name].name: tf.make_ndarray(default)
            for name, default in definition.defaults.items()
        }
        feed |= {definition.inputs[name].name: array for name, array in inputs.items()}
        fetch = {name: tensor.name for name, tensor in definition.outputs.items()}
        answer: Answer = self._session.run(fetch, feed)
        return answer


def graphs_of(model: Path) -> list[GraphDef]:
    """The graphs of a SavedModel.

    Raises:
        OSError: there is no readable SavedModel.
    """
    saved = saved_model_pb2.SavedModel.FromString((model / SAVED_MODEL_FILE).read_bytes())
    return [meta_graph.graph_def for meta_graph in saved.meta_graphs]


def ops_not_in_a_server(graphs: Sequence[GraphDef]) -> list[str]:
    """Ops of a SavedModel's graphs that a stock server does not have, sorted."""
    used: set[str] = set()
    functions: set[str] = set()
    for graph in graphs:
        used |= {node.op for node in graph.node}
        for function in graph.library.function:
            functions.add(function.signature.name)
            used |= {node.op for node in function.node_def}
    return sorted(
        op for op in used - functions if op in NEEDS_PYTHON or op_def_registry.get(op) is None
    )


def tolerance_of(graphs: Sequence[GraphDef]) -> float:
    """`ROUGH_TOLERANCE` if a SavedModel multiplies in bfloat16, else `TOLERANCE`."""
    rough = any(
        node.op == "MatMul" and node.attr["T"].type == tf.bfloat16.as_datatype_enum
        for graph in graphs
        for function in graph.library.function
        for node in function.node_def
    )
    return ROUGH_TOLERANCE if rough else TOLERANCE


def check_signatures(signatures: dict[str, meta_graph_pb2.SignatureDef]) -> list[str]:
    """What is wrong with the names, types and shapes that the model declares."""
    reasons = []
    for name, (inputs, outputs) in SIGNATURES.items():
        if name not in signatures:
            found = ", ".join(sorted(signatures)) or "none"
            reasons.append(f"there is no signature '{name}' (found: {found})")
            continue
        for kind, expected, declared in (
            ("input", inputs, signatures[name].inputs),
            ("output", outputs, signatures[name].outputs),
        ):
            more_allowed = kind == "output" and name == EVALUATE_SIGNATURE
            if set(declared) != set(expected) and not (
                more_allowed and expected.keys() <= set(declared)
            ):
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
        if name == SERVING_SIGNATURE:
            reasons += [
                f"input '{key}' of signature '{name}' has no default: a request cannot leave it out"
                for key in inputs
                if key not in signatures[name].defaults
            ]
    return reasons


def probe(model: Path, examples: Path, rows: int) -> Report:
    """Load a model, ask it all questions and judge the answers.

    Args:
        model: folder of the SavedModel.
        examples: folder of TFRecord files with raw `tf.Example`s.
        rows: how many of them are asked about, from the first.

    Returns:
        The findings. A model that cannot be loaded or whose graph fails is a finding, too.
    """
    stages = _Stages()
    stages.begin("reading the examples")
    questions = [
        question_of_example(serialized, position)
        for position, serialized in enumerate(read_examples(examples, rows))
    ] + edge_questions()
    differences: dict[str, float] = {}
    try:
        reasons = _judge(model, questions, stages, differences)
    except Exception as error:  # whatever a model does wrong is a finding
        traceback.print_exc()
        reasons = [f"{stages.current} failed: {_first_line(error)}"]
    return Report(
        passed=not reasons,
        reasons=reasons,
        rows=[row.name for row in questions],
        largest_difference=differences,
        seconds=stages.seconds(),
    )


def _judge(
    model: Path, questions: Sequence[Question], stages: "_Stages", differences: dict[str, float]
) -> list[str]:
    """What speaks against the model; ends at the first stage that finds something."""
    stages.begin("reading the graph")
    graphs = graphs_of(model)
    if foreign := ops_not_in_a_server(graphs):
        return [f"the graph has ops that no stock server has: {', '.join(foreign)}"]
    stages.begin("loading the model")
    tolerance = tolerance_of(graphs)
    served = ServedModel(model)
    if reasons := check_signatures(served.signatures):
        return reasons

    def ask(signature: str, inputs: dict[str, npt.NDArray[Any]]) -> Answer:
        stages.begin(f"asking {signature}")
        return served.ask(signature, inputs)

    rows = [question.name for question in questions]
    named = ask(SERVING_SIGNATURE, named_inputs(questions))
    if reasons := check_answer(SERVING_SIGNATURE, named, rows):
        return reasons
    evaluated = ask(EVALUATE_SIGNATURE, example_inputs(questions))

    def check(what: str, answer: Answer, asked: Sequence[Question]) -> None:
        rows = [question.name for question in asked]
        if faults := check_answer(what, answer, rows):
            reasons.extend(faults)
            return
        positions = [questions.index(question) for question in asked]
        faults, differences[what] = check_probabilities(
            what, answer, _at(named, positions), rows, tolerance
        )
        reasons.extend(
            faults or check_decisions(what, answer, _at(evaluated, positions), rows, tolerance)
        )

    faults, differences[EVALUATE_SIGNATURE] = check_probabilities(
        EVALUATE_SIGNATURE, evaluated, named, rows, tolerance
    )
    if faults:
        return faults
    check(SERVING_SIGNATURE, named, questions)
    check(EXAMPLES_SIGNATURE, ask(EXAMPLES_SIGNATURE, example_inputs(questions)), questions)
    stages.begin(f"asking {SERVING_SIGNATURE} row by row")
    alone = [served.ask(SERVING_SIGNATURE, named_inputs([row])) for row in questions]
    check("one row alone", _stacked(alone), questions)
    stages.begin(f"asking {SERVING_SIGNATURE} with a plot alone")
    plot_only = [question for question in questions if question.known <= {raw.PLOT}]
    answer = served.ask(SERVING_SIGNATURE, named_inputs(plot_only, [raw.PLOT]))
    check("a request with a plot alone", answer, plot_only)
    return reasons


def _at(answer: Answer, positions: Sequence[int]) -> Answer:
    """An answer for some of its rows."""
    return {name: array[list(positions)] for name, array in answer.items()}


def _stacked(answers: Sequence[Answer]) -> Answer:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _first_line(error: Exception) -> str:
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and line != _NO_NEWS), type(error).__name__)


class _Stages:
    """Prints the stage that begins and takes the time of each."""

    def __init__(self) -> None:
        self.current = ""
        self._begun: list[tuple[str, float]] = []

    def begin(self, name: str) -> None:
        self.current = name
        self._begun.append((name, time.monotonic()))
        print(f"{STAGE_MARK}{name}", flush=True)

    def seconds(self) -> dict[str, float]:
        ends = [begun for _, begun in self._begun[1:]] + [time.monotonic()]
        return {
            name: round(end - begun, 3)
            for (name, begun), end in zip(self._begun, ends, strict=True)
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe and write its report."""
    parser = argparse.ArgumentParser(
        prog="python -m components.smoke_test.probe",
        description="Load an exported model in this process alone and ask it real questions.",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the SavedModel")
    parser.add_argument("--examples", type=Path, required=True, help="folder of TFRecord files")
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
