"""Charts of a multi-label model, as Plotly figures from plain data.

The figures have no background and no colours of text: a page gives them one of `TEMPLATES`. Their
own colours can be told apart on both, also by the colour-blind.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from metadata import NodeTiming
from report import metrics
from report.facts import Distance, Genre, Movies, Slice
from report.metrics import Counts, Floats, Labels

MODEL: Final = "#0082c8"
LAST_BLESSED: Final = "#d55e00"
BASELINE: Final = "#c270a0"
FLOOR: Final = "#808080"
"""Colours that keep apart under the common kinds of colour blindness, after Okabe and Ito 2008."""


def _template(text: str, grid: str, ground: str) -> dict[str, Any]:
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "tickcolor": grid}
    return {
        "layout": {
            "font": {"color": text, "family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": ground, "bordercolor": grid, "font": {"color": text}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": grid, "activecolor": text},
        }
    }


TEMPLATES: Final[dict[str, dict[str, Any]]] = {
    "light": _template("#1f2328", "#d5d9de", "#ffffff"),
    "dark": _template("#e6e8eb", "#444b54", "#22262c"),
}
"""By the value of `prefers-color-scheme`."""

_MARGIN: Final[dict[str, Any]] = {"l": 8, "r": 12, "t": 48, "b": 8, "pad": 2}
_LEGEND: Final[dict[str, Any]] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}


def f1_by_genre(genres: Sequence[Genre]) -> go.Figure:
    """F1 by genre with 95% intervals, beside floors, simple baseline and last blessed model."""
    rows = sorted(genres, key=lambda row: row.f1)
    names = _counted((row.genre for row in rows), (row.support for row in rows))
    low, high = np.array([row.interval for row in rows]).T
    f1 = np.array([row.f1 for row in rows])
    figure = go.Figure()
    for name, field, colour, symbol, size in (
        ("floor", "floor", FLOOR, "line-ns", 13),
        ("simple baseline", "simple_baseline", BASELINE, "x-thin", 9),
        # Larger than this model's marks, so that it is seen around them where both are the same.
        ("last blessed model", "last_blessed", LAST_BLESSED, "diamond-open", 15),
    ):
        values = [getattr(row, field) for row in rows]
        if any(value is not None for value in values):
            figure.add_scatter(
                name=name,
                x=values,
                y=names,
                mode="markers",
                marker={"symbol": symbol, "size": size, "color": colour},
                marker_line={"width": 2, "color": colour},
                hovertemplate=f"{name} %{{x:.3f}}<extra>%{{y}}</extra>",
            )
    judged = ["circle-open" if row.judgement == "not judged" else "circle" for row in rows]
    figure.add_scatter(
        name="this model, with 95% interval",
        x=f1,
        y=names,
        mode="markers",
        marker={"size": 10, "color": MODEL, "symbol": judged, "line": {"width": 2}},
        error_x=_interval(f1, low, high),
        customdata=np.array([(*row.interval, row.precision, row.recall) for row in rows]),
        hovertemplate=(
            "F1 %{x:.3f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<br>precision "
            "%{customdata[2]:.3f}, recall %{customdata[3]:.3f}<extra>%{y}</extra>"
        ),
    )
    _axes(figure, "F1 on the test split (0 to 1)", "genre (test movies)")
    figure.update_xaxes(range=[-0.02, 1.02])
    return _tall(figure, len(rows), room=110)


def threshold_curve(genre: Genre, movies: Movies, column: int) -> go.Figure:
    """Precision, recall and F1 of one genre at all thresholds, and the threshold that was used.

    `column` is the index of the genre in the arrays of `movies`.
    """
    probabilities = movies.probabilities[:, column]
    curve = metrics.threshold_curve(movies.labels[:, column], probabilities)
    used = float(metrics.thresholds_used(probabilities, movies.scores[:, column]))
    figure = go.Figure()
    for name, colour, dash, values in (
        ("precision", BASELINE, "dot", curve.precision),
        ("recall", LAST_BLESSED, "dash", curve.recall),
        ("F1", MODEL, "solid", curve.f1),
    ):
        hover = f"at %{{x:.2f}}: {name} %{{y:.3f}}<extra></extra>"
        _line(figure, name, metrics.THRESHOLDS, values, hover, color=colour, dash=dash)
    hover = f"threshold used {used:.3f}<extra></extra>"
    _line(figure, "threshold used (median over movies)", [used, used], [0, 1], hover, color=FLOOR)
    _axes(figure, "threshold (probability)", "score (0 to 1)")
    return _small(figure, f"{genre.genre} ({genre.support:,} movies)")


def calibration(title: str, labels: Labels, probabilities: Floats) -> go.Figure:
    """How often movies have a genre, beside the probability that the model gave.

    Args:
        title: first words of the figure's title, such as the name of the genre.
        labels: bool array of any shape, the movies' own genres.
        probabilities: float array of the same shape.
    """
    found = metrics.calibration(labels, probabilities)
    figure = go.Figure()
    _line(figure, "as it should be", [0, 1], [0, 1], color=FLOOR, width=1, dash="dash")
    figure.add_scatter(
        name="movies in bins of equal size, with 95% intervals",
        x=found.predicted,
        y=found.observed,
        mode="lines+markers",
        line={"color": MODEL, "width": 1.5},
        marker={"color": MODEL, "size": 6},
        error_y=_interval(found.observed, found.low, found.high),
        customdata=np.column_stack([found.movies, found.low, found.high]),
        hovertemplate=(
            "says %{x:.3f}, is %{y:.3f} (%{customdata[1]:.2f} to %{customdata[2]:.2f})<br>"
            "%{customdata[0]:,} cases<extra></extra>"
        ),
    )
    _axes(figure, "predicted probability", "share that has it")
    return _small(figure, f"{title}, ECE {found.error:.3f}")


def confusion(movies: Movies, names: Sequence[str]) -> go.Figure:
    """Which genre is predicted in place of which other one; `names` are those of the columns."""
    counts = metrics.confusion(movies.labels, movies.predicted)
    support = movies.labels.sum(axis=0)
    share = 100 * metrics.ratio(counts, support[:, np.newaxis])
    hover = "%{y} missed, %{x} given instead:<br>%{customdata:,} movies, %{z:.1f}%<extra></extra>"
    axes = "genre given without reason", "genre missed (test movies that have it)"
    return _heatmap(share, names, _counted(names, support), counts, hover, axes)


def co_occurrence(labels: Labels, names: Sequence[str]) -> go.Figure:
    """Which genres go together: of the movies with one genre, the share that has another too.

    Args:
        labels: bool [movies, genres], the movies' own genres or the predicted ones.
        names: names of the genres, in the order of the columns.
    """
    counts = metrics.together(labels)
    support = np.diag(counts)
    share = 100 * metrics.ratio(counts, support[:, np.newaxis])
    np.fill_diagonal(share, np.nan)
    hover = "%{y} and %{x}: %{customdata:,} movies, %{z:.1f}%<extra></extra>"
    axes = "also has", "of the movies with"
    return _heatmap(share, names, _counted(names, support), counts, hover, axes, highest=100)


def slices(found: Sequence[Slice], names: Sequence[str], least: int) -> go.Figure:
    """F1 by slice, the first on top, and genre.

    A slice must have `least` movies of a genre for its F1 to be shown.
    """
    f1 = [[one.micro_f1, *np.where(one.support >= least, one.f1, np.nan)] for one in found]
    counts = [[one.movies, *one.support] for one in found]
    rows = _counted([f"{plain(one.kind)}: {one.name}" for one in found], [row[0] for row in counts])
    columns = ["all genres (micro)", *names]
    hover = "%{y}<br>%{x}: F1 %{z:.3f} on %{customdata:,} movies<extra></extra>"
    axes = "genre", "slice (test movies)"
    return _heatmap(np.array(f1), columns, rows, np.array(counts), hover, axes, 1, "F1")


def learning_curves(
    history: Mapping[str, Sequence[float]], kept: int
) -> tuple[go.Figure, go.Figure]:
    """Losses, and scores, of each epoch of the training.

    Args:
        history: learning curves by name, one value per epoch.
        kept: index of the epoch whose weights were kept.
    """
    losses = {"loss": ("training loss", BASELINE), "val_loss": ("loss on eval", MODEL)}
    scores = {
        "val_map": ("mean average precision on eval", MODEL),
        "val_macro_f1": ("macro-F1 on eval", LAST_BLESSED),
    }
    return (
        _curves(history, kept, losses, "loss (nats)"),
        _curves(history, kept, scores, "score (0 to 1)"),
    )


def timings(found: Sequence[NodeTiming]) -> go.Figure:
    """Seconds of each node, the first on top; hatched where the result came from the cache."""
    figure = go.Figure()
    for cached, name, colour, shape in (
        (False, "made by this run", MODEL, ""),
        (True, "made by an earlier run", FLOOR, "/"),
    ):
        some = [one for one in found if one.cached is cached]
        if some:
            figure.add_bar(
                name=name,
                x=[one.seconds for one in some],
                y=[one.node for one in some],
                orientation="h",
                marker={"color": colour, "pattern": {"shape": shape}},
                text=[f"{one.seconds:.1f}" for one in some],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{x:.1f} s<extra>%{y}</extra>",
            )
    _axes(figure, "time (seconds)", "node")
    order = [one.node for one in found]
    figure.update_yaxes(categoryorder="array", categoryarray=order, autorange="reversed")
    return _tall(figure, len(found), room=110)


def distances(found: Sequence[Distance]) -> go.Figure:
    """How far data are from each other, as shares of what is allowed."""
    shares = [100 * one.value / one.limit for one in found]
    figure = go.Figure()
    figure.add_bar(
        x=shares,
        y=[f"{one.compared}: {one.feature}" for one in found],
        orientation="h",
        marker={"color": MODEL},
        customdata=[[one.value, one.limit, plain(one.kind)] for one in found],
        hovertemplate=(
            "%{customdata[2]} %{customdata[0]:.3f}, limit %{customdata[1]:.3f}<extra>%{y}</extra>"
        ),
    )
    figure.add_vline(x=100, line={"color": LAST_BLESSED, "width": 2})
    _axes(figure, "distance (% of the limit)", "compared")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, max([105.0, *(1.1 * share for share in shares)])])
    figure.update_layout(showlegend=False)
    return _tall(figure, len(found), room=90)


def plain(name: str) -> str:
    """A name in words: `log_loss` as `log loss`."""
    return name.replace("_", " ")


def _curves(
    history: Mapping[str, Sequence[float]],
    kept: int,
    lines: Mapping[str, tuple[str, str]],
    unit: str,
) -> go.Figure:
    figure = go.Figure()
    for key, (name, colour) in lines.items():
        if values := history.get(key):
            epochs = list(range(1, len(values) + 1))
            hover = f"epoch %{{x}}: {name} %{{y:.4f}}<extra></extra>"
            _line(figure, name, epochs, values, hover, "lines+markers", color=colour)
    _axes(figure, "epoch", unit)
    figure.update_xaxes(dtick=1)
    figure.update_layout(height=300, legend=_LEGEND, margin=_MARGIN)
    figure.add_vline(x=kept + 1, line={"color": FLOOR, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=kept + 1, y=1, yref="paper", yshift=8, text="kept", showarrow=False, font={"size": 11}
    )
    return figure


def _line(
    figure: go.Figure,
    name: str,
    x: Sequence[float] | Floats,
    y: Sequence[float] | Floats,
    hover: str = "",
    mode: str = "lines",
    **style: Any,
) -> None:
    """Draw a line, without a hover text if `hover` is empty."""
    figure.add_scatter(
        name=name,
        x=x,
        y=y,
        mode=mode,
        line={"width": 2, **style},
        hovertemplate=hover or None,
        hoverinfo=None if hover else "skip",
    )


def _heatmap(
    values: Floats,
    columns: Sequence[str],
    rows: Sequence[str],
    counts: Counts,
    hover: str,
    axes: tuple[str, str],
    highest: float | None = None,
    unit: str = "% of the movies with the genre",
) -> go.Figure:
    """A heat map from 0 to `highest`; None takes the highest value. NaN is left empty."""
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        x=list(columns),
        y=list(rows),
        customdata=counts,
        # From dark blue to yellow: read alike by all, and on light and dark ground.
        colorscale="Cividis",
        zmin=0,
        zmax=highest,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        # Above the map, where it takes no width.
        colorbar={
            "title": {"text": unit, "side": "top", "font": {"size": 11}},
            "thickness": 8,
            "len": 0.6,
            "xanchor": "left",
            **_LEGEND,
        },
        hovertemplate=hover,
    )
    _axes(figure, *axes, standoff=28)
    ticks = {"tickmode": "linear", "tickfont": {"size": 10}, "showgrid": False}
    figure.update_xaxes(tickangle=-90, **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure.update_layout(height=180 + 19 * len(rows), margin={**_MARGIN, "t": 70})


def _counted(names: Iterable[str], movies: Iterable[int]) -> list[str]:
    return [f"{name} ({count:,})" for name, count in zip(names, movies, strict=True)]


def _interval(values: Floats, low: Floats, high: Floats) -> dict[str, Any]:
    """Error bars from `low` to `high`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - values, 0.0),
        "arrayminus": np.maximum(values - low, 0.0),
        "color": MODEL,
        "thickness": 1.5,
        "width": 3,
    }


def _axes(figure: go.Figure, x: str, y: str, standoff: int = 8) -> None:
    """Name the axes; `standoff` is in pixels between the horizontal axis' labels and its name."""
    figure.update_xaxes(title={"text": x, "standoff": standoff}, automargin=True)
    figure.update_yaxes(title={"text": y, "standoff": 6}, automargin=True)


def _tall(figure: go.Figure, rows: int, room: int) -> go.Figure:
    """A chart with a row each of something; `room` is in pixels beside the rows."""
    figure.update_yaxes(tickmode="linear", tickfont={"size": 11})
    return figure.update_layout(height=room + 23 * max(rows, 1), legend=_LEGEND, margin=_MARGIN)


def _small(figure: go.Figure, title: str) -> go.Figure:
    """One of many of a kind, from 0 to 1, whose common legend the page shows once."""
    figure.update_xaxes(tickfont={"size": 10}, dtick=0.25, range=[-0.02, 1.02])
    figure.update_yaxes(tickfont={"size": 10}, dtick=0.25, range=[-0.02, 1.05])
    return figure.update_layout(
        title={"text": title, "font": {"size": 12}, "x": 0.02, "y": 0.97},
        height=230,
        showlegend=False,
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
        font={"size": 11},
    )
