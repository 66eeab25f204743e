"""Sphinx directive that generates a table of settings from the class that validates them."""

from typing import TYPE_CHECKING, Any

import docstring_parser
import generated_markdown
import yaml

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from schema.config import Config

LIMIT_WORDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
"""Words for each kind of limit in a JSON schema."""


class SettingsTable(generated_markdown.GeneratedMarkdown):
    """Insert the table of a section of the configuration. The argument is the section's name."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return the lines of the table."""
        from pipeline.config import ConfigFile

        return settings_table(type(ConfigFile.model_fields[self.arguments[0]].default))


def settings_table(section: "type[Config]") -> list[str]:
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
    name = field.get("type") or " or ".join(option["type"] for option in field["anyOf"])
    limits = [f"{words} {field[key]}" for key, words in LIMIT_WORDS.items() if key in field]
    return ", ".join([str(name), *limits])


def _as_yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def setup(app: "Sphinx") -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
