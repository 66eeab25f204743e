"""Code, settings and names in the documents exist, and what can be run is run."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import numpy as np
import plotly.io
import pytest

import ingest
from pipeline import config
from schema.fingerprint import PACKAGES
from schema.genres import GENRES
from tests.docs.documents import (
    GUIDES,
    HISTORY,
    PROJECT,
    Block,
    blocks,
    inline_code,
)

PYTHON = blocks("python")
SETTINGS = blocks("yaml")


def block_with(text: str) -> str:
    """Return the only Python block with this text in it."""
    [found] = [block.text for block in PYTHON if text in block.text]
    return found


def source(module: str) -> Path | None:
    """Return the source of a module or package of the project; None if there is none."""
    place = PROJECT.joinpath(*module.split("."))
    files = [place.with_name(f"{place.name}.py"), place / "__init__.py"]
    return next((file for file in files if file.is_file()), None)


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a module of the project, or defined at a module's top level."""
    if source(dotted):
        return True
    module, _, name = dotted.partition(".")
    while name:
        first, _, rest = name.partition(".")
        if not source(f"{module}.{first}"):
            file = source(module)
            return file is not None and first in top_level_names(file)
        module, name = f"{module}.{first}", rest
    return PROJECT.joinpath(module).is_dir()


def top_level_names(file: Path) -> set[str]:
    names: set[str] = set()
    for statement in parsed(file).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = (
                [statement.target] if isinstance(statement, ast.AnnAssign) else (statement.targets)
            )
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
            # A package may import the names in `__all__` on first use.
            if ast.unparse(targets[0]) == "__all__" and statement.value:
                names |= set(ast.literal_eval(statement.value))
    return names


def unresolved(tree: ast.Module) -> list[str]:
    """Return the imports of a block that fail, and attributes that an imported module lacks."""
    imported: dict[str, str] = {}
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported[alias.asname or alias.name.split(".")[0]] = alias.name
                names.append(alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            names += [f"{node.module}.{alias.name}" for alias in node.names]
            imported |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = imported.get(node.value.id)
            if module and source(module):
                names.append(f"{module}.{node.attr}")
    return [
        name
        for name in names
        if not (
            resolves(name)
            if name.split(".")[0] in PACKAGES
            else importlib.util.find_spec(name.split(".")[0])
        )
    ]


@pytest.mark.parametrize("block", PYTHON, ids=[block.place for block in PYTHON])
def test_python_compiles_and_its_imports_exist(block: Block) -> None:
    assert unresolved(ast.parse(block.text)) == []


@pytest.mark.parametrize("block", SETTINGS, ids=[block.place for block in SETTINGS])
def test_settings_are_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "ordained.yaml"
    file.write_text(block.text)
    config.load(tmp_path, tmp_path / "output", [file])


def test_the_script_writes_a_table_that_ingest_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(block_with('Path("data/catalogue/movies.csv")'), {})
    table = tmp_path / "data" / "catalogue" / "movies.csv"
    settings = ingest.IngestConfig(table=table, min_genre_movies=1)
    report = ingest.build(None, tmp_path / "movies", settings)
    assert (report.movies, report.rejected) == (2, {})
    [shard] = report.shards
    header, *rows = (tmp_path / "movies" / shard).read_text("utf-8").splitlines()
    page = (PROJECT / "docs" / "own-data.md").read_text("utf-8")
    assert f"\n{header}\n" in page
    # The page shortens the plots.
    assert [re.sub(r"(,A \w+ \w+) [^,]*", r"\1 ...", row) for row in rows] == [
        line for line in page.splitlines() if re.match(r"a-\d+,", line)
    ]


def test_the_example_of_a_chart_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotly.io.renderers, "default", "json")
    labels = np.arange(3 * len(GENRES)).reshape(3, -1) % 2 == 0
    exec(block_with("charts.co_occurrence"), {"labels": labels})


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def test_paths_and_dotted_names_exist() -> None:
    packages = "|".join(sorted({*PACKAGES, "bootstrap", "tests", "docs", "deploy", "notebooks"}))
    missing = []
    for path in GUIDES:
        if path.name in HISTORY:
            continue
        for code in inline_code(path):
            if re.fullmatch(rf"({packages})(/[\w.-]+)+/?", code):
                if not (PROJECT / code).exists():
                    missing.append((path.name, code))
            elif re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+(\(.*\))?", code):
                name = code.partition("(")[0]
                is_file = Path(name).suffix in FILES
                if not (resolves(name) or is_setting(name) or is_file):
                    missing.append((path.name, code))
    assert missing == []


FILES = {".html", ".json", ".pbtxt", ".py"}
"""Endings of files in whose names a package's name stands, such as `report.json`."""


def is_setting(name: str) -> bool:
    """Tell whether a dotted name is a setting; some sections have the name of a package."""
    section, _, setting = name.partition(".")
    return section in config.ConfigFile.model_fields and hasattr(
        getattr(config.ConfigFile(), section), setting
    )
