"""Hash of the source code that a module depends on, for cache keys.

TFX's cache key of a component that gets a dotted path (`trainer.run.run_fn`) has only that path,
and the key of a stored sentence vector has only its text. With the fingerprint in the key, an edit
of the code invalidates the cache.
"""

import ast
import hashlib
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Final

PROJECT_ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = frozenset(
    {
        "benchmarks",
        "cli",
        "components",
        "dashboards",
        "ingest",
        "metadata",
        "pipeline",
        "report",
        "schema",
        "serving",
        "tables",
        "trainer",
        "transform",
    }
)
"""Packages of the project. In an installation, packages of libraries are in the same directory."""

SOURCE_SUFFIXES: Final = frozenset({".css", ".html", ".j2", ".js", ".pbtxt", ".py"})
"""Suffixes of the files that are hashed in a package that is named in full."""


def fingerprint(*names: str, root: Path = PROJECT_ROOT) -> str:
    """Return the hash of modules, packages and all modules of the project that they import.

    Args:
        *names: Dotted names of modules and packages of the project, in any order.
        root: Directory of the packages; by default the directory of this installation.

    Returns:
        16 hexadecimal digits, which do not depend on the directory of the installation.

    Raises:
        ModuleNotFoundError: A name is not a module or package of the project.
    """
    files = sorted(source_files(*names, root=root))
    lines = (f"{file.relative_to(root).as_posix()}:{_digest(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def source_files(*names: str, root: Path = PROJECT_ROOT) -> set[Path]:
    """Return the files that `fingerprint` hashes.

    - For a package in `names`: all files below its directory with one of `SOURCE_SUFFIXES`. Name
      the package of a module that reads templates or style sheets.
    - For a module in `names`, and for each imported module: the module itself and the `__init__.py`
      of each package that contains it. Imports inside functions and for type checkers count.
    """
    found: set[Path] = set()
    pending = list(names)
    for name in names:
        files = _module_files(name, root)
        if not files:
            raise ModuleNotFoundError(f"{name} is not a module of the project in {root}", name=name)
        if files[-1].name == "__init__.py":
            inside = {
                path for path in files[-1].parent.rglob("*") if path.suffix in SOURCE_SUFFIXES
            }
            found |= {path for path in inside if path.suffix != ".py"}
            pending += [_module_name(path, root) for path in inside if path.suffix == ".py"]
    while pending:
        for file in _module_files(pending.pop(), root):
            if file not in found:
                found.add(file)
                pending += _imported_names(file, _module_name(file, root))
    return found


def _module_files(name: str, root: Path) -> list[Path]:
    """Return the files that an import runs, the module itself last; none for other projects."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return []
    found = []
    for end in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:end])
        files = [file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()]
        # The directory `benchmarks` has no `__init__.py`.
        if not files and not base.is_dir():
            return []
        found += files[:1]
    return found


def _module_name(file: Path, root: Path) -> str:
    """Return the dotted name of a module; for a package it ends in `.__init__`."""
    return ".".join(file.relative_to(root).with_suffix("").parts)


@cache
def _imported_names(file: Path, name: str) -> frozenset[str]:
    """Return the dotted names that a module imports; not all of them are modules."""
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
