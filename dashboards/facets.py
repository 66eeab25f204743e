"""Facets' overview of the statistics of one or several data sets, which TFDV shows from a network.

The components are read out of the package witwidget, which holds all of Facets in one HTML file;
that package itself is never imported.
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

_FILE: Final = "static/wit_jupyter.html"
_FONTS: Final = re.compile(r"@font-face\s*\{[^}]*\}")
"""They would be asked for at the notebook's server, which has none."""

_STYLE: Final = """<style>
  /* Narrower than this Facets cuts its charts off, where scrolling does not reach them. */
  facets-overview { display: block; min-width: 960px; }
  #sideways { overflow-x: auto; }
  /* Its colours are pale: turned round for the dark they need more light to be seen. */
  @media (prefers-color-scheme: dark) {
    html { filter: invert(0.95) brightness(2) hue-rotate(180deg); }
  }
  @media print { html { filter: none; } }
</style>"""


def statistics(
    datasets: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    *,
    title: str = "Statistics",
    height: int = 700,
) -> page.View:
    """Facets' overview, with the data sets side by side.

    Args:
        datasets: statistics as TFDV computes or loads them, by the name they are shown by. Of
            sliced statistics, those over all examples are shown.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: there are no statistics, or a data set has no example.
        ModuleNotFoundError: the package witwidget is not installed.
    """
    if not datasets:
        raise ValueError("there are no statistics to show")
    together = statistics_pb2.DatasetFeatureStatisticsList()
    for name, one in datasets.items():
        if not one.datasets or not one.datasets[0].num_examples:
            raise ValueError(f"the statistics {name!r} are of no example")
        copied = together.datasets.add()
        copied.CopyFrom(_over_all(one))
        copied.name = name
    encoded = base64.b64encode(together.SerializeToString()).decode()
    element = (
        f'<div id="sideways" tabindex="0"><facets-overview proto-input="{encoded}">'
        "</facets-overview></div>"
    )
    return page.of_parts(title, "\n".join((_components(), _STYLE, element)), height)


def _over_all(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> statistics_pb2.DatasetFeatureStatistics:
    """Of several slices, that of all examples."""
    whole = (one for one in statistics.datasets if one.name == "All Examples")
    return next(whole, statistics.datasets[0])


@cache
def _components() -> str:
    """Facets' components: the file of the What-If Tool without the tool itself and fonts."""
    spec = importlib.util.find_spec("witwidget")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "Facets' components are in the package witwidget: install witwidget==1.8.1 "
            "(--no-deps will do, only a file of it is read)"
        )
    text = (Path(spec.origin).parent / _FILE).read_text(encoding="utf-8")
    text = text[: text.rindex("<wit-dashboard")].removeprefix("<!doctype html>")
    return _FONTS.sub("", text)
