"""TFMA's views: slicing metrics, metrics by class, plots, time series.

They are TFMA's own web components, out of its package, with a stand-in for Google Charts
(`charts.js`), which TFMA loads from the network. Classes have names in place of ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.slicer import slicer_lib
from tensorflow_model_analysis.view import util

from dashboards import page

ClassNames = Sequence[str] | Mapping[int, str]
SliceKey = tuple[tuple[str, Any], ...]
Metrics = dict[str, dict[str, dict[str, Any]]]
"""A slice's metrics by output, by sub key (`classId:3`, or empty), by name."""

OVERALL: Final[SliceKey] = ()

_COMPONENTS: Final = Path(tfma.__file__).parent / "static" / "vulcanized_tfma.js"
_CLASS: Final = "classId:"
_PRESELECTED: Final = 5
_CURVES: Final = "confusionMatrixAtThresholds"
_CALIBRATION: Final = "calibrationHistogramBuckets"


def slicing_metrics(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    selected: Sequence[str] | None = None,
    show: str = "",
    title: str = "Metrics by slice",
    height: int = 760,
) -> page.View:
    """TFMA's browser of slices: bars of one metric, a histogram, a table of all.

    Args:
        result: what `tfma.load_eval_result` gives; of several models, the one that it was given.
        class_names: names in the order of the class ids, or by class id. A class without a name
            keeps its id.
        selected: names of the classes whose metrics are shown at first; by default the figures over
            all classes and the first five classes. The empty name stands for the former.
        show: the metric that the bars show at first, such as `f1_score` for one class and
            `dog/f1_score` for several; by default the count of examples.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: a class is not there, or two classes share a name.
    """
    rows = [
        {"slice": slicer_lib.stringify_slice_key(key), "metrics": _named(values, class_names)}
        for key, values in result.slicing_metrics
    ]
    rows.sort(key=lambda row: (row["slice"] != slicer_lib.OVERALL_SLICE_NAME, row["slice"]))
    config = util.get_slicing_config(result.config)
    return _view(
        "tfma-nb-slicing-metrics",
        {"": {"data": rows}},
        title,
        height,
        config=config,
        selected=_preselected(rows, selected),
        weight=config["weightedExamplesColumn"],
        show=[show] if show else (),
    )


def class_metrics(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    slice_key: SliceKey = OVERALL,
    weight: str = "example_count",
    show: str = "",
    title: str = "Metrics by class",
    height: int = 760,
) -> page.View:
    """The same browser with a row a class in place of a row a slice.

    `slice_key` is the slice to show, such as `(("decade", "1990s"),)`. `weight` is the metric that
    says how many examples stand behind a class's figures; where a class has none of its own, the
    slice's is taken. The bars show `weight` at first if `show` is empty. The other arguments are
    those of `slicing_metrics`.

    Raises:
        ValueError: the slice has no metrics by class, or two classes share a name.
    """
    rows = []
    for output, keys in _named(_of_slice(result.slicing_metrics, slice_key), class_names).items():
        overall = keys.get("", {})
        shared = {weight: overall[weight]} if weight in overall else {}
        rows += [
            {"slice": _joined(" ", output, key), "metrics": {"": {"": shared | values}}}
            for key, values in keys.items()
            if key
        ]
    if not rows:
        raise ValueError("the result has no metrics by class: evaluate with binarize options")
    return _view(
        "tfma-nb-slicing-metrics",
        {"": {"data": rows}},
        title,
        height,
        config={"weightedExamplesColumn": weight},
        weight=weight,
        show=[show] if show else (),
    )


def plot(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    selected: str | None = None,
    slice_key: SliceKey = OVERALL,
    title: str = "Plots",
    height: int = 560,
) -> page.View:
    """TFMA's plots: calibration, precision and recall, ROC, residuals, gain, confusion matrices.

    Where there are plots of several classes, one is chosen from a list. Curves by threshold of a
    class that has no positive example, or no negative one, are undefined and left out. `selected`
    is the class that is shown at first; by default the first. The other arguments are those of
    `class_metrics`, with a result that was evaluated with plots.

    Raises:
        ValueError: the slice has no plots, or the class none.
    """
    choices = {
        _joined(" ", output, key) or "all": plots
        for output, keys in _named(_of_slice(result.plots, slice_key), class_names).items()
        for key, data in keys.items()
        if (plots := _drawable(data))
    }
    if not choices:
        raise ValueError("the result has no plots: evaluate with plots, such as CalibrationPlot")
    if selected is not None:
        if selected not in choices:
            raise ValueError(f"no plots of {selected!r}. There are: {_listed(choices)}")
        choices = {selected: choices[selected], **choices}
    shown = slicer_lib.stringify_slice_key(slice_key)
    return _view(
        "tfma-nb-plot",
        {
            name: {"data": data, "config": {"sliceName": _joined(", ", shown, name)}}
            for name, data in choices.items()
        },
        title,
        height,
        config={"sliceName": shown, "metricKeys": util._SUPPORTED_PLOT_KEYS},
        names={name: str(number) for number, name in _by_id(class_names).items()},
    )


