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
        of_all_examples = (part for part in one.datasets if part.name == "All Examples")
        copied = together.datasets.add()
        copied.CopyFrom(next(of_all_examples, one.datasets[0]))
        copied.name = name
    encoded = base64.b64encode(together.SerializeToString()).decode()
    body = page.template("facets.html").substitute(components=_components(), statistics=encoded)
    return page.of_parts(title, body, height)


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
