"""Texts that stand for charts where they cannot be seen, such as in a screen reader."""

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

MAX_CELLS: Final = 5
"""Number of cells of a heat map that its text lists."""

MAX_POINTS: Final = 30
"""Number of points up to which all points of a line or bar chart are listed."""


def describe(figure: go.Figure) -> str:
    """Describe a chart: its title and axes, and the values of each of its traces.

    Few points are listed. Of a long line, the ends and the highest value are listed; of a heat map,
    the cells with the highest values.
    """
    layout = figure.layout
    axes = f"{layout.yaxis.title.text} by {layout.xaxis.title.text}"
    parts = [layout.title.text or "", axes, *map(_describe_trace, figure.data)]
    return ". ".join(filter(None, parts)) + "."


def _describe_trace(trace: Any) -> str:
    if trace.type == "heatmap":
        return _describe_heatmap(trace)
    horizontal = trace.type == "bar" and trace.orientation == "h"
    names, values = (trace.y, trace.x) if horizontal else (trace.x, trace.y)
    if len(names) and isinstance(values[0], str):
        names, values = values, names
    points = [(name, value) for name, value in zip(names, values, strict=True) if _known(value)]
    if not points:
        return ""
    if len(points) > MAX_POINTS and not isinstance(points[0][0], str):
        highest = max(points, key=lambda point: point[1])
        ends = f"from {_pair(points[0])} to {_pair(points[-1])}"
        listed = f"{ends}, highest {_pair(highest)}"
    else:
        listed = ", ".join(map(_pair, points))
    return f"{trace.name}: {listed}" if trace.name else listed


def _describe_heatmap(trace: Any) -> str:
    values = np.asarray(trace.z, np.float64)
    order = np.argsort(-np.nan_to_num(values, nan=-1.0), axis=None, kind="stable")[:MAX_CELLS]
    cells = [
        (f"{trace.y[row]} and {trace.x[column]}", values[row, column])
        for row, column in zip(*np.unravel_index(order, values.shape), strict=True)
        if values[row, column] > 0
    ]
    if not cells:
        return "All values are 0"
    return f"Highest values: {'; '.join(map(_pair, cells))}"


def _pair(point: tuple[Any, Any]) -> str:
    name, value = point
    if isinstance(name, str):
        return f"{name} {_format(value)}"
    return f"{_format(value)} at {_format(name)}"


def _format(value: float) -> str:
    return f"{round(float(value), 3):,.6g}"


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float | np.floating) and np.isnan(value))
