"""Code, settings, commands and names in the documents exist, and what can be run is run."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import plotly.io
import pytest

import ingest
from pipeline import config
from schema.fingerprint import PACKAGES, sources
from schema.genres import GENRES
from tests.docs.documents import (
    GUIDES,
    HISTORY,
    PROJECT,
    Block,
    blocks,
    commands,
    inline_code,
)

PYTHON = blocks("python")
SETTINGS = blocks("yaml")


def block_with(text: str) -> str:
    """Return the only Python block with this text in it."""
    [found] = [block.text for block in PYTHON if text in block.text]
    return found


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a module of the project, or stands at one's top level."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        place = PROJECT.joinpath(*parts[:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return end == len(parts) or parts[end] in top_level_names(file)
    return PROJECT.joinpath(*parts).is_dir()


def top_level_names(file: Path) -> set[str]:
    names: set[str] = set()
    for statement in ast.parse(file.read_text("utf-8")).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = (
                [statement.target] if isinstance(statement, ast.AnnAssign) else (statement.targets)
            )
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
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
            module = imported.get(node.value.id, "")
            if (PROJECT / module.replace(".", "/")).is_dir() or (
                PROJECT / f"{module.replace('.', '/')}.py"
            ).is_file():
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


def test_the_script_writes_a_catalogue_that_ingest_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(block_with('Path("catalogue")'), {})
    report = ingest.build(tmp_path / "catalogue", tmp_path / "movies")
    assert (report.movies, report.rejected) == (2, {})
    [shard] = report.shards
    header, *rows = (tmp_path / "movies" / shard).read_text("utf-8").splitlines()
    page = (PROJECT / "docs" / "own-data.md").read_text("utf-8")
    assert f"\n{header}\n" in page
    # The page shortens the plots.
    assert [re.sub(r"(,A \w+ \w+) [^,]*", r"\1 ...", row) for row in rows] == [
        line for line in page.splitlines() if re.match(r"tt\d+,", line)
    ]


def test_the_example_of_a_chart_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotly.io.renderers, "default", "json")
    labels = np.arange(3 * len(GENRES)).reshape(3, -1) % 2 == 0
    exec(block_with("charts.co_occurrence"), {"labels": labels})


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.M))
    missing = []
    for place, words in commands():
        # `make run ARGS=--tune` has variables behind the target; `make` alone lists the targets.
        if words[0] == "make" and words[1:] and "=" not in words[1] and words[1] not in targets:
            missing.append((place, words))
    assert missing == []


def test_modules_and_scripts_have_the_options() -> None:
    missing = []
    for place, (program, *words) in commands():
        if program != "python" or not words:
            continue
        module = words[1] if words[0] == "-m" else words[0].removesuffix(".py").replace("/", ".")
        if module.split(".")[0] not in PACKAGES:
            continue
        package = PROJECT / module.replace(".", "/")
        main = f"{module}.__main__" if package.is_dir() else module
        options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        if not resolves(main) or not options <= literals(main):
            missing.append((place, words))
    assert missing == []


def literals(module: str) -> set[str]:
    """Return the options that the sources of a module can define.

    They are its strings and identifiers, in the spellings `--two-words` and `--two_words`.
    """
    names: set[str] = set()
    for file in sources(module):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value.removeprefix("--"))
            elif isinstance(node, ast.Name):
                names.add(node.id)
    return {f"--{name}" for name in names} | {f"--{name.replace('_', '-')}" for name in names}


def test_subcommands_and_options_of_the_command_exist() -> None:
    app = pytest.importorskip("cli.app")
    missing = []
    for place, (program, *words) in commands():
        if program != "ordained":
            continue
        command, left = app.click_command, words
        while left and left[0] in getattr(command, "commands", {}):
            command, left = command.commands[left[0]], left[1:]
        known = {"--help"}
        for parameter in command.params:
            known |= {*parameter.opts, *parameter.secondary_opts}
        options = {word.partition("=")[0] for word in left if word.startswith("--")}
        # A placeholder such as COMMAND stands for any subcommand.
        is_group = bool(getattr(command, "commands", {}))
        unknown = is_group and [word for word in left if re.fullmatch("[a-z][a-z-]*", word)]
        if unknown or not options <= known:
            missing.append((place, words))
    assert missing == []


def test_paths_and_dotted_names_exist() -> None:
    packages = "|".join(sorted({*PACKAGES, "bootstrap", "tests", "docs", "deploy", "notebooks"}))
    missing = []
    for path in GUIDES:
        if path.name in HISTORY:
            continue
        for code in inline_code(path):
            if re.fullmatch(rf"({packages})(/[\w.-]+)+/?", code):
                if not (PROJECT / code).exists() and code not in WRITTEN_LATER:
                    missing.append((path.name, code))
            elif re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+(\(.*\))?", code):
                name = code.partition("(")[0]
                if not (resolves(name) or is_setting(name) or name in WRITTEN_LATER):
                    missing.append((path.name, code))
    assert missing == []


WRITTEN_LATER = {"cli.app"} if "cli" not in sys.modules else set()


def is_setting(name: str) -> bool:
    """Tell whether a dotted name is a setting; some sections have the name of a package."""
    section, _, setting = name.partition(".")
    return setting in getattr(config.ConfigFile(), section, {}).__class__.model_fields
