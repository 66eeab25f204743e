"""The gate's verdict as a file of the blessing artifact, and as a table for a console."""

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
    """The verdict in the directory of a blessing artifact.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = blessing / VERDICT_FILE
    remedy = f"run the Evaluator again (--from {Node.EVALUATOR})"
    if not path.is_file():
        raise UserError(f"{path} is missing: {remedy}")
    try:
        return Verdict.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} was written by another version of the project, or is damaged: {remedy}"
        ) from error


def verdict_table(verdict: Verdict) -> Table:
    """The verdict as a table: one row for each genre, the macro-F1 below."""
    table = Table(
        title=f"Gate: F1 by genre on the {Split.TEST} split",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("genre", no_wrap=True)
    for heading in ("movies", "F1", "floor", "last\nblessed", "simple\nbaseline"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in verdict.genres:
        table.add_row(
            row.genre,
            f"{row.support:,}",
            _figure(row.f1),
            _figure(row.floor),
            _figure(row.last_blessed),
            _figure(row.simple_baseline),
            row.judgement.value,
            style=_STYLES[row.judgement],
        )
    table.add_section()
    table.add_row(
        "macro-F1",
        f"{verdict.examples:,}",
        _figure(verdict.macro_f1),
        "",
        _figure(verdict.last_blessed_macro_f1),
        _figure(verdict.simple_baseline_macro_f1),
        "blessed" if verdict.blessed else "not blessed",
        style="bold green" if verdict.blessed else "bold red",
    )
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
