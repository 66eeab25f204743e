"""Lists of what the code defines: exit statuses, columns and code fingerprints."""

import ast
from collections import defaultdict
from pathlib import Path

import docstring_parser
import generated_markdown

from schema.errors import ExitStatus
from schema.fingerprint import PROJECT_ROOT, SOURCE_SUFFIXES, source_files
from schema.names import Node
from tables.columns import COLUMN_NAMES


def exit_statuses() -> list[str]:
    """Return the lines of the table of exit statuses, from the docstring of `ExitStatus`."""
    meanings = {
        param.arg_name: " ".join((param.description or "").split())
        for param in docstring_parser.parse(ExitStatus.__doc__ or "").params
    }
    rows = [[f"{status:d}", f"`{status.name}`", meanings[status.name]] for status in ExitStatus]
    return generated_markdown.table(["status", "name", "meaning"], rows)


def column_names() -> list[str]:
    """Return the lines of the table of accepted column names by field."""
    rows = [
        [f"`{field}`", ", ".join(f"`{name}`" for name in names)]
        for field, names in COLUMN_NAMES.items()
    ]
    return generated_markdown.table(["field", "names of columns"], rows)


def fingerprint_list() -> list[str]:
    """Return the lines of a list of source files by the nodes whose fingerprint covers them.

    The list is nested: sets of nodes, and under each the files.
    """
    names_by_node = fingerprinted_nodes(PROJECT_ROOT / "pipeline" / "pipeline.py")
    nodes_by_file: dict[Path, list[str]] = defaultdict(list)
    for node, names in names_by_node.items():
        for file in sorted(source_files(*names)):
            nodes_by_file[file].append(node)
    files_by_nodes: dict[tuple[str, ...], set[Path]] = defaultdict(set)
    for file, nodes in nodes_by_file.items():
        if file.name != "__init__.py":
            files_by_nodes[tuple(nodes)].add(file)
    lines = []
    # Files that a single node runs come first.
    for nodes, files in sorted(files_by_nodes.items(), key=lambda item: len(item[0])):
        is_every_node = len(nodes) == len(names_by_node)
        lines.append("- all nodes with a fingerprint" if is_every_node else f"- {', '.join(nodes)}")
        lines += [f"  - {line}" for line in _by_directory(files)]
    return lines


def fingerprinted_nodes(pipeline: Path) -> dict[str, tuple[str, ...]]:
    """Return the modules that the code fingerprint of each node covers.

    The module is parsed and not imported, because an import of TFX takes seconds.

    Args:
        pipeline: Path of the module that defines the pipeline.

    Returns:
        Module names, the arguments of `fingerprint(...)`, by node id, in the order of
        `schema.names.Node`.
    """
    found = {}
    for statement in ast.walk(ast.parse(pipeline.read_text("utf-8"))):
        if not isinstance(statement, ast.Assign | ast.Return):
            continue
        names: tuple[str, ...] = ()
        node = ""
        for call in ast.walk(statement):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Name) and call.func.id == "fingerprint":
                names = tuple(ast.literal_eval(argument) for argument in call.args)
            elif isinstance(call.func, ast.Attribute) and call.func.attr == "with_id":
                # The argument is `Node.TRAINER.value`.
                node = Node[ast.unparse(call.args[0]).split(".")[1]].value
        if names:
            found[node] = names
    return {node.value: found[node.value] for node in Node if node.value in found}


def _by_directory(files: set[Path]) -> list[str]:
    """Return one line per directory: its name alone if all of its files are among `files`."""
    lines = []
    for directory in sorted({file.parent for file in files}):
        all_files = {
            path
            for path in directory.iterdir()
            if path.suffix in SOURCE_SUFFIXES and path.name != "__init__.py"
        }
        covered = files & all_files
        names = ""
        if covered != all_files:
            names = ": " + ", ".join(f"`{file.name}`" for file in sorted(covered))
        lines.append(f"`{directory.relative_to(PROJECT_ROOT).as_posix()}/`{names}")
    return lines
