"""Facets' overview of the statistics of data sets, which TFDV loads from the network.

The components are read from an HTML file of the package witwidget. The package is not imported.
"""

from __future__ import annotations

import base64
import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tensorflow_metadata.proto.v0 import statistics_pb2

from dashboards import page

_HTML_FILE: Final = "static/wit_jupyter.html"
_FONT_RULES: Final = re.compile(r"@font-face\s*\{[^}]*\}")
"""Rules that load fonts from the notebook's server, which does not have them."""


def statistics(
    datasets: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    *,
    title: str = "Statistics",
    height: int = 700,
) -> page.View:
    """Show data sets side by side in Facets' overview.

    Args:
        datasets: Statistics of TFDV by the name of the data set. Slices are not shown.
        title: Heading of the view.
        height: Height of the view, in pixels.

    Raises:
        ValueError: There are no statistics, or a data set has no examples.
        ModuleNotFoundError: The package witwidget is not installed.
    """
    if not datasets:
        raise ValueError("there are no statistics to show")
    combined = statistics_pb2.DatasetFeatureStatisticsList()
    for name, sliced in datasets.items():
        if not sliced.datasets or not sliced.datasets[0].num_examples:
            raise ValueError(f"the data set {name!r} has no examples")
        overall = (part for part in sliced.datasets if part.name == "All Examples")
        copy = combined.datasets.add()
        copy.CopyFrom(next(overall, sliced.datasets[0]))
        copy.name = name
    encoded = base64.b64encode(combined.SerializeToString()).decode()
    body = page.load_template("facets.html").substitute(
        components=_facets_components(), statistics=encoded
    )
    return page.build_view(title, body, height)


@cache
def _facets_components() -> str:
    """Return the HTML file of the What-If Tool without the tool itself and without fonts."""
    spec = importlib.util.find_spec("witwidget")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "Facets' components are in the package witwidget. "
            "Run `pip install --no-deps witwidget==1.8.1`."
        )
    text = (Path(spec.origin).parent / _HTML_FILE).read_text(encoding="utf-8")
    text = text[: text.rindex("<wit-dashboard")].removeprefix("<!doctype html>")
    return _FONT_RULES.sub("", text)
