"""The hash of the sources that TFX's cache is given."""

import importlib
import sys
from pathlib import Path

import pytest

from pipeline.fingerprint import fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "probe_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("x = 1\n")
    (folder / "two.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("probe_package")]:
        del sys.modules[name]


def fresh(*names: str) -> str:
    fingerprint.cache_clear()
    return fingerprint(*names)


def test_a_package_changes_with_any_of_its_files(package: Path) -> None:
    before = fresh("probe_package")
    assert fresh("probe_package") == before
    (package / "two.py").write_text("y = 2\n")
    changed = fresh("probe_package")
    assert changed != before
    (package / "three.py").write_text("")
    assert fresh("probe_package") not in (before, changed)


def test_a_module_changes_with_itself_alone(package: Path) -> None:
    before = fresh("probe_package.one")
    (package / "two.py").write_text("y = 2\n")
    assert fresh("probe_package.one") == before
    (package / "one.py").write_text("x = 2\n")
    assert fresh("probe_package.one") != before


def test_the_order_of_the_names_does_not_matter(package: Path) -> None:
    assert fresh("probe_package.one", "probe_package.two") == fresh(
        "probe_package.two", "probe_package.one"
    )
