"""Facets' overview of the statistics of data sets, which TFDV loads from the network.

The components are read from an HTML file of the package witwidget. The package is not imported.
"""

from __future__ import annotations

import base64
import importlib.util
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tensorflow_metadata.proto.v0 import statistics_pb2

from dashboards import page

_HTML_FILE: Final = "static/wit_jupyter.html"
_DARK_FILTER: Final = "invert(0.95) brightness(2) hue-rotate(180deg)"
"""Facets' pale colours are too dark after inversion without more brightness."""

_MAX_DISTINCT_SHARE: Final = 0.5
"""Share of distinct values among all values of a text above which it is an id or a free text."""

_FONT_RULES: Final = re.compile(r"@font-face\s*\{[^}]*\}")
"""Rules that load fonts from the notebook's server, which does not have them."""


def statistics(
    datasets: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList],
    *,
    separators: Mapping[str, str] | None = None,
    title: str = "Statistics",
    height: int = 700,
) -> page.View:
    """Show data sets side by side in Facets' overview.

    The view differs from the statistics in three points. An example without a value counts as
    missing, although TFDV counts an empty list of values as present. Lists in one text are counted
    item by item (`separators`). Frequencies of values are left out of texts of which more than half
    of the values are distinct, such as ids, because they would say nothing.

    Args:
        datasets: Statistics of TFDV by the name of the data set. Slices are not shown.
        separators: Separator of the items by the name of the feature whose texts are lists, such as
            `{"genres": "|"}`. Percentages of such a feature are shares of all items. TFDV keeps
            the frequencies of the 1,000 most frequent texts; if there are more, the name of the
            feature says that only these are counted.
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
    _prepare(combined.datasets, separators or {})
    encoded = base64.b64encode(combined.SerializeToString()).decode()
    body = page.load_template("facets.html").substitute(
        components=_facets_components(), statistics=encoded
    )
    return page.build_view(title, body, height, _DARK_FILTER)


def _prepare(
    datasets: Sequence[statistics_pb2.DatasetFeatureStatistics], separators: Mapping[str, str]
) -> None:
    """Change statistics in place so that Facets draws them right: see `statistics`."""
    features = [feature for dataset in datasets for feature in dataset.features]
    for feature in features:
        kind = feature.WhichOneof("stats")
        if kind is None:
            continue
        common = getattr(feature, kind).common_stats
        # With more values than one, the number of examples without a value is not known.
        if common.max_num_values <= 1:
            examples = common.num_missing + common.num_non_missing
            common.num_non_missing = common.tot_num_values
            common.num_missing = examples - common.tot_num_values
    for name, separator in separators.items():
        split = [f for f in features if f.path.step == [name] and f.HasField("string_stats")]
        kept = [len(f.string_stats.rank_histogram.buckets) for f in split]
        complete = all(f.string_stats.unique <= k for f, k in zip(split, kept, strict=True))
        renamed = name if complete else f"{name} (in the {max(kept):,} most frequent lists)"
        for feature in split:
            _split_lists(feature.string_stats, separator)
            feature.path.step[0] = renamed
    for feature in features:
        texts = feature.string_stats
        count = texts.common_stats.tot_num_values
        if feature.HasField("string_stats") and texts.unique > _MAX_DISTINCT_SHARE * count:
            texts.ClearField("rank_histogram")
            texts.ClearField("top_values")


def _split_lists(texts: statistics_pb2.StringStatistics, separator: str) -> None:
    """Replace the frequencies of lists by those of their items."""
    counts = Counter[str]()
    for bucket in texts.rank_histogram.buckets:
        for item in bucket.label.split(separator):
            counts[item] += bucket.sample_count
    texts.ClearField("rank_histogram")
    texts.ClearField("top_values")
    for rank, (item, count) in enumerate(counts.most_common()):
        texts.top_values.add(value=item, frequency=count)
        texts.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=item, sample_count=count
        )
    total = sum(counts.values())
    texts.unique = len(counts)
    texts.avg_length = sum(len(item) * count for item, count in counts.items()) / max(total, 1)
    texts.common_stats.tot_num_values = round(total)
    texts.common_stats.avg_num_values = total / max(texts.common_stats.num_non_missing, 1)


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
