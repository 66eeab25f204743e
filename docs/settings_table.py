"""Table of settings, from the class that validates them."""

from typing import Any, Final

import docstring_parser
import generated_markdown
import yaml

from schema.config import Config

TYPE_WORDS: Final = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "`null`",
    "number": "number",
    "string": "text",
}
"""Words for each type in a JSON schema."""

LIMIT_WORDS: Final = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
"""Words for each kind of limit in a JSON schema."""


def settings_table(section: type[Config]) -> list[str]:
    """Return the lines of a Markdown table: name, type, default and meaning of each setting."""
    docstring = docstring_parser.parse(section.__doc__ or "")
    meanings = {
        param.arg_name: " ".join((param.description or "").split()) for param in docstring.params
    }
    schema = section.model_json_schema()
    rows = [
        [f"`{name}`", _type(field), f"`{_as_yaml(field.get('default'))}`", meanings[name]]
        for name, field in schema["properties"].items()
    ]
    return generated_markdown.table(["setting", "type", "default", "meaning"], rows)


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    names = " or ".join(map(_type_name, field.get("anyOf", [field])))
    # The limits of a mapping are those of its values.
    limited = field.get("additionalProperties", field)
    limits = [f"{words} {limited[key]}" for key, words in LIMIT_WORDS.items() if key in limited]
    return ", ".join([names, *limits])


def _type_name(field: dict[str, Any]) -> str:
    if field["type"] == "object":
        values = field["additionalProperties"]["type"]
        return "names and numbers" if values == "number" else "names and names"
    return "path" if field.get("format") == "path" else TYPE_WORDS[field["type"]]


def _as_yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()
