"""Charts of a multi-label model, as Plotly figures from plain data.

The figures have no background and no colours of text: a page gives them the template `light` or
`dark` of `report.theme`. Their own colours tell apart on both, also for the colour-blind.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import plotly.graph_objects as go

from metadata import Timing
from report import metrics
from report.facts import Distance, Films, Genre, Slice
from report.metrics import Floats

MODEL: Final = "#0082c8"
LAST_BLESSED: Final = "#d55e00"
BASELINE: Final = "#c270a0"
FLOOR: Final = "#808080"
"""Colours that keep apart under the common kinds of colour blindness, after Okabe and Ito 2008."""

SHADES: Final = "Cividis"
"""From dark blue to yellow: read alike by all, and on light and dark ground."""

_ROW: Final = 23
"""Pixels of a row of a chart that has a row a genre."""

Figure: TypeAlias = go.Figure


def f1_by_genre(genres: Sequence[Genre]) -> Figure:
    """F1 of each genre with its 95% interval, its floor, the last blessed model and the baseline.

    Args:
        genres: of the gate's verdict; drawn with the best on top.
    """
    rows = sorted(genres, key=lambda row: row.f1)
    names = [f"{row.genre} ({row.support:,})" for row in rows]
    low, high = np.array([row.interval for row in rows]).T
    f1 = np.array([row.f1 for row in rows])
    figure = go.Figure()
    figure.add_scatter(
        name="floor",
        x=[row.floor for row in rows],
        y=names,
        mode="markers",
        marker={"symbol": "line-ns", "size": 13, "line": {"width": 2, "color": FLOOR}},
        hovertemplate="floor %{x:.3f}<extra>%{y}</extra>",
    )
    for name, colour, symbol, size, values in (
        ("simple baseline", BASELINE, "x-thin", 9, [row.simple_baseline for row in rows]),
        # Larger than this model's marks, so that it is seen around them where both are the same.
        (
            "last blessed model",
            LAST_BLESSED,
            "diamond-open",
            15,
            [row.last_blessed for row in rows],
        ),
    ):
        if any(value is not None for value in values):
            figure.add_scatter(
                name=name,
                x=values,
                y=names,
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": colour,
                    "line": {"width": 2, "color": colour},
                },
                hovertemplate=f"{name} %{{x:.3f}}<extra>%{{y}}</extra>",
            )
    figure.add_scatter(
        name="this model, with 95% interval",
        x=f1,
        y=names,
        mode="markers",
        marker={
            "size": 10,
            "color": MODEL,
            "symbol": [
                "circle-open" if row.judgement == "not judged" else "circle" for row in rows
            ],
            "line": {"width": 2},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.maximum(high - f1, 0.0),
            "arrayminus": np.maximum(f1 - low, 0.0),
            "color": MODEL,
            "thickness": 1.5,
            "width": 3,
        },
        customdata=np.column_stack(
            [
                low,
                high,
                [row.precision for row in rows],
                [row.recall for row in rows],
            ]
        ),
        hovertemplate=(
            "F1 %{x:.3f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<br>precision "
            "%{customdata[2]:.3f}, recall %{customdata[3]:.3f}<extra>%{y}</extra>"
        ),
    )
    _axes(figure, "F1 on the test split (0 to 1)", "genre (test films)")
    figure.update_xaxes(range=[-0.02, 1.02])
    return _tall(figure, len(rows), room=110)


def threshold_curve(genre: Genre, films: Films, column: int) -> Figure:
    """Precision, recall and F1 of one genre at all thresholds, and the threshold that was used.

    Args:
        genre: its row of the verdict.
        films: of the test split.
        column: of the genre in the arrays of `films`.
    """
    curve = metrics.threshold_curve(films.labels[:, column], films.probabilities[:, column])
    used = float(
        metrics.thresholds_used(films.probabilities[:, [column]], films.scores[:, [column]])[0]
    )
    figure = go.Figure()
    for name, colour, dash, values in (
        ("precision", BASELINE, "dot", curve.precision),
        ("recall", LAST_BLESSED, "dash", curve.recall),
        ("F1", MODEL, "solid", curve.f1),
    ):
        figure.add_scatter(
            name=name,
            x=metrics.THRESHOLDS,
            y=values,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2},
            hovertemplate=f"at %{{x:.2f}}: {name} %{{y:.3f}}<extra></extra>",
        )
    figure.add_scatter(
        name="threshold used (median over films)",
        x=[used, used],
        y=[0, 1],
        mode="lines",
        line={"color": FLOOR, "width": 1.5},
        hovertemplate=f"threshold used {used:.3f}<extra></extra>",
    )
    _axes(figure, "threshold (probability)", "score (0 to 1)")
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[-0.02, 1.05])
    return _small(figure, f"{genre.genre} ({genre.support:,} films)")


def calibration(title: str, labels: metrics.Labels, probabilities: Floats) -> Figure:
    """How often films have a genre, beside the probability that the model gave.

    Args:
        title: what is shown.
        labels: bool, of any shape.
        probabilities: float of the same shape.
    """
    found = metrics.calibration(labels, probabilities)
    figure = go.Figure()
    figure.add_scatter(
        name="as it should be",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": FLOOR, "width": 1, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        name="films in bins of equal size, with 95% intervals",
        x=found.predicted,
        y=found.observed,
        mode="lines+markers",
        line={"color": MODEL, "width": 1.5},
        marker={"color": MODEL, "size": 6},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.maximum(found.high - found.observed, 0.0),
            "arrayminus": np.maximum(found.observed - found.low, 0.0),
            "color": MODEL,
            "thickness": 1,
            "width": 2,
        },
        customdata=np.column_stack([found.films, found.low, found.high]),
        hovertemplate=(
            "says %{x:.3f}, is %{y:.3f} (%{customdata[1]:.2f} to %{customdata[2]:.2f})<br>"
            "%{customdata[0]:,} cases<extra></extra>"
        ),
    )
    _axes(figure, "predicted probability", "share that has it")
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.05])
    return _small(figure, f"{title}, ECE {found.error:.3f}")


def confusion(films: Films, names: Sequence[str]) -> Figure:
    """Which genre is predicted in place of which other one.

    Args:
        films: the test split.
        names: names of the genres, in the order of the arrays' columns.
    """
    counts = metrics.confusion(films.labels, films.predicted)
    support = films.labels.sum(axis=0).astype(np.int64)
    hover = "%{y} missed, %{x} given instead:<br>%{customdata:,} films, %{z:.1f}%<extra></extra>"
    figure = _heatmap(
        100 * metrics.shares(counts, support), names, _counted(names, support), counts, hover
    )
    _axes(figure, "genre given without reason", "genre missed (test films that have it)")
    return _square(figure, len(names))


def co_occurrence(labels: metrics.Labels, names: Sequence[str]) -> Figure:
    """Which genres go together: of the films with one genre, the share that has another too.

    Args:
        labels: bool [films, genres], the films' own genres or the predicted ones.
        names: names of the genres, in the order of the columns.
    """
    counts = metrics.together(labels)
    support = np.diag(counts).copy()
    share = 100 * metrics.shares(counts, support)
    np.fill_diagonal(share, np.nan)
    hover = "%{y} and %{x}: %{customdata:,} films, %{z:.1f}%<extra></extra>"
    figure = _heatmap(share, names, _counted(names, support), counts, hover, highest=100)
    _axes(figure, "also has", "of the films with")
    return _square(figure, len(names))


def slices(found: Sequence[Slice], names: Sequence[str], least: int) -> Figure:
    """F1 by slice and genre.

    Args:
        found: the slices, one for each row, the first on top.
        names: names of the genres.
        least: number of films of a genre that a slice must have for its F1 to be shown.
    """
    f1 = [[one.micro_f1, *np.where(one.support >= least, one.f1, np.nan)] for one in found]
    counts = [[one.films, *one.support] for one in found]
    rows = _counted([f"{plain(one.kind)}: {one.name}" for one in found], [row[0] for row in counts])
    hover = "%{y}<br>%{x}: F1 %{z:.3f} on %{customdata:,} films<extra></extra>"
    figure = _heatmap(
        np.array(f1), ["all genres (micro)", *names], rows, np.array(counts), hover, 1, "F1"
    )
    _axes(figure, "genre", "slice (test films)")
    figure.update_xaxes(
        tickangle=-90, tickmode="linear", showgrid=False, title_standoff=_BELOW_UPRIGHT
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return _tall(figure, len(found), room=200)


def learning_curves(history: Mapping[str, Sequence[float]], kept: int) -> tuple[Figure, Figure]:
    """Losses and scores of each pass of the training.

    Args:
        history: learning curves by name, one value a pass, see `report.facts.Training`.
        kept: index of the pass whose weights were kept.

    Returns:
        Losses, scores.
    """
    losses = _curves(
        history,
        {"loss": ("training loss", BASELINE), "val_loss": ("loss on eval", MODEL)},
        "loss (nats)",
    )
    scores = _curves(
        history,
        {
            "val_map": ("mean average precision on eval", MODEL),
            "val_macro_f1": ("macro-F1 on eval", LAST_BLESSED),
        },
        "score (0 to 1)",
    )
    x = kept + 1
    for figure in (losses, scores):
        figure.add_vline(x=x, line={"color": FLOOR, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=x, y=1, yref="paper", yshift=8, text="kept", showarrow=False, font={"size": 11}
        )
    return losses, scores


def timings(found: Sequence[Timing]) -> Figure:
    """Seconds of each node, the first on top; hatched where the result came from the cache."""
    figure = go.Figure()
    for cached in (False, True):
        some = [one for one in found if one.cached is cached]
        if some:
            figure.add_bar(
                name="made by an earlier run" if cached else "made by this run",
                x=[one.seconds for one in some],
                y=[one.node for one in some],
                orientation="h",
                marker={
                    "color": FLOOR if cached else MODEL,
                    "pattern": {"shape": "/" if cached else ""},
                },
                text=[f"{one.seconds:.1f}" for one in some],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{x:.1f} s<extra>%{y}</extra>",
            )
    _axes(figure, "time (seconds)", "node")
    order = [one.node for one in found]
    figure.update_yaxes(categoryorder="array", categoryarray=order, autorange="reversed")
    return _tall(figure, len(found), room=110)


def distances(found: Sequence[Distance]) -> Figure:
    """How far data are from each other, as shares of what is allowed."""
    names = [f"{one.compared}: {one.feature}" for one in found]
    figure = go.Figure()
    figure.add_bar(
        x=[100 * one.value / one.limit for one in found],
        y=names,
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
    figure.update_xaxes(range=[0, max([105.0, *(110 * one.value / one.limit for one in found)])])
    figure.update_layout(showlegend=False)
    return _tall(figure, len(found), room=90)


def _curves(
    history: Mapping[str, Sequence[float]], lines: Mapping[str, tuple[str, str]], unit: str
) -> Figure:
    figure = go.Figure()
    for key, (name, colour) in lines.items():
        values = list(history.get(key, ()))
        if values:
            figure.add_scatter(
                name=name,
                x=list(range(1, len(values) + 1)),
                y=values,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                hovertemplate=f"pass %{{x}}: {name} %{{y:.4f}}<extra></extra>",
            )
    _axes(figure, "pass over the training split", unit)
    figure.update_xaxes(dtick=1)
    figure.update_layout(height=300, legend=_LEGEND, margin=_MARGIN)
    return figure


_MARGIN: Final[dict[str, Any]] = {"l": 8, "r": 12, "t": 48, "b": 8, "pad": 2}
_BELOW_UPRIGHT: Final = 28
"""Pixels between an axis and its name where the labels between stand upright."""

_LEGEND: Final[dict[str, Any]] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}


def _heatmap(
    values: Floats,
    columns: Sequence[str],
    rows: Sequence[str],
    counts: metrics.Counts,
    hover: str,
    highest: float | None = None,
    unit: str = "% of the films with the genre",
) -> Figure:
    """A heat map from 0 to `highest`; None takes the highest value. NaN is left empty."""
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        x=list(columns),
        y=list(rows),
        customdata=counts,
        colorscale=SHADES,
        zmin=0,
        zmax=highest,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        colorbar=_bar(unit),
        hovertemplate=hover,
    )
    return figure


def _counted(names: Sequence[str], films: Iterable[int]) -> list[str]:
    return [f"{name} ({count:,})" for name, count in zip(names, films, strict=True)]


def _bar(unit: str) -> dict[str, Any]:
    """The key of a heat map's shades, above it, where it takes no width."""
    return {
        "title": {"text": unit, "side": "top", "font": {"size": 11}},
        "orientation": "h",
        "thickness": 8,
        "len": 0.6,
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
    }


