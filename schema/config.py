"""What all sections of the configuration have in common, and their errors in plain words."""

import json
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

Count = Annotated[int, Field(ge=1)]
"""A whole number of at least one."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""


class Config(BaseModel):
    """A section of the configuration: frozen, and validated whenever it is made.

    `model_fields_set` has the names of the settings that were given; the others have defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """One line of JSON, the same for equal settings."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        return cls.model_validate_json(text)


_EXPECTED: Final = {
    "bool_type": "should be true or false",
    "dict_type": "should hold names and values",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "greater_than": "should be above {gt:.10g}",
    "greater_than_equal": "should be at least {ge:.10g}",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "less_than": "should be below {lt:.10g}",
    "less_than_equal": "should be at most {le:.10g}",
    "model_type": "should hold names and values",
    "path_type": "should be a path",
    "string_type": "should be text",
    "tuple_type": "should be a list, such as [one, other]",
}
"""What was expected, by pydantic's type of the error, where pydantic's own words are Python's."""


def mistake(error: ErrorDetails, name: str) -> str:
    """What is wrong with one setting, as a sentence.

    Args:
        error: one of the errors of a `pydantic.ValidationError`.
        name: the name that a user knows the setting by.

    Returns:
        A sentence such as `gate.floor should be a number. Received: "high"`.
    """
    context = error.get("ctx", {})
    words = str(context.get("error", error["msg"])).removeprefix("Input ")
    expected = _EXPECTED.get(error["type"], words).format_map(context)
    # An error of a whole section names the setting, and what was received, itself.
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        return f"{name}.{expected}"
    return f"{name} {expected}. Received: {shown(error['input'])}"


def dotted(place: tuple[int | str, ...]) -> str:
    """The name of a setting: `gate.genre_floors.Drama`, `item 2 of ingest.title_types`.

    Args:
        place: names of fields, keys of mappings and positions in lists.
    """
    if place[-1:] == ("[key]",):
        return dotted((*place[:-2], str(place[-2])))
    if isinstance(place[-1], int):
        return f"item {place[-1] + 1} of {dotted(place[:-1])}"
    return ".".join(map(str, place))


def shown(value: Any) -> str:
    """A value on one line, in JSON, which is YAML as well."""
    return "nothing" if value is None else json.dumps(value, default=str, ensure_ascii=False)
