"""The rows that an exported model is asked about, in the forms that its signatures take."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from schema import features as raw
from schema.examples import serialize
from schema.names import EXAMPLES_INPUT

LONG_PLOT_WORDS: Final = 100_000

Value = bytes | float

_UNKNOWN: Final[dict[str, Value]] = {
    name: math.nan if name in raw.NUMBERS else b"" for name in raw.MODEL_INPUTS
}


@dataclass(frozen=True)
class Question:
    """One row, in the forms that the signatures take.

    Attributes:
        name: what a report calls the row.
        features: all named features; empty text or NaN where nothing is known.
        example: the same row as a serialized `tf.train.Example`.
    """

    name: str
    features: dict[str, Value]
    example: bytes

    @property
    def known(self) -> set[str]:
        """Names of the features that hold a value."""
        return {name for name, value in self.features.items() if value != b"" and value == value}


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
    return [
        Question(f"edge row '{name}'", _UNKNOWN | features, serialize(features))
        for name, features in rows.items()
    ]


def question_of_example(serialized: bytes, position: int) -> Question:
    """A question from a row of the pipeline's own examples; the row goes on as it is.

    Args:
        serialized: a `tf.train.Example` with raw features; one without a value is not known.
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
    name = f"row {position}"
    if isinstance(tconst, bytes) and tconst:
        name += f" ({tconst.decode()})"
    return Question(name, _UNKNOWN | known, serialized)


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
    """The questions as the input of the signatures that take examples: bytes [N]."""
    return {EXAMPLES_INPUT: np.array([question.example for question in questions], dtype=object)}
