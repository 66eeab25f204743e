"""Validation of movies, and their conversion to the inputs of the model.

A movie is a mapping from names in `schema.features.MODEL_INPUTS` to values. Every field may be
omitted if its value is unknown.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from schema import features as raw
from schema.errors import UserError
from tables import values as parsers

_NUMBER_PARSERS: Final[dict[str, Callable[[Any], float | None]]] = {
    raw.YEAR: parsers.parse_year,
    raw.RUNTIME: parsers.parse_runtime,
    raw.RATING: parsers.parse_rating,
    raw.VOTES: parsers.parse_votes,
}

Movie = Mapping[str, Any]

Inputs = dict[str, list[str | float]]
"""Inputs of the model: for each of `MODEL_INPUTS`, one value per movie."""


class FieldError(UserError):
    """A movie with an unknown field, or a value that its field does not allow.

    Attributes:
        field: Name of the field.
        reason: Description of the mistake.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def validate_movie(movie: Movie) -> dict[str, str | float]:
    """Return a movie with the values that the model reads, without the unknown ones.

    Names of people may be a list, or one text separated by `|`. Numbers have the forms and ranges
    of `tables.numbers`, as in files. None, an empty text, NaN and 0 stand for an unknown value.

    Raises:
        FieldError: A field is not one of `MODEL_INPUTS`, or a value is not allowed.
    """
    values: dict[str, str | float] = {}
    for name, value in movie.items():
        if name not in raw.MODEL_INPUTS:
            raise FieldError(str(name), describe_unknown_field(str(name), raw.MODEL_INPUTS))
        parse: Callable[[str, Any], str | float] = _parse_text
        if name in raw.NUMBERS:
            parse = _parse_number
        elif name in raw.PEOPLE:
            parse = _parse_people
        if known := parse(name, value):
            values[name] = known
    return values


def field_errors(movie: Movie) -> list[FieldError]:
    """Return one error for each field of a movie that `validate_movie` does not allow."""
    errors = []
    for name, value in movie.items():
        try:
            validate_movie({name: value})
        except FieldError as error:
            errors.append(error)
    return errors


def model_inputs(movies: Iterable[Movie]) -> Inputs:
    """Return the inputs of the model.

    Texts are str and numbers are float. An empty text and 0 stand for an unknown value.

    Raises:
        FieldError: A movie has an unknown field, or a value that is not allowed.
    """
    rows = [validate_movie(movie) for movie in movies]
    return {
        name: [row.get(name, 0.0 if name in raw.NUMBERS else "") for row in rows]
        for name in raw.MODEL_INPUTS
    }


def has_title_alone(inputs: Inputs) -> list[bool]:
    """Return for each movie whether nothing but its title is known."""
    others = zip(*(values for name, values in inputs.items() if name != raw.TITLE), strict=True)
    return [
        bool(title) and not any(row) for title, row in zip(inputs[raw.TITLE], others, strict=True)
    ]


def describe_unknown_field(name: str, known: Iterable[str]) -> str:
    """Return an error message for an unknown field that suggests the most similar known one."""
    names = list(known)
    similar = difflib.get_close_matches(name.lower(), names, 1)
    hint = f"Did you mean {similar[0]}?" if similar else f"The fields are {', '.join(names)}."
    return f"unknown field. {hint}"


def require_utf8(name: str, text: str) -> None:
    """Raise a `FieldError` if a text was decoded from bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FieldError(name, "is not valid UTF-8") from None


def _parse_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FieldError(name, f"expected text, got {_short_repr(value)}")
    require_utf8(name, value)
    return value.strip()


def _parse_people(name: str, value: Any) -> str:
    is_list = isinstance(value, list | tuple)
    parts = value if is_list else _parse_text(name, value).split(raw.LIST_SEPARATOR)
    people = [_parse_text(name, part) for part in parts]
    for person in people:
        if is_list and raw.LIST_SEPARATOR in person:
            raise FieldError(name, f"expected names without |, got {_short_repr(person)}")
    return raw.LIST_SEPARATOR.join(filter(None, people))


def _parse_number(name: str, value: Any) -> float:
    """Return the number; 0 if it is unknown."""
    try:
        if isinstance(value, int | float | str):
            return _parsed_number(name, value)
        return float(_NUMBER_PARSERS[name](value) or 0)
    except ValueError as error:
        raise FieldError(name, f"{error}, got {_short_repr(value)}") from None


@lru_cache(maxsize=10_000, typed=True)
def _parsed_number(name: str, value: str | float) -> float:
    return float(_NUMBER_PARSERS[name](value) or 0)


def _short_repr(value: Any) -> str:
    """Return the repr of a value for an error message, at most 40 characters long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
