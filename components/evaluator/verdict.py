"""Read the gate's verdict from a blessing artifact, and show it as a table on a console."""

from pathlib import Path
from typing import Final

from rich import box
from rich.table import Table

from schema.errors import UserError
from schema.names import VERDICT_FILE, Node, Split
from schema.verdict import Judgement, Verdict

_STYLES: Final = {
    Judgement.PASS: "green",
    Judgement.BELOW_FLOOR: "bold red",
    Judgement.WORSE: "bold red",
    Judgement.NOT_JUDGED: "dim",
}


def read_verdict(blessing: Path) -> Verdict:
    """Read the verdict of a blessing artifact.

    Args:
        blessing: Path of the artifact's directory.

    Raises:
        UserError: The verdict does not exist or is not readable.
    """
    path = blessing / VERDICT_FILE
    remedy = f"Run the Evaluator again (--from {Node.EVALUATOR})"
    if not path.is_file():
        raise UserError(f"{path} does not exist. {remedy}")
    try:
        return Verdict.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is damaged or was written by another version of the project. {remedy}"
        ) from error


def verdict_table(verdict: Verdict) -> Table:
    """Return the verdict as a table with one row per genre and the macro-F1 as its last row."""
    table = Table(
        title=f"Gate: F1 by genre on the {Split.TEST} split",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("genre", no_wrap=True, max_width=24)
    for heading in ("movies", "F1", "floor", "last\nblessed", "simple\nbaseline"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in verdict.genres:
        table.add_row(
            row.genre,
            f"{row.support:,}",
            _format_score(row.f1 if row.support else None),
            _format_score(row.floor),
            _format_score(row.last_blessed if row.support else None),
            _format_score(row.simple_baseline if row.support else None),
            row.judgement.value,
            style=_STYLES[row.judgement],
        )
    table.add_section()
    table.add_row(
        "macro-F1",
        f"{verdict.examples:,}",
        _format_score(verdict.macro_f1),
        "",
        _format_score(verdict.last_blessed_macro_f1),
        _format_score(verdict.simple_baseline_macro_f1),
        "blessed" if verdict.blessed else "not blessed",
        style="bold green" if verdict.blessed else "bold red",
    )
    return table


def _format_score(score: float | None) -> str:
    return "–" if score is None else f"{score:.3f}"
