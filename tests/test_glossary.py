"""Names that the glossary of CONTRIBUTING.md replaced do not come back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REPLACED = {
    "benchmarks": "Arm ENOUGH_FILMS Films NUMBER_CLASSES PATTERNS _log_lift around origin",
    "bootstrap": "NoPython index inside_environment inside_serving inside_wheel shell",
    "components": "AnomaliesFound Limits Outcome PUBLISHED Question Report Violation _Sums _told "
    "answer asked decided figures from_glove from_plots gather judged kept publish "
    "refusal republish",
    "dashboards": "dress look own_script present soon",
    "ingest": "FEW FIELD_FREE IngestReport IngestSettings LONGEST_LINE TAKEN_OUT TOO_COMMON "
    "Workplace ahead film quoted settings spooled tidy that_shape_rows workplace",
    "metadata": "Change Recipe behind maker recipe",
    "pipeline": "EPILOG ROOM_FOR_LONG_WORDS Sections Written dag earlier_search hush outcomes "
    "removed republish",
    "report": "Ended Facts Film Finding MOST_WORDS Outcome ShownFilm facts markup measures "
    "together wilson",
    "schema": "LARGEST Settings dotted held mistake move settings",
    "serving": "Answer Batching Done FILES FULL LARGEST LONGEST Models ModelName OverGrpc OverRest "
    "RECENT SHOWN THREADS Trouble UNREAD Version answers carried checked decided "
    "expired json_form likeliest opened patient text_config told trouble untried way",
    "tests": "Served SHIPPED_BUT_SMALL judged_model recorded_runs running_page sound",
    "trainer": "Bag Decisions Fixed Fitted GenreReader LEADS MOST_PEOPLE PATTERNS PEOPLE_LIFTS "
    "PULL PeopleLift Prepared Terms Trees Tuned UNTITLED _moved alike also asked "
    "best_pass chosen content_from draw grown hide instead keep kept lift mixed "
    "pattern_of shift through tower weigh weighed without_role",
    "transform": "CONTINUES HASHES basic_words head observe",
}
"""Replaced identifiers and module names by package, separated by spaces."""


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield every name that code defines, uses or imports."""
    for node in ast.walk(tree):
        for field in ("name", "id", "attr", "arg", "asname", "module"):
            if isinstance(name := getattr(node, field, None), str):
                yield from name.split(".")


@pytest.mark.parametrize("package", REPLACED)
def test_replaced_names_are_not_used(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    replaced = set(REPLACED[package].split())
    found = {}
    for module in modules:
        names = {*identifiers(ast.parse(module.read_text(encoding="utf-8"))), module.stem}
        if used := sorted(names & replaced):
            found[str(module.relative_to(ROOT))] = used
    assert found == {}
