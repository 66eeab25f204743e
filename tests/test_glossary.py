"""Names that the glossary of CONTRIBUTING.md has replaced do not come back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REPLACED = {
    "benchmarks": ("around", "origin", "_log_lift"),
    "bootstrap": ("index", "shell"),
    "components": ("Limits", "Outcome", "Report", "_told", "figures"),
    "ingest": ("IngestSettings", "settings", "that_shape_rows", "FEW", "TAKEN_OUT"),
    "pipeline": ("Limits", "Sections", "Written", "arguments", "hush"),
    "report": ("Film", "Outcome", "words", "measures", "markup", "card"),
    "schema": ("Settings", "mistake", "settings"),
    "serving": (
        *("Batching", "FILES", "FULL", "LARGEST", "ModelName", "Models", "RECENT", "SHOWN"),
        *("Trouble", "Version", "answers", "batch", "checked", "decided", "json_form", "likeliest"),
        *("opened", "patient", "running", "said", "text_config", "told", "trouble"),
    ),
    "tests": ("running",),
    "trainer": (
        *("Bag", "Decisions", "Finetuned", "Fixed", "PATTERNS", "PEOPLE_LIFTS", "PULL"),
        *("PeopleLift", "Prepared", "Trees", "Tuned", "_moved", "alike", "also", "asked"),
        *(
            "best_pass",
            "chosen",
            "content_from",
            "draw",
            "finetuned",
            "finetuning",
            "grown",
            "hide",
        ),
        *("instead", "keep", "kept", "mixed", "pattern_of", "shift", "through", "tune_encoder"),
        *("weigh", "weighed", "without_role"),
    ),
}
"""Identifiers and module names by package."""


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Return every name that code defines, uses or imports."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg", "asname"):
            if isinstance(name := getattr(node, field, None), str):
                yield from name.split(".")
        if isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")


@pytest.mark.parametrize("package", REPLACED)
def test_no_module_uses_a_replaced_name(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {
        f"{module.relative_to(ROOT)}: {name}"
        for module in modules
        for name in {*identifiers(ast.parse(module.read_text(encoding="utf-8"))), module.stem}
        if name in REPLACED[package]
    }
    assert not found
