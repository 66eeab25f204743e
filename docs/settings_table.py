"""Sphinx directive that makes a table of settings from the class that validates them."""

from typing import TYPE_CHECKING, Any

import docstring_parser
import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from schema.config import Config

LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
"""Words for the limits of a JSON schema."""


class SettingsTable(Directive):
    """Insert the table of one section of the configuration, named by the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the parsed table."""
        from pipeline.config import ConfigFile

        section = ConfigFile.model_fields[self.arguments[0]].default
        parsed = nodes.container()
        lines = StringList(table(type(section)), source=__name__)
        self.state.nested_parse(lines, self.content_offset, parsed)
        return parsed.children


def table(section: "type[Config]") -> list[str]:
    """Return the lines of a Markdown table: name, type, default and meaning of each setting."""
    docstring = docstring_parser.parse(section.__doc__ or "")
    meanings = {one.arg_name: " ".join((one.description or "").split()) for one in docstring.params}
    schema = section.model_json_schema()
    rows = [
        [f"`{name}`", _type(field), f"`{_as_yaml(field.get('default'))}`", meanings[name]]
        for name, field in schema["properties"].items()
    ]
    head = [["setting", "type", "default", "meaning"], ["---"] * 4]
    return [f"| {' | '.join(cells)} |" for cells in (*head, *rows)]


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    name = field.get("type") or " or ".join(one["type"] for one in field["anyOf"])
    limits = [f"{words} {field[key]}" for key, words in LIMITS.items() if key in field]
    return ", ".join([str(name), *limits])


def _as_yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def setup(app: "Sphinx") -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