def _axes(figure: Figure, x: str, y: str) -> None:
    figure.update_xaxes(title={"text": x, "standoff": 8}, automargin=True)
    figure.update_yaxes(title={"text": y, "standoff": 6}, automargin=True)


def _tall(figure: Figure, rows: int, room: int) -> Figure:
    """A chart with a row each of something."""
    figure.update_yaxes(tickmode="linear", tickfont={"size": 11})
    figure.update_layout(height=room + _ROW * max(rows, 1), legend=_LEGEND, margin=_MARGIN)
    return figure


def _square(figure: Figure, rows: int) -> Figure:
    """A chart with a row and a column for each genre."""
    figure.update_xaxes(
        tickangle=-90,
        tickmode="linear",
        tickfont={"size": 10},
        showgrid=False,
        title_standoff=_BELOW_UPRIGHT,
    )
    figure.update_yaxes(
        autorange="reversed", tickmode="linear", tickfont={"size": 10}, showgrid=False
    )
    figure.update_layout(height=170 + 18 * rows, margin={**_MARGIN, "t": 70})
    return figure


def _small(figure: Figure, title: str) -> Figure:
    """One of many of a kind, whose common legend the page shows once."""
    figure.update_xaxes(tickfont={"size": 10}, dtick=0.25)
    figure.update_yaxes(tickfont={"size": 10}, dtick=0.25)
    figure.update_layout(
        title={"text": title, "font": {"size": 12}, "x": 0.02, "y": 0.97},
        height=230,
        showlegend=False,
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
        font={"size": 11},
    )
    return figure


def plain(name: str) -> str:
    """A name in words: `log_loss` as `log loss`."""
    return name.replace("_", " ")
