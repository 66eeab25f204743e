"""Base class of all configuration sections, and messages for values it rejects."""

import json
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

PositiveInt = Annotated[int, Field(ge=1)]
"""Integer, at least 1."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""Float from 0 to 1."""


class Config(BaseModel):
    """Section of the configuration. Immutable; validated when it is created.

    `model_fields_set` holds the names of the settings that were given. All others have their
    default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """Return the settings as one line of JSON; equal settings give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Create the section from the text that `to_json` returned."""
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
"""Messages by pydantic's error type, where pydantic's own message uses terms of Python."""


def validation_message(error: ErrorDetails, name: str) -> str:
    """Return the message for a setting that validation rejected.

    Args:
        error: Entry of `pydantic.ValidationError.errors()`.
        name: Name of the setting, as the user wrote it.

    Returns:
        A message such as `gate.floor should be a number. Received: "high"`.
    """
    context = error.get("ctx", {})
    message = str(context.get("error", error["msg"])).removeprefix("Input ")
    expected = _EXPECTED.get(error["type"], message).format_map(context)
    # The message of an error about a whole section already names the setting and its value.
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        return f"{name}.{expected}"
    return f"{name} {expected}. Received: {format_value(error['input'])}"


def setting_name(location: tuple[int | str, ...]) -> str:
    """Return the name of a setting for a message.

    Args:
        location: Field names, keys of mappings and positions in lists, as pydantic gives them in
            `ErrorDetails["loc"]`.

    Returns:
        A name such as `gate.genre_floors.Drama` or `item 2 of ingest.title_types`.
    """
    if location[-1:] == ("[key]",):
        return setting_name((*location[:-2], str(location[-2])))
    if isinstance(location[-1], int):
        return f"item {location[-1] + 1} of {setting_name(location[:-1])}"
    return ".".join(map(str, location))


def format_value(value: Any) -> str:
    """Return a value as one line of JSON, which is also valid YAML."""
    return "nothing" if value is None else json.dumps(value, default=str, ensure_ascii=False)
