"""Reads a configuration file: YAML in which no name stands twice."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from schema.errors import UserError

_FLOAT: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """Refuses a name that stands twice in a mapping, of which PyYAML would take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in names:
                raise UserError(
                    f"{self.name}, line {key.start_mark.line + 1}: {key.value} stands there a "
                    "second time; put its settings together in one place"
                )
            names.add(key.value)
        return node


# `1e-3` is a number in YAML 1.2; PyYAML wants `1.0e-3`.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read(file: Path) -> dict[str, Any]:
    """The sections of a configuration file.

    Args:
        file: YAML in UTF-8, a mapping at the top.

    Returns:
        The values by the names at the top; nothing for an empty file.

    Raises:
        UserError: the file cannot be read, is not such YAML, or has a name twice in one place.
    """
    try:
        loader = _Loader(file.read_text(encoding="utf-8"))
        loader.name = str(file)
        content = loader.get_single_data()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected sections such as `gate:` at the top")
    return {str(name): value for name, value in content.items()}
