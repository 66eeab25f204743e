"""Tests of the hash of the code that a module depends on."""

from pathlib import Path

import pytest

from schema.fingerprint import PACKAGES, PROJECT_ROOT, fingerprint, source_files

FILES = {
    "schema/__init__.py": "",
    "schema/names.py": "x = 1\n",
    "schema/unused.py": "x = 1\n",
    "schema/schema.pbtxt": "",
    "trainer/__init__.py": "",
    "trainer/run.py": "import numpy\nfrom trainer import data\n",
    "trainer/data.py": "def load():\n    from trainer.encoder.layers import Attention\n",
    "trainer/encoder/__init__.py": "from . import weights\n",
    "trainer/encoder/layers.py": "from ..precision import fastest_type\nimport schema.names\n",
    "trainer/encoder/weights.py": "",
    "trainer/precision.py": "import trainer.run\n",
    "trainer/tune.py": "from trainer import run\n",
    "report/__init__.py": "",
    "report/page.py": "from schema import names\n",
    "report/page.css": "",
    "report/templates/page.html.j2": "",
    "report/notes.txt": "",
    "numpy/__init__.py": "",
}
RUN = {
    "schema/__init__.py",
    "schema/names.py",
    "trainer/__init__.py",
    "trainer/run.py",
    "trainer/data.py",
    "trainer/encoder/__init__.py",
    "trainer/encoder/layers.py",
    "trainer/encoder/weights.py",
    "trainer/precision.py",
}


def write_project(directory: Path, changes: dict[str, str] | None = None) -> Path:
    """Write a project with the files in `FILES`, some of them replaced by `changes`."""
    for name, content in (FILES | (changes or {})).items():
        directory.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        directory.joinpath(name).write_text(content)
    return directory


def names(root: Path, *modules: str) -> set[str]:
    return {path.relative_to(root).as_posix() for path in source_files(*modules, root=root)}


def test_imports_are_followed_into_functions_and_packages(tmp_path: Path) -> None:
    assert names(write_project(tmp_path), "trainer.run") == RUN


def test_all_files_of_a_named_package_are_hashed(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    assert names(root, "report") == {
        "report/__init__.py",
        "report/page.py",
        "report/page.css",
        "report/templates/page.html.j2",
        "schema/__init__.py",
        "schema/names.py",
    }
    assert names(root, "trainer") == RUN | {"trainer/tune.py"}


@pytest.mark.parametrize(
    ("edited", "changes"),
    [(name, name in RUN) for name in FILES] + [("trainer/new.py", False)],
)
def test_an_edit_changes_the_hash_of_what_imports_the_module(
    tmp_path: Path, edited: str, changes: bool
) -> None:
    before = fingerprint("trainer.run", root=write_project(tmp_path / "before"))
    edit = {edited: FILES.get(edited, "") + "\n"}
    after = fingerprint("trainer.run", root=write_project(tmp_path / "after", edit))
    assert (after != before) is changes


def test_a_new_file_changes_the_hash_of_its_package(tmp_path: Path) -> None:
    before = fingerprint("report", root=write_project(tmp_path / "before"))
    new = {"report/charts.js": ""}
    assert fingerprint("report", root=write_project(tmp_path / "after", new)) != before


def test_the_order_of_the_names_does_not_matter(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    first, second = "trainer.run", "report.page"
    assert fingerprint(first, second, root=root) == fingerprint(second, first, second, root=root)
    assert fingerprint(first, second, root=root) != fingerprint(first, root=root)


@pytest.mark.parametrize("name", ["trainer.gone", "numpy", "trainer.run.run_fn", "rich"])
def test_a_name_outside_the_project_raises(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"{name} is not a module of the project"):
        fingerprint(name, root=write_project(tmp_path))


def test_packages_lists_every_package() -> None:
    packages = {file.parent.name for file in PROJECT_ROOT.glob("*/__init__.py")}
    assert packages - PACKAGES == {"bootstrap", "tests"}


def test_files_of_the_real_pipeline() -> None:
    found = names(PROJECT_ROOT, "pipeline.pipeline")
    assert {"pipeline/config.py", "schema/errors.py", "components/__init__.py"} <= found
    assert "tests/__init__.py" not in found
