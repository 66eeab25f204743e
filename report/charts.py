"""Charts of a multi-label model, as Plotly figures from plain data.

The figures have no background and no text colour: apply one of `TEMPLATES` to show them on a light
or dark page. The colours of the data are safe for colour-blind readers on both.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from metadata import NodeTiming
from report import metrics
from report.content import DistributionDistance, GenreResult, Predictions, SliceMetrics
from report.formats import format_duration, format_score
from report.metrics import Counts, Floats, Labels
from report.summary import format_movies
from schema import features as raw

# After the colour-blind safe palette of Okabe and Ito (2008).
MODEL_COLOUR: Final = "#0082c8"
LAST_BLESSED_COLOUR: Final = "#d55e00"
BASELINE_COLOUR: Final = "#c270a0"
FLOOR_COLOUR: Final = "#808080"

_DISPLAY_NAMES: Final = {raw.RUNTIME: "running time", raw.RATING: "rating", raw.VOTES: "votes"}
"""Names of features for readers, where they are not those of the columns."""


def _template(text: str, grid: str, background: str) -> dict[str, Any]:
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "tickcolor": grid}
    return {
        "layout": {
            "font": {"color": text, "family": "system-ui, sans-serif", "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": background, "bordercolor": grid, "font": {"color": text}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": grid, "activecolor": text},
        }
    }


TEMPLATES: Final[dict[str, dict[str, Any]]] = {
    "light": _template("#1f2328", "#d5d9de", "#ffffff"),
    "dark": _template("#e6e8eb", "#444b54", "#22262c"),
}
"""Plotly templates by the value of the media feature `prefers-color-scheme`."""

_MARGIN: Final[dict[str, Any]] = {"l": 8, "r": 12, "t": 48, "b": 8, "pad": 2}
_LEGEND: Final[dict[str, Any]] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}


def f1_by_genre(genres: Sequence[GenreResult]) -> go.Figure:
    """Draw the F1 of each genre with floor, simple baseline and last blessed model."""
    rows = sorted(genres, key=lambda row: (row.support > 0, row.f1))
    names = _with_counts((row.genre for row in rows), (row.support for row in rows))
    low, high = np.array([row.interval for row in rows]).T
    # A genre without test movies has no F1.
    f1 = np.array([row.f1 if row.support else np.nan for row in rows])
    figure = go.Figure()
    for name, field, colour, symbol, size in (
        ("floor (lowest F1 allowed)", "floor", FLOOR_COLOUR, "line-ns", 13),
        ("simple baseline", "simple_baseline", BASELINE_COLOUR, "x-thin", 9),
        # This marker is larger than that of the model, to be visible if both values are equal.
        ("last blessed model", "last_blessed", LAST_BLESSED_COLOUR, "diamond-open", 15),
    ):
        values = [getattr(row, field) if row.support or field == "floor" else None for row in rows]
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
    symbols = ["circle-open" if row.judgement == "not judged" else "circle" for row in rows]
    figure.add_scatter(
        name="this model with 95% confidence interval",
        x=f1,
        y=names,
        mode="markers",
        marker={"size": 10, "color": MODEL_COLOUR, "symbol": symbols, "line": {"width": 2}},
        error_x=_error_bars(f1, low, high),
        customdata=np.array([(*row.interval, row.precision, row.recall) for row in rows]),
        hovertemplate=(
            "F1 %{x:.3f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<br>precision "
            "%{customdata[2]:.3f}, recall %{customdata[3]:.3f}<extra>%{y}</extra>"
        ),
    )
    _set_axis_titles(figure, "F1 on the test split (0 to 1)", "genre (number of test movies)")
    figure.update_xaxes(range=[-0.02, 1.02])
    return _set_row_layout(figure, len(rows), extra_height=110)


def threshold_curve(genre: GenreResult, predictions: Predictions, column: int) -> go.Figure:
    """Draw precision, recall and F1 of one genre by threshold, and the model's threshold.

    Args:
        genre: Result of the genre.
        predictions: Movies of the test split with predictions.
        column: Column of the genre in the arrays of `predictions`.
    """
    probabilities = predictions.probabilities[:, column]
    curve = metrics.threshold_curve(predictions.labels[:, column], probabilities)
    used = float(metrics.median_thresholds(probabilities, predictions.scores[:, column]))
    figure = go.Figure()
    for name, colour, dash, values in (
        ("precision", BASELINE_COLOUR, "dot", curve.precision),
        ("recall", LAST_BLESSED_COLOUR, "dash", curve.recall),
        ("F1", MODEL_COLOUR, "solid", curve.f1),
    ):
        hover = f"threshold %{{x:.2f}}: {name} %{{y:.3f}}<extra></extra>"
        _add_line(figure, name, metrics.THRESHOLDS, values, hover, color=colour, dash=dash)
    name = "threshold of the model (median over movies)"
    hover = f"threshold of the model {used:.3f}<extra></extra>"
    _add_line(figure, name, [used, used], [0, 1], hover, color=FLOOR_COLOUR)
    _set_axis_titles(figure, "threshold (probability)", "value (0 to 1)")
    return _set_small_layout(figure, f"{genre.genre} ({format_movies(genre.support)})")


def calibration_curve(title: str, labels: Labels, probabilities: Floats) -> go.Figure:
    """Draw the share of movies that have a genre by predicted probability, and bars of the counts.

    Args:
        title: Beginning of the figure's title, such as the name of the genre.
        labels: bool of any shape. Whether a movie has a genre.
        probabilities: float of the same shape. Predicted probabilities.
    """
    curve = metrics.calibration_curve(labels, probabilities)
    total = max(int(curve.movies.sum()), 1)
    width = 1 / metrics.CALIBRATION_BINS
    figure = go.Figure()
    figure.add_bar(
        name="share of the predictions",
        x=(np.floor(curve.predicted / width) + 0.5) * width,
        y=curve.movies / total,
        width=width * 0.9,
        marker={"color": FLOOR_COLOUR, "opacity": 0.35},
        text=[f"{count:,}" for count in curve.movies],
        textangle=-90,
        textposition="outside",
        textfont={"size": 8},
        cliponaxis=False,
        hovertemplate="%{text} predictions<extra></extra>",
    )
    _add_line(
        figure, "perfect calibration", [0, 1], [0, 1], color=FLOOR_COLOUR, width=1, dash="dash"
    )
    figure.add_scatter(
        name="this model with 95% confidence intervals",
        x=curve.predicted,
        y=curve.observed,
        mode="lines+markers",
        line={"color": MODEL_COLOUR, "width": 1.5},
        marker={"color": MODEL_COLOUR, "size": 6},
        error_y=_error_bars(curve.observed, curve.low, curve.high),
        customdata=np.column_stack([curve.movies, curve.low, curve.high]),
        hovertemplate=(
            "predicted %{x:.3f}, observed %{y:.3f} "
            "(%{customdata[1]:.2f} to %{customdata[2]:.2f})<br>"
            "%{customdata[0]:,} predictions<extra></extra>"
        ),
    )
    _set_axis_titles(figure, "predicted probability", "share with the genre")
    error = format_score(curve.expected_error) if len(curve.movies) else "–"
    return _set_small_layout(figure, f"{title}, ECE {error}")


def confusion(predictions: Predictions, names: Sequence[str]) -> go.Figure:
    """Draw how often one genre was missed and another was wrongly predicted.

    Args:
        predictions: Movies of the test split with predictions.
        names: Names of the genres, in the order of the columns.
    """
    counts = metrics.confusion_counts(predictions.labels, predictions.predicted)
    support = predictions.labels.sum(axis=0)
    share = 100 * metrics.ratio(counts, support[:, np.newaxis])
    hover = "%{y} missed, %{x} predicted:<br>%{customdata:,} movies, %{z:.1f}%<extra></extra>"
    axes = "wrongly predicted genre", "missed genre (number of test movies)"
    # Without any confusion the scale would be empty.
    highest = max(float(share.max(initial=0.0)), 1.0)
    return _heatmap(share, names, _with_counts(names, support), counts, hover, axes, highest)


def co_occurrence(labels: Labels, names: Sequence[str]) -> go.Figure:
    """Draw the share of the movies of one genre that also have another.

    Args:
        labels: bool [movies, genres]. Listed or predicted genres.
        names: Names of the genres, in the order of the columns.
    """
    counts = metrics.co_occurrence_counts(labels)
    support = np.diag(counts)
    share = 100 * metrics.ratio(counts, support[:, np.newaxis])
    np.fill_diagonal(share, np.nan)
    hover = "%{y} and %{x}: %{customdata:,} movies, %{z:.1f}%<extra></extra>"
    axes = "second genre", "first genre (number of movies)"
    return _heatmap(share, names, _with_counts(names, support), counts, hover, axes, 100)


def f1_by_slice(
    slices: Sequence[SliceMetrics], names: Sequence[str], min_support: int
) -> go.Figure:
    """Draw F1 by slice and genre.

    Args:
        slices: Slices, from top to bottom.
        names: Names of the genres, in the order of the arrays.
        min_support: Number of movies of a genre below which its F1 is not shown.
    """
    f1 = [[row.micro_f1, *np.where(row.support >= min_support, row.f1, np.nan)] for row in slices]
    counts = [[row.movies, *row.support] for row in slices]
    labels = [f"{display_name(row.feature)}: {row.value}" for row in slices]
    rows = _with_counts(labels, [row.movies for row in slices])
    columns = ["all genres (micro)", *names]
    hover = "%{y}<br>%{x}: F1 %{z:.3f} on %{customdata:,} movies<extra></extra>"
    axes = "genre", "slice (number of test movies)"
    return _heatmap(np.array(f1), columns, rows, np.array(counts), hover, axes, 1, "F1")


def learning_curves(
    history: Mapping[str, Sequence[float]], best_epoch: int
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Draw the losses and the scores of each epoch.

    The two losses have charts of their own, because they are not comparable: that of training is of
    the network alone, with dropout, and that of the eval split is of the whole model.

    Args:
        history: Learning curves by name, with one value per epoch.
        best_epoch: Index of the epoch whose weights the model has.

    Returns:
        Figures of the training loss, the eval loss and the scores.
    """
    training = {"loss": ("training loss", BASELINE_COLOUR)}
    evaluation = {"val_loss": ("eval loss", MODEL_COLOUR)}
    scores = {
        "val_map": ("mean average precision on the eval split", MODEL_COLOUR),
        "val_macro_f1": ("macro-F1 on the eval split", LAST_BLESSED_COLOUR),
    }
    return (
        _learning_curve(history, best_epoch, training, "training loss of the network (nats)"),
        _learning_curve(history, best_epoch, evaluation, "eval loss of the model (nats)"),
        _learning_curve(history, best_epoch, scores, "score (0 to 1)"),
    )


