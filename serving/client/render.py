"""Predictions as a person reads them."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from serving.client.transport import Prediction, VersionStatus

BAR = 24

NAME = 40
"""Characters that a line has for the name of a movie."""

HEAD = f"{'row':>7}  {'movie':<{NAME}}  predicted genres"


def one_movie(prediction: Prediction) -> RenderableType:
    """All genres of a movie with probabilities, the most probable first, the predicted marked."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("genre")
    table.add_column("probability", justify="right")
    table.add_column("", min_width=BAR)
    table.add_column("predicted")
    for genre in prediction.ranked:
        table.add_row(
            Text(genre.name),
            f"{genre.probability:.3f}",
            Text("█" * round(genre.probability * BAR), "cyan"),
            Text("yes" if genre.predicted else "", "bold"),
        )
    decided = ", ".join(prediction.predicted_genres) or "no genre"
    return Group(table, Text(f"\npredicted: {decided}"))


def line(number: int, name: str, prediction: Prediction) -> str:
    """A movie in one line, under `HEAD`: what was predicted, the most probable first."""
    told = ", ".join(f"{g.name} {g.probability:.2f}" for g in prediction.ranked if g.predicted)
    short = name if len(name) <= NAME else f"{name[: NAME - 1]}…"
    return f"{number:>7}  {short:<{NAME}}  {told}"


def status(address: str, model: str, versions: Sequence[VersionStatus]) -> str:
    """The versions of a model, a line each."""
    lines = [f"version {v.version}  {v.state.lower()}  {v.message}".rstrip() for v in versions]
    return "\n".join([f"{model} on {address}", *(lines or ["no version"])])
