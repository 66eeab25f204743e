"""Reading the verdict and showing it as a table."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from components.evaluator.decision import apply_gate
from components.evaluator.verdict import read_verdict, verdict_table
from schema.errors import UserError
from schema.genres import GENRES
from tests.components.evaluator.test_decision import CONFIG, scores


def test_a_verdict_is_read(tmp_path: Path) -> None:
    verdict = apply_gate(scores({"War": 0.1}), None, None, CONFIG)
    (tmp_path / "verdict.json").write_text(verdict.to_json())
    assert read_verdict(tmp_path) == verdict


def test_a_missing_verdict_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"verdict\.json does not exist\. Run the Evaluator again"):
        read_verdict(tmp_path)


def test_a_verdict_of_another_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text('{"blessed": true, "genres": [], "config": {"old": 1}}')
    with pytest.raises(UserError) as error:
        read_verdict(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/verdict.json is damaged or was written by another version of the project. "
        "Run the Evaluator again (--from Evaluator)"
    )


def test_the_table_shows_every_genre_in_80_columns() -> None:
    candidate = scores({"Horror": 0.4, "Sport": 0.2}, {"War": 3, "Drama": 1240, "Music": 0})
    verdict = apply_gate(candidate, scores(), None, CONFIG)
    console = Console(width=80, file=io.StringIO())
    console.print(verdict_table(verdict))
    lines = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert lines[2] == ["genre", "movies", "F1", "floor", "blessed", "baseline", "verdict"]
    rows = {line[0]: line[1:] for line in lines[4:]}
    assert list(rows) == [*GENRES, "macro-F1"]
    assert rows["Action"] == ["40", "0.500", "0.300", "0.500", "–", "pass"]
    assert rows["Drama"] == ["1,240", "0.500", "0.300", "0.500", "–", "pass"]
    assert rows["Horror"] == [
        "40",
        "0.400",
        "0.300",
        "0.500",
        "–",
        "worse",
        "than",
        "last",
        "blessed",
    ]
    assert rows["Sport"] == ["40", "0.200", "0.300", "0.500", "–", "below", "floor"]
    assert rows["War"] == ["3", "0.500", "0.300", "0.500", "–", "not", "judged"]
    # A genre without test movies has no F1.
    assert rows["Music"] == ["0", "–", "0.300", "–", "–", "not", "judged"]
    assert rows["macro-F1"] == ["880", "0.481", "0.500", "–", "not", "blessed"]
