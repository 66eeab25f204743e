"""Test cases for an exported model, in the forms that its signatures take."""

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
"""Number of words in the longest plot."""

Value = bytes | float
"""Value of a feature: text or a number."""

_MISSING_FEATURES: Final[dict[str, Value]] = {
    name: math.nan if name in raw.NUMBERS else b"" for name in raw.MODEL_INPUTS
}


@dataclass(frozen=True)
class ProbeCase:
    """Movie in the forms that the signatures take.

    Attributes:
        name: Name of the case in reports.
        features: Values of all features, by name; empty text or NaN where missing.
        example: The same movie as a serialized `tf.train.Example`.
    """

    name: str
    features: dict[str, Value]
    example: bytes

    @property
    def present_features(self) -> set[str]:
        """Names of the features that have a value."""
        return {name for name, value in self.features.items() if value != b"" and value == value}


def edge_cases() -> list[ProbeCase]:
    """Return unusual movies that no dump contains but that clients may send."""
    many_people = "|".join(f"Nobody Number {number}" for number in range(500))
    odd_text = (
        "\u202eright to left\u202c 電影 фильм 🎬🏴‍☠️ e\u0301\u0301\u0301 \u0000 \ufeff ﷽ \U0010ffff"
    )
    plot = b"A lighthouse keeper finds a letter that was never meant for her."
    features_by_name: dict[str, dict[str, Value]] = {
        "all empty": {},
        "plot only": {raw.PLOT: plot},
        "unknown people": {
            raw.PLOT: plot,
            raw.DIRECTORS: b"Qwxzy Vbnmlk",
            raw.WRITERS: b"Qwxzy Vbnmlk|Zzyzx Ghjkly",
            raw.CAST: many_people.encode(),
        },
        "separators as people": {raw.DIRECTORS: b"|", raw.WRITERS: b"| |", raw.CAST: b"|||a||"},
        f"plot of {LONG_PLOT_WORDS:,} words": {raw.PLOT: plot + b" stone" * LONG_PLOT_WORDS},
        "very long word": {raw.PLOT: b"a" * LONG_PLOT_WORDS, raw.TITLE: b"b" * LONG_PLOT_WORDS},
        "odd Unicode": {name: odd_text.encode() for name in raw.TEXTS + raw.PEOPLE},
        "invalid UTF-8": dict.fromkeys(raw.TEXTS + raw.PEOPLE, b"\xff\xfe \xc3( \xed\xa0\x80"),
        "negative numbers": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, -1.0),
        "zeros": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, 0.0),
        "infinite numbers": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, math.inf),
        "huge numbers": {raw.PLOT: plot} | dict.fromkeys(raw.NUMBERS, float(2**30)),
    }
    return [
        ProbeCase(f"edge case '{name}'", _MISSING_FEATURES | features, serialize(features))
        for name, features in features_by_name.items()
    ]


def case_from_example(serialized: bytes, position: int) -> ProbeCase:
    """Create a case from an example of the pipeline. The example itself is not changed.

    Args:
        serialized: Serialized `tf.train.Example` with raw features.
        position: Position of the example, which becomes part of the name.
    """
    present: dict[str, Value] = {}
    stored = tf.train.Example.FromString(serialized).features.feature
    for key in (raw.TCONST, *raw.MODEL_INPUTS):
        kind = stored[key].WhichOneof("kind") if key in stored else None
        values = getattr(stored[key], kind).value if kind else ()
        if values:
            present[key] = values[0] if kind == "bytes_list" else float(values[0])
    tconst = present.pop(raw.TCONST, b"")
    name = f"row {position}"
    if isinstance(tconst, bytes) and tconst:
        name += f" ({tconst.decode()})"
    return ProbeCase(name, _MISSING_FEATURES | present, serialized)


def named_inputs(
    cases: Sequence[ProbeCase], names: Iterable[str] = raw.MODEL_INPUTS
) -> dict[str, npt.NDArray[Any]]:
    """Return cases as inputs of `serving_default`: float32 [cases] or bytes [cases], by name."""
    return {
        name: np.array(
            [case.features[name] for case in cases],
            dtype=np.float32 if name in raw.NUMBERS else object,
        )
        for name in names
    }


def example_inputs(cases: Sequence[ProbeCase]) -> dict[str, npt.NDArray[Any]]:
    """Return cases as the input of signatures that take examples: bytes [cases]."""
    return {EXAMPLES_INPUT: np.array([case.example for case in cases], dtype=object)}
