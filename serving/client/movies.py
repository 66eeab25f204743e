"""A movie as a person or a file gives it, and as the model reads it.

A movie is a mapping from names of `schema.features.MODEL_INPUTS` to values. Whatever is left out is
not known; everything may be.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from schema import features as raw
from schema.errors import UserError

LARGEST: Final = 3.4e38
"""Numbers travel as float32."""

Movie = Mapping[str, Any]


class FieldError(UserError):
    """A value that cannot be what its field holds; `reason` says what was expected."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def checked(movie: Movie) -> dict[str, str | float]:
    """A movie with values as the model reads them, and without those that are not known.

    Names of people may be a list or one text joined by `|`, numbers may be text. None, empty text
    and numbers that are NaN, zero or negative mean that something is not known.

    Raises:
        FieldError: a name is none of `MODEL_INPUTS`, or a value does not fit.
    """
    values: dict[str, str | float] = {}
    for name, value in movie.items():
        if name not in raw.MODEL_INPUTS:
            raise FieldError(str(name), unknown_name(str(name), raw.MODEL_INPUTS))
        read: Callable[[str, Any], str | float] = _people if name in raw.PEOPLE else _text
        if known := (_number if name in raw.NUMBERS else read)(name, value):
            values[name] = known
    return values


def columns(movies: Iterable[Movie]) -> dict[str, list[str | float]]:
    """What the model reads: a column for each of `MODEL_INPUTS`, a value for each movie.

    Texts are str, numbers float; empty text and 0 stand for what is not known.

    Raises:
        FieldError: a movie is none.
    """
    rows = [checked(movie) for movie in movies]
    return {
        name: [row.get(name, 0.0 if name in raw.NUMBERS else "") for row in rows]
        for name in raw.MODEL_INPUTS
    }


def unknown_name(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not known, with the one that was probably meant."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, 1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    return f"no such field; {meant}"


def require_utf8(name: str, text: str) -> None:
    """Raise a `FieldError` if a text came from bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FieldError(name, "is not valid UTF-8") from None


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FieldError(name, f"expected text, not {_shown(value)}")
    require_utf8(name, value)
    return value.strip()


def _people(name: str, value: Any) -> str:
    listed = isinstance(value, list | tuple)
    parts = value if listed else _text(name, value).split(raw.LIST_SEPARATOR)
    texts = [_text(name, part) for part in parts]
    for text in texts:
        if listed and raw.LIST_SEPARATOR in text:
            raise FieldError(name, f"a name in a list must not hold |, as {_shown(text)} does")
    return raw.LIST_SEPARATOR.join(filter(None, texts))


def _number(name: str, value: Any) -> float:
    """The number, or 0 where it is not known."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0.0
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise FieldError(name, f"expected a number, not {_shown(value)}") from None
    if math.isnan(number) or number <= 0:
        return 0.0
    if number > LARGEST:
        raise FieldError(name, f"{_shown(value)} is too large")
    if name != raw.RATING and not number.is_integer():
        raise FieldError(name, f"expected a whole number, not {_shown(value)}")
    return number


def _shown(value: Any) -> str:
    """A value as it stands in a message: short, and on one line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
