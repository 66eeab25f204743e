"""Reads a configuration file: YAML in which no name stands twice."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from schema.errors import UserError

_FLOAT: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """Reads `1e-3` as a number, as YAML 1.2 does; PyYAML wants `1.0e-3`."""


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
        root = loader.get_single_node()
        _refuse_repeated_names(root, file)
        content = loader.construct_document(root) if root else {}
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected sections such as `gate:` at the top")
    return {str(name): value for name, value in content.items()}


def _refuse_repeated_names(root: yaml.Node | None, file: Path) -> None:
    """PyYAML would take the last of them without a word."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, value in node.value:
                waiting.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in names:
                    raise UserError(
                        f"{file}, line {key.start_mark.line + 1}: {key.value} stands there a "
                        "second time; put its settings together in one place"
                    )
                names.add(key.value)