def node_times(times: Sequence[NodeTiming]) -> go.Figure:
    """Draw the duration of each node; bars of cached results are hatched."""
    figure = go.Figure()
    for cached, name, colour, shape in (
        (False, "this run", MODEL_COLOUR, ""),
        (True, "cached result of an earlier run", FLOOR_COLOUR, "/"),
    ):
        nodes = [time for time in times if time.cached is cached]
        if nodes:
            figure.add_bar(
                name=name,
                x=[node.seconds for node in nodes],
                y=[node.node for node in nodes],
                orientation="h",
                marker={"color": colour, "pattern": {"shape": shape}},
                text=[format_duration(node.seconds) for node in nodes],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{text}<extra>%{y}</extra>",
            )
    _set_axis_titles(figure, "time (seconds)", "node")
    order = [time.node for time in times]
    figure.update_yaxes(categoryorder="array", categoryarray=order, autorange="reversed")
    return _set_row_layout(figure, len(times), extra_height=110)


def distribution_distances(distances: Sequence[DistributionDistance]) -> go.Figure:
    """Draw distances between data sets, in percent of their limits."""
    shares = [100 * row.value / row.limit for row in distances]
    figure = go.Figure()
    figure.add_bar(
        x=shares,
        y=[f"{row.compared}: {display_name(row.feature)}" for row in distances],
        orientation="h",
        marker={"color": MODEL_COLOUR},
        customdata=[[row.value, row.limit, display_name(row.measure)] for row in distances],
        hovertemplate=(
            "%{customdata[2]} %{customdata[0]:.3f}, limit %{customdata[1]:.3f}<extra>%{y}</extra>"
        ),
    )
    figure.add_vline(x=100, line={"color": LAST_BLESSED_COLOUR, "width": 2})
    _set_axis_titles(figure, "distance (% of the limit)", "feature")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, max([105.0, *(1.1 * share for share in shares)])])
    figure.update_layout(showlegend=False)
    return _set_row_layout(figure, len(distances), extra_height=90)


