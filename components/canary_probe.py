"""Asks an exported model real questions, alone in a fresh process.

The model is loaded as TensorFlow Serving loads it (graph, restored variables, initialised tables, a
session), with nothing but TensorFlow imported: what works here does not lean on the code, the
libraries or the memory of the process that trained it.

    python -m components.canary_probe --model DIR --examples DIR --report FILE

prints the stage it is at and writes a JSON report (see `Report`). The exit status is 0 whether the
model passed or not; anything else means that the process itself failed.
"""

import argparse
import json
import math
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from schema import features as raw
from schema.genres import GENRES

NAMED_SIGNATURE: Final = "serving_default"
EXAMPLES_SIGNATURE: Final = "examples"

GENRES_OUTPUT: Final = "genres"
PROBABILITIES_OUTPUT: Final = "probabilities"
PREDICTED_OUTPUT: Final = "predicted"
OUTPUTS: Final[dict[str, tf.DType]] = {
    GENRES_OUTPUT: tf.string,
    PROBABILITIES_OUTPUT: tf.float32,
    PREDICTED_OUTPUT: tf.bool,
}

INPUTS: Final[dict[str, dict[str, tf.DType]]] = {
    NAMED_SIGNATURE: {
        name: tf.float32 if name in raw.NUMBERS else tf.string for name in raw.MODEL_INPUTS
    },
    EXAMPLES_SIGNATURE: {"examples": tf.string},
}
"""Inputs of each signature asked, every one of shape [N]."""

TOLERANCE: Final = 1e-5
"""How far two probabilities for the same row may lie apart."""

ROUGH_TOLERANCE: Final = 5e-3
"""The same where a model multiplies in bfloat16, whose rounding depends on the rows beside."""

