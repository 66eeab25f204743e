"""Words that stand for an unknown value."""

import math
from typing import Any, Final

NULL_WORDS: Final = frozenset(
    {
        *(r"\N", r"\n", "N/A", "n/a", "#N/A", "NA", "<NA>", "None", "none", "NONE"),
        *("Null", "null", "NULL", "NaN", "nan", "NAN", "NaT", "-", "--", "—", "?"),
    }
)
"""Texts that stand for an unknown value in every column. An empty text does so, too."""

UNKNOWN_WORDS: Final = frozenset(
    {"unknown", "tba", "tbd", "various", "undefined", "not available", "(no genres listed)"}
)
"""Lower-case texts that stand for an unknown value, but may also be a title or a plot."""

_MAX_LENGTH: Final = max(map(len, NULL_WORDS))


def is_null(value: Any) -> bool:
    r"""Return whether a cell says that its value is unknown: empty, None, NaN, `\N`, N/A, ...

    >>> is_null(" N/A "), is_null(float("nan")), is_null("Nan"), is_null(0)
    (True, True, False, False)
    """
    if isinstance(value, str):
        text = value.strip()
        return not text or (len(text) <= _MAX_LENGTH and text in NULL_WORDS)
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_unknown(value: Any) -> bool:
    """Return whether a cell that holds no free text says that its value is unknown."""
    return is_null(value) or (
        isinstance(value, str) and len(value) < 32 and value.strip().casefold() in UNKNOWN_WORDS
    )
