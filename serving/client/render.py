"""Predictions and statuses as text for the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schema.wording import count
from serving.client.file_job import JobProgress
from serving.client.predictions import Prediction
from serving.client.transport import VersionStatus

BAR_WIDTH = 24

NAME_WIDTH = 40

TABLE_HEADER = f"{'row':>7}  {'movie':<{NAME_WIDTH}}  predicted genres"


def movie_table(prediction: Prediction) -> RenderableType:
    """Return a table of all genres of a movie with probability and threshold, by probability."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("genre")
    table.add_column("probability", justify="right")
    table.add_column("threshold", justify="right")
    table.add_column("", min_width=BAR_WIDTH)
    table.add_column("predicted")
    for genre in prediction.ranked:
        table.add_row(
            Text(genre.name),
            f"{genre.probability:.3f}",
            "" if genre.threshold is None else f"{genre.threshold:.3f}",
            Text("█" * round(genre.probability * BAR_WIDTH), "cyan"),
            Text("yes" if genre.predicted else "", "bold"),
        )
    predicted = ", ".join(prediction.predicted_genres) or "no genre"
    return Group(table, Text(f"\npredicted: {predicted}"))


def movie_line(number: int, name: str, prediction: Prediction) -> str:
    """Return a line below `TABLE_HEADER`: predicted genres, most probable first, and warnings."""
    genres = ", ".join(f"{g.name} {g.probability:.2f}" for g in prediction.ranked if g.predicted)
    short_name = name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…"
    warnings = f"  ({', '.join(prediction.warnings)})" if prediction.warnings else ""
    return f"{number:>7}  {short_name:<{NAME_WIDTH}}  {genres}{warnings}"


def counts_text(done: JobProgress, form: str, blank_lines: int) -> str:
    """Return how many rows of a file have a prediction and how many do not.

    Args:
        done: Numbers of rows.
        form: Format of the file, for example "CSV with commas, UTF-8".
        blank_lines: Number of blank lines, which are no rows.
    """
    warned = f" ({done.warned:,} with a warning)" if done.warned else ""
    parts = [
        f"{count(done.rows, 'row')} ({form})",
        f"{done.predicted:,} predicted{warned}",
        f"{done.rejected:,} rejected",
        f"{count(done.unreadable, 'value')} not understood" if done.unreadable else "",
        f"{count(blank_lines, 'blank line')} skipped" if blank_lines else "",
    ]
    return ", ".join(filter(None, parts))


def status_text(address: str, model: str, versions: Sequence[VersionStatus]) -> str:
    """Return the versions of a model, one line each."""
    lines = [f"version {v.version}  {v.state.lower()}  {v.message}".rstrip() for v in versions]
    return "\n".join([f"{model} on {address}", *(lines or ["no version"])])