NEEDS_PYTHON: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that TensorFlow knows and a model server, which has no Python, cannot run."""

STAGE_MARK: Final = "stage: "
"""Begins each line of the output that names a stage."""

LONG_PLOT_WORDS: Final = 100_000

_NO_NEWS: Final = "Graph execution error:"
"""How TensorFlow begins the message of every error of a graph."""

Value = bytes | float
Answer = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Question:
    """One row, in the forms that the two signatures take.

    Attributes:
        name: what a report calls the row.
        features: the named features, all of them; empty text or NaN where nothing is known.
        example: the same row as a serialized `tf.Example`.
    """

    name: str
    features: dict[str, Value]
    example: bytes


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


def edge_questions() -> list[Question]:
    """Rows that no dump holds and some user will send."""
    many = "|".join(f"Nobody Number {number}" for number in range(500))
    odd = (
        "\u202eright to left\u202c 電影 фильм 🎬🏴‍☠️ e\u0301\u0301\u0301 \u0000 \ufeff ﷽ \U0010ffff"
    )
    plot = b"A lighthouse keeper finds a letter that was never meant for her."
    rows: dict[str, dict[str, Value]] = {
        "all empty": {},
        "plot only": {raw.PLOT: plot},
        "unknown people": {
            raw.PLOT: plot,
            raw.DIRECTORS: b"Qwxzy Vbnmlk",
            raw.WRITERS: b"Qwxzy Vbnmlk|Zzyzx Ghjkly",
            raw.CAST: many.encode(),
        },
        "people of separators": {raw.DIRECTORS: b"|", raw.WRITERS: b"| |", raw.CAST: b"|||a||"},
        f"plot of {LONG_PLOT_WORDS:,} words": {raw.PLOT: plot + b" stone" * LONG_PLOT_WORDS},
        "one endless word": {raw.PLOT: b"a" * LONG_PLOT_WORDS, raw.TITLE: b"b" * LONG_PLOT_WORDS},
        "odd Unicode": {name: odd.encode() for name in raw.TEXTS + raw.PEOPLE},
        "invalid UTF-8": dict.fromkeys(raw.TEXTS + raw.PEOPLE, b"\xff\xfe \xc3( \xed\xa0\x80"),
        "numbers below one": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, -1.0),
        "numbers of zero": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, 0.0),
        "infinite numbers": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, math.inf),
        "huge numbers": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, float(2**30)),
    }
    return [question(f"edge row '{name}'", features) for name, features in rows.items()]


def question(name: str, features: dict[str, Value]) -> Question:
    """A question from the features that are known."""
    full: dict[str, Value] = {
        key: math.nan if key in raw.NUMBERS else b"" for key in raw.MODEL_INPUTS
    }
    full |= features
    example = tf.train.Example()
    for key, value in features.items():
        values = example.features.feature[key]
        if isinstance(value, bytes):
            values.bytes_list.value.append(value)
        elif key == raw.RATING:
            values.float_list.value.append(value)
        elif math.isfinite(value):
            values.int64_list.value.append(int(value))
    return Question(name, full, example.SerializeToString())


def question_of_example(serialized: bytes, position: int) -> Question:
    """A question from a row of the pipeline's own examples; the row goes on as it is.

    Args:
        serialized: a `tf.Example` with raw features; one without a value is not known.
        position: of the row, for its name where it has no tconst.
    """
    known: dict[str, Value] = {}
    stored = tf.train.Example.FromString(serialized).features.feature
    for key in (raw.TCONST, *raw.MODEL_INPUTS):
        kind = stored[key].WhichOneof("kind") if key in stored else None
        values = getattr(stored[key], kind).value if kind else ()
        if values:
            known[key] = values[0] if kind == "bytes_list" else float(values[0])
    tconst = known.pop(raw.TCONST, b"")
    name = f"row {position}" + (
        f" ({tconst.decode()})" if isinstance(tconst, bytes) and tconst else ""
    )
    return Question(name, question(name, known).features, serialized)


def read_examples(folder: Path, count: int) -> list[bytes]:
    """The first serialized examples of a split: TFRecord files, gzipped where the name says so."""
    records = (
        record
        for path in sorted(folder.iterdir())
        for record in tf.data.TFRecordDataset(str(path), "GZIP" if path.suffix == ".gz" else "")
    )
    return [record.numpy() for record in islice(records, count)]


def named_inputs(
    questions: Sequence[Question], names: Iterable[str] = raw.MODEL_INPUTS
) -> dict[str, npt.NDArray[Any]]:
    """The questions as the inputs of `serving_default`: by name, float32 [N] or bytes [N]."""
    return {
        name: np.array(
            [question.features[name] for question in questions],
            dtype=np.float32 if name in raw.NUMBERS else object,
        )
        for name in names
    }


def example_inputs(questions: Sequence[Question]) -> dict[str, npt.NDArray[Any]]:
    """The questions as the input of `examples`: bytes [N]."""
    return {"examples": np.array([question.example for question in questions], dtype=object)}


def graphs_of(model: Path) -> list[GraphDef]:
    """The graphs of a SavedModel.

    Raises:
        OSError: there is no readable SavedModel.
    """
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
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
    for name, inputs in INPUTS.items():
        if name not in signatures:
            found = ", ".join(sorted(signatures)) or "none"
            reasons.append(f"there is no signature '{name}' (found: {found})")
            continue
        for kind, expected, declared in (
            ("input", inputs, signatures[name].inputs),
            ("output", OUTPUTS, signatures[name].outputs),
        ):
            if set(declared) != set(expected):
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
        if name == NAMED_SIGNATURE:
            reasons += [
                f"input '{key}' of signature '{name}' has no default: a request cannot leave it out"
                for key in inputs
                if key not in signatures[name].defaults
            ]
    return reasons


def check_answer(signature: str, answer: Answer, questions: Sequence[Question]) -> list[str]:
    """What is wrong with one answer, a sentence for each kind of fault, naming the first row."""
    shape = (len(questions), len(GENRES))
    wrong = {key: array.shape for key, array in answer.items() if array.shape != shape}
    if wrong:
        return [
            f"{signature}: '{key}' has the shape {list(found)}. Expected: {list(shape)}"
            for key, found in wrong.items()
        ]
    probabilities = answer[PROBABILITIES_OUTPUT]
    finite = np.isfinite(probabilities)
    in_range = ~finite | ((probabilities >= 0) & (probabilities <= 1))
    names = np.array([name.encode() for name in GENRES], object)
    right_genre = np.asarray(answer[GENRES_OUTPUT] == names, dtype=np.bool_)
    some_genre = np.asarray(answer[PREDICTED_OUTPUT].any(axis=1, keepdims=True))
    demands: dict[str, npt.NDArray[Any]] = {
        "genres are not those of schema.genres.GENRES in their order": right_genre,
        "probabilities are not finite": finite,
        "probabilities lie outside of 0 to 1": in_range,
        "no genre is predicted": some_genre,
    }
    return [
        f"{signature}: {fault} in {_rows(~met, questions)}"
        for fault, met in demands.items()
        if not met.all()
    ]


def check_same(
    what: str,
    first: Answer,
    second: Answer,
    questions: Sequence[Question],
    tolerance: float,
) -> tuple[list[str], float]:
    """Compare an answer with the one that all rows together had from `serving_default`.

    A decision may differ only where the probability does, within the tolerance: a value right at
    its threshold may fall on either side.

    Args:
        what: names the answer.
        first: that of all rows together, found sound by `check_answer`.
        second: the one to compare, found sound too.
        questions: what was asked, in the order of the rows.
        tolerance: how far two probabilities may lie apart.

    Returns:
        What is wrong, and the largest absolute difference of two probabilities.
    """
    difference = np.abs(first[PROBABILITIES_OUTPUT] - second[PROBABILITIES_OUTPUT])
    apart = difference > tolerance
    decided = (difference == 0) & (first[PREDICTED_OUTPUT] != second[PREDICTED_OUTPUT])
    reasons = []
    if apart.any():
        reasons.append(
            f"{what}: probabilities are up to {difference.max():.2g} away from those of "
            f"{NAMED_SIGNATURE} for all rows together (allowed: {tolerance:g}) in "
            f"{_rows(apart, questions)}"
        )
    if decided.any():
        reasons.append(
            f"{what}: decisions differ from those of {NAMED_SIGNATURE} for all rows together in "
            f"{_rows(decided, questions)}"
        )
    return reasons, float(difference.max())


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

    stages.begin(f"asking {NAMED_SIGNATURE}")
    named = served.ask(NAMED_SIGNATURE, named_inputs(questions))
    if reasons := check_answer(NAMED_SIGNATURE, named, questions):
        return reasons

    def compare(what: str, answer: Answer, asked: Sequence[Question]) -> None:
        if faults := check_answer(what, answer, asked):
            reasons.extend(faults)
            return
        positions = [questions.index(row) for row in asked]
        expected = {name: array[positions] for name, array in named.items()}
        faults, differences[what] = check_same(what, expected, answer, asked, tolerance)
        reasons.extend(faults)

    stages.begin(f"asking {EXAMPLES_SIGNATURE}")
    compare(
        EXAMPLES_SIGNATURE, served.ask(EXAMPLES_SIGNATURE, example_inputs(questions)), questions
    )
    stages.begin(f"asking {NAMED_SIGNATURE} row by row")
    alone = [served.ask(NAMED_SIGNATURE, named_inputs([row])) for row in questions]
    compare("one row alone", _stacked(alone), questions)
    stages.begin(f"asking {NAMED_SIGNATURE} with a plot alone")
    plot_only = [row for row in questions if set(_known(row)) <= {raw.PLOT}]
    answer = served.ask(NAMED_SIGNATURE, named_inputs(plot_only, [raw.PLOT]))
    compare("a request with a plot alone", answer, plot_only)
    return reasons


def _known(row: Question) -> list[str]:
    return [
        name
        for name, value in row.features.items()
        if not (value == b"" or (isinstance(value, float) and math.isnan(value)))
    ]


def _stacked(answers: Sequence[Answer]) -> Answer:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _rows(faulty: npt.NDArray[Any], questions: Sequence[Question]) -> str:
    """Names the rows that hold a fault: how many, and the first with its genre.

    Args:
        faulty: bool [N, G], or [N, 1] for a fault of the row as a whole.
        questions: N of them.
    """
    row, column = (int(position) for position in np.argwhere(faulty)[0])
    genre = f", {GENRES[column]}" if faulty.shape[1] > 1 else ""
    count = int(faulty.any(axis=1).sum())
    return f"{count} of {len(questions)} rows, first {questions[row].name}{genre}"


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
        prog="python -m components.canary_probe",
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
