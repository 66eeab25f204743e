"""Reading of YAML configuration files, with an error for duplicate keys."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from schema.errors import UserError

_FLOAT: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")

_MAX_LEVELS: Final = 20
_TOO_DEEP: Final = "lists or sections are nested too deeply. Settings need few levels."


class _Loader(yaml.SafeLoader):
    """Loader that raises an error for a duplicate key, where PyYAML would use the last value."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                raise UserError(
                    f"{self.name}: line {key.start_mark.line + 1}: the key {key.value} is a "
                    "duplicate. Merge its settings into one place."
                )
            names.add(key.value)
        return node


# `1e-3` is a number in YAML 1.2, but PyYAML reads only `1.0e-3` as one.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read(file: Path) -> dict[str, Any]:
    """Read a configuration file.

    Args:
        file: YAML file in UTF-8 whose top level is a mapping.

    Returns:
        Dict. The value of each top-level key; empty for an empty file.

    Raises:
        UserError: The file cannot be read, is not valid YAML or has a duplicate key.
    """
    try:
        loader = _Loader(file.read_text(encoding="utf-8"))
        loader.name = str(file)
        content = loader.get_single_data()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise UserError(f"{file}: {_TOO_DEEP}") from error
    # PyYAML raises a ValueError for a date such as 2024-13-45 and for an integer that is too long.
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{file}: is not valid YAML: {_describe(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected sections such as `gate:` at the top level.")
    if _is_deep(content):
        raise UserError(f"{file}: {_TOO_DEEP}")
    return {str(name): value for name, value in content.items()}


def _is_deep(content: Any) -> bool:
    """Return whether a value has more levels than `_MAX_LEVELS`, or contains itself."""
    level = {id(content): content}
    for _ in range(_MAX_LEVELS):
        inner = (
            item
            for value in level.values()
            if isinstance(value, dict | list)
            for item in (value.values() if isinstance(value, dict) else value)
        )
        # Aliases (`*name`) refer to one object many times.
        level = {id(item): item for item in inner}
    return bool(level)


def _describe(error: Exception) -> str:
    """Return the line, the column and the problem if PyYAML knows them, else the whole message."""
    if not (isinstance(error, yaml.MarkedYAMLError) and error.problem_mark and error.problem):
        return " ".join(str(error).split())
    mark, problem = error.problem_mark, error.problem
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
