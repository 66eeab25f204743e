"""What is generated from the code is complete and up to date, and links outside the site exist."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schema.errors import ExitStatus
from schema.fingerprint import PROJECT_ROOT, source_files
from schema.names import Node
from tests.docs.documents import PROJECT

OUTSIDE = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "data/sample/README.md"]
"""Documents that are not part of the site, whose build checks the links of all others."""


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(PROJECT / "docs"))
    import generate

    yield generate
    for name in ("generate", "code_tables", "generated_markdown", "settings_table"):
        del sys.modules[name]


@pytest.fixture
def code_tables(generate: ModuleType) -> Any:
    return generate.code_tables


def test_the_documents_are_up_to_date(generate: ModuleType) -> None:
    outdated = [
        path.name for path, text in generate.documents() if text != path.read_text(encoding="utf-8")
    ]
    assert outdated == [], "`make docs` updates these documents"


def test_every_exit_status_has_a_meaning(code_tables: Any) -> None:
    rows = code_tables.exit_statuses()[2:]
    assert [int(row.split("|")[1]) for row in rows] == list(ExitStatus)
    assert all(len(row.split("|")[3].split()) > 2 for row in rows)


def test_every_node_with_a_fingerprint_is_found(code_tables: Any) -> None:
    pipeline = PROJECT / "pipeline" / "pipeline.py"
    found = code_tables.fingerprinted_nodes(pipeline)
    assert len(found) == len(re.findall(r"[ =]fingerprint\(", pipeline.read_text("utf-8")))
    assert found[Node.TRAINER] == ("trainer.run",)


def test_every_file_of_a_fingerprint_is_listed(code_tables: Any) -> None:
    listed: set[Path] = set()
    for line in code_tables.fingerprint_list():
        if match := re.fullmatch(r"  - `([\w/]+)/`(?:: (.*))?", line):
            directory = PROJECT_ROOT / match[1]
            names = re.findall("`(.+?)`", match[2]) if match[2] else []
            listed |= {directory / name for name in names} or set(directory.iterdir())
    found = code_tables.fingerprinted_nodes(PROJECT / "pipeline" / "pipeline.py")
    files = {file for names in found.values() for file in source_files(*names)}
    assert {file for file in files if file.name != "__init__.py"} <= listed


@pytest.mark.parametrize("document", OUTSIDE, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        file = document.parent / target if target else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings}
            assert anchor in slugs, f"{target}#{anchor}"