def display_name(name: str) -> str:
    """Return a name for readers: `num_votes` becomes `votes`, `log_loss` becomes `log loss`."""
    return _DISPLAY_NAMES.get(name, name.replace("_", " "))


def _learning_curve(
    history: Mapping[str, Sequence[float]],
    best_epoch: int,
    lines: Mapping[str, tuple[str, str]],
    unit: str,
) -> go.Figure:
    figure = go.Figure()
    for key, (name, colour) in lines.items():
        if values := history.get(key):
            epochs = list(range(1, len(values) + 1))
            hover = f"epoch %{{x}}: {name} %{{y:.4f}}<extra></extra>"
            _add_line(figure, name, epochs, values, hover, "lines+markers", color=colour)
    _set_axis_titles(figure, "epoch", unit)
    figure.update_xaxes(dtick=1)
    figure.update_layout(height=300, legend=_LEGEND, margin=_MARGIN)
    figure.add_vline(x=best_epoch + 1, line={"color": FLOOR_COLOUR, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=best_epoch + 1,
        y=1,
        yref="paper",
        yshift=8,
        text="best epoch",
        showarrow=False,
        font={"size": 11},
    )
    return figure


def _add_line(
    figure: go.Figure,
    name: str,
    x: Sequence[float] | Floats,
    y: Sequence[float] | Floats,
    hover: str = "",
    mode: str = "lines",
    **style: Any,
) -> None:
    """Add a line to a figure, without a tooltip if `hover` is empty."""
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
    highest: float,
    unit: str = "% of the movies of the genre",
) -> go.Figure:
    """Draw a heat map from 0 to `highest` with numbers in its cells. NaN and 0 have no number."""
    number = "{:.0f}".format if highest > 1 else "{:.2f}".format
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        text=[[number(cell).lstrip("0") if cell > 0 else "" for cell in row] for row in values],
        texttemplate="%{text}",
        x=list(columns),
        y=list(rows),
        customdata=counts,
        # This scale is safe for colour-blind readers, on light and dark backgrounds.
        colorscale="Cividis",
        zmin=0,
        zmax=highest,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        # Above the map the colour bar takes no width.
        colorbar={
            "title": {"text": unit, "side": "top", "font": {"size": 11}},
            "thickness": 8,
            "len": 0.6,
            "xanchor": "left",
            **_LEGEND,
        },
        hovertemplate=hover,
    )
    _set_axis_titles(figure, *axes, standoff=28)
    ticks = {"tickmode": "linear", "tickfont": {"size": 10}, "showgrid": False}
    figure.update_xaxes(tickangle=-90, **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure.update_layout(height=180 + 19 * len(rows), margin={**_MARGIN, "t": 70})


def _with_counts(names: Iterable[str], movies: Iterable[int]) -> list[str]:
    return [f"{name} ({count:,})" for name, count in zip(names, movies, strict=True)]


def _error_bars(values: Floats, low: Floats, high: Floats) -> dict[str, Any]:
    """Return error bars from `low` to `high`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - values, 0.0),
        "arrayminus": np.maximum(values - low, 0.0),
        "color": MODEL_COLOUR,
        "thickness": 1.5,
        "width": 3,
    }


def _set_axis_titles(figure: go.Figure, x: str, y: str, standoff: int = 8) -> None:
    """Set the titles of the axes; `standoff` is the distance of the x axis' title, in pixels."""
    figure.update_xaxes(title={"text": x, "standoff": standoff}, automargin=True)
    figure.update_yaxes(title={"text": y, "standoff": 6}, automargin=True)


def _set_row_layout(figure: go.Figure, rows: int, extra_height: int) -> go.Figure:
    """Set the height by the number of rows, plus `extra_height` in pixels."""
    figure.update_yaxes(tickmode="linear", tickfont={"size": 11})
    return figure.update_layout(
        height=extra_height + 23 * max(rows, 1), legend=_LEGEND, margin=_MARGIN
    )


def _set_small_layout(figure: go.Figure, title: str) -> go.Figure:
    """Set the layout of a small chart with axes from 0 to 1, without a legend."""
    figure.update_xaxes(tickfont={"size": 10}, dtick=0.25, range=[-0.02, 1.02])
    figure.update_yaxes(tickfont={"size": 10}, dtick=0.25, range=[-0.02, 1.05])
    return figure.update_layout(
        title={"text": title, "font": {"size": 12}, "x": 0.02, "y": 0.97},
        height=230,
        showlegend=False,
        margin={"l": 4, "r": 8, "t": 30, "b": 4},
        font={"size": 11},
    )
