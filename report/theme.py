"""Plotly templates for light and dark ground, and colours of the page itself."""

from typing import Any, Final


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