def time_series(
    results: Mapping[str, tfma.EvalResult],
    *,
    class_names: ClassNames = (),
    selected: Sequence[str] | None = None,
    slice_key: SliceKey = OVERALL,
    data_names: Sequence[str] = (),
    show: Sequence[str] = (),
    title: str = "Metrics by run",
    height: int = 560,
) -> page.View:
    """TFMA's time series: a line of a metric over several evaluations, and a table of all.

    `results` are evaluations by the name that they are shown by. Names are sorted, as numbers if
    they are; times such as `2026-11-25 14:30` do well. `data_names` are names of what each was
    measured on; by default the names of the data's folders. `show` are the metrics that are drawn
    at first, named as in the table; by default the first. The other arguments are those of
    `slicing_metrics` and `class_metrics`.

    Raises:
        ValueError: there are no results, one lacks the slice, a class is not there, or two classes
            share a name.
    """
    if not results:
        raise ValueError("there are no evaluations to show")
    locations = [result.data_location for result in results.values()]
    data = data_names or [Path(location).name or location for location in locations]
    rows = [
        {
            "metrics": _named(_of_slice(result.slicing_metrics, slice_key), class_names),
            "config": {"modelIdentifier": name, "dataIdentifier": measured_on},
        }
        for (name, result), measured_on in zip(results.items(), data, strict=True)
    ]
    return _view(
        "tfma-nb-time-series",
        {"": {"data": rows}},
        title,
        height,
        config={"isModelCentric": True},
        selected=_preselected(rows, selected),
        show=show,
    )


def _view(
    element: str, choices: Mapping[str, Any], title: str, height: int, **settings: Any
) -> page.View:
    """A view of one of TFMA's components; `tfma.js` says what it is given."""
    data = {
        "element": element,
        "choices": choices,
        "label": "Classes",
        "selected": (),
        "names": {},
        "weight": "",
        "show": (),
        **settings,
    }
    parts = (
        page.data_element(data),
        # Polymer's components ask for a font from the network otherwise.
        page.script("window.polymerSkipLoadingFontRoboto = true;"),
        page.own_script("charts.js"),
        page.script(_components()),
        page.own_script("tfma.js"),
    )
    return page.of_parts(title, "\n".join(parts), height)


@cache
def _components() -> str:
    return _COMPONENTS.read_text(encoding="utf-8")


def _by_id(class_names: ClassNames) -> Mapping[int, str]:
    return dict(enumerate(class_names)) if isinstance(class_names, Sequence) else class_names


def _named(metrics: Metrics | None, class_names: ClassNames) -> Metrics:
    """Metrics with class names in place of `classId:3`, classes in the order of their ids."""
    names = _by_id(class_names)
    if len(set(names.values())) < len(names):
        raise ValueError("two classes have the same name")

    def number(key: str) -> int:
        """The id of a class; other sub keys come after the classes, an empty one before."""
        if key.startswith(_CLASS):
            return int(key.removeprefix(_CLASS))
        return 10**9 if key else -1

    return {
        output: {
            names.get(number(key), key): keys[key]
            for key in sorted(keys, key=lambda key: (number(key), key))
        }
        for output, keys in (metrics or {}).items()
    }


def _of_slice(rows: Iterable[tuple[SliceKey, Metrics | None]], slice_key: SliceKey) -> Metrics:
    found = dict(rows)
    if slice_key not in found:
        there = [slicer_lib.stringify_slice_key(key) for key in found]
        wanted = slicer_lib.stringify_slice_key(slice_key)
        raise ValueError(f"no slice {wanted}. There are: {_listed(there)}")
    return found[slice_key] or {}


def _preselected(rows: Sequence[Mapping[str, Any]], selected: Sequence[str] | None) -> list[str]:
    """The classes that are shown at first, which must be there."""
    keys = list(
        dict.fromkeys(key for row in rows for keys in row["metrics"].values() for key in keys)
    )
    if selected is None:
        return [key for key in keys if not key] + [key for key in keys if key][:_PRESELECTED]
    for name in selected:
        if name not in keys:
            raise ValueError(f"no class {name!r}. There are: {_listed(filter(None, keys))}")
    return list(selected)


def _drawable(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plots of one class without those that are undefined for it."""
    known = {one["metricName"] for one in util._SUPPORTED_PLOT_KEYS.values()}
    plots = {name: values for name, values in data.items() if name in known}
    if _CURVES in plots:
        first = plots[_CURVES].get("matrices", [{}])[0]
        positives = first.get("truePositives") or first.get("falseNegatives")
        negatives = first.get("falsePositives") or first.get("trueNegatives")
        if not (positives and negatives):
            del plots[_CURVES]
    if _CALIBRATION in plots and not any(
        bucket.get("numWeightedExamples") for bucket in plots[_CALIBRATION].get("buckets", [])
    ):
        del plots[_CALIBRATION]
    return util._replace_nan_with_none(plots, util._SUPPORTED_PLOT_KEYS)


def _joined(separator: str, *names: str) -> str:
    """Names that are not empty, with a separator between them."""
    return separator.join(filter(None, names))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"
