"""A hash over the sources that a module runs, so that caches notice an edit of the code.

TFX caches a component that is given as a dotted path (`trainer.run.run_fn`) by that path alone, and
a stored sentence vector is named by its text: without a hash of the code, both outlive an edit.
"""

import ast
import hashlib
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = frozenset(
    {
        "benchmarks",
        "components",
        "dashboards",
        "ingest",
        "metadata",
        "pipeline",
        "report",
        "schema",
        "serving",
        "trainer",
        "transform",
    }
)
"""The project's packages. In an installed project the libraries' packages lie beside them."""

SUFFIXES: Final = frozenset({".css", ".html", ".j2", ".js", ".pbtxt", ".py"})
"""Files of a named package that count."""


def fingerprint(*names: str, root: Path = ROOT) -> str:
    """A hash over the sources of modules and packages, and of all modules that they import.

    Args:
        *names: dotted names of the project's modules and packages, in any order.
        root: folder of the project's packages; that of this file by default.

    Returns:
        16 hexadecimal digits, the same wherever the project is installed.

    Raises:
        ModuleNotFoundError: a name is not a module or package of the project.
    """
    files = sorted(sources(*names, root=root))
    lines = (f"{file.relative_to(root).as_posix()}:{_digest(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def sources(*names: str, root: Path = ROOT) -> set[Path]:
    """The files that `fingerprint` reads.

    Of a package that is named, these are all files with one of `SUFFIXES`, in subfolders as well,
    so a module that reads a template or a style sheet is named together with its package. Of a
    module that is named or imported, it is the module itself and the `__init__.py` of each package
    around it. Imports inside functions and for type checkers count as well.
    """
    found: set[Path] = set()
    waiting = list(names)
    for name in names:
        files = _files(name, root)
        if not files:
            raise ModuleNotFoundError(f"{name} is not a module of the project in {root}", name=name)
        if files[-1].name == "__init__.py":
            inside = {path for path in files[-1].parent.rglob("*") if path.suffix in SUFFIXES}
            found |= {path for path in inside if path.suffix != ".py"}
            waiting += [_name(path, root) for path in inside if path.suffix == ".py"]
    while waiting:
        for file in _files(waiting.pop(), root):
            if file not in found:
                found.add(file)
                waiting += _imported(file, _name(file, root))
    return found


def _files(name: str, root: Path) -> list[Path]:
    """The sources that an import of a name runs, its own last; none if it is not the project's."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return []
    found = []
    for end in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:end])
        files = [one for one in (place / "__init__.py", place.with_suffix(".py")) if one.is_file()]
        # `benchmarks` is a folder of programs without an `__init__.py`.
        if not files and not place.is_dir():
            return []
        found += files[:1]
    return found


def _name(file: Path, root: Path) -> str:
    """The dotted name of a module; that of a package ends in `.__init__`."""
    return ".".join(file.relative_to(root).with_suffix("").parts)


@cache
def _imported(file: Path, name: str) -> frozenset[str]:
    """Names that a module imports; some of those `from` a module may not be modules."""
    found: set[str] = set()
    package = name.rpartition(".")[0]
    for statement in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            module = resolve_name("." * statement.level + (statement.module or ""), package)
            found |= {module, *(f"{module}.{alias.name}" for alias in statement.names)}
    return frozenset(found)


@cache
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
