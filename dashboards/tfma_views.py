"""TFMA's views: metrics by slice, metrics by class, plots and time series.

The views use TFMA's web components, with `charts.js` in place of Google Charts, which TFMA loads
from the network. They show names of classes in place of ids.
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
"""Names of classes in the order of their ids, or by id."""

SliceKey = tuple[tuple[str, Any], ...]
"""Pairs of column and value, such as `(("decade", "1990s"),)`."""

Metrics = dict[str, dict[str, dict[str, Any]]]
"""Metrics of a slice by output, sub key (such as `classId:3`; empty for all classes) and name."""

OVERALL: Final[SliceKey] = ()
"""Slice of all examples."""

_COMPONENTS_FILE: Final = Path(tfma.__file__).parent / "static" / "vulcanized_tfma.js"
_CLASS_PREFIX: Final = "classId:"
_MAX_SELECTED: Final = 5
_THRESHOLD_PLOTS: Final = "confusionMatrixAtThresholds"
_CALIBRATION_PLOT: Final = "calibrationHistogramBuckets"


def slicing_metrics(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    selected: Sequence[str] | None = None,
    show: str = "",
    title: str = "Metrics by slice",
    height: int = 760,
) -> page.View:
    """Show metrics by slice: bars or a histogram of one metric, and a table of all metrics.

    Args:
        result: Result of `tfma.load_eval_result` for one model.
        class_names: Names of the classes in the order of their ids, or by id. A class without a
            name is shown with its id.
        selected: Names of the classes that are selected at first. An empty name selects the metrics
            over all classes. None selects these and the first five classes.
        show: Metric that the bars show at first, such as `f1_score` if one class is selected or
            `dog/f1_score` if several are; the number of examples by default.
        title: Heading of the view.
        height: Height of the view, in pixels.

    Raises:
        ValueError: A selected class does not exist, or two classes have the same name.
    """
    rows = [
        {
            "slice": slicer_lib.stringify_slice_key(key),
            "metrics": _with_class_names(values, class_names),
        }
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
        selected=_selected_classes(rows, selected),
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
    """Show the metrics of one slice with one row per class.

    Args:
        result: Result of `tfma.load_eval_result` for one model.
        class_names: Names of the classes in the order of their ids, or by id.
        slice_key: Slice, such as `(("decade", "1990s"),)`; all examples by default.
        weight: Metric that counts the examples of a class. A class without this metric is shown
            with the value of the slice.
        show: Metric that the bars show at first; `weight` by default.
        title: Heading of the view.
        height: Height of the view, in pixels.

    Raises:
        ValueError: The slice has no metrics by class, or two classes have the same name.
    """
    rows = []
    for output, keys in _with_class_names(
        _slice_metrics(result.slicing_metrics, slice_key), class_names
    ).items():
        overall = keys.get("", {})
        shared = {weight: overall[weight]} if weight in overall else {}
        rows += [
            {"slice": _join(" ", output, key), "metrics": {"": {"": shared | values}}}
            for key, values in keys.items()
            if key
        ]
    if not rows:
        raise ValueError("the result has no metrics by class. Evaluate with binarize options.")
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
    """Show calibration, precision and recall, ROC, residuals, gain and confusion matrices.

    The view has a list to choose a class from. Curves by threshold are left out for a class without
    positive or without negative examples, because they are undefined.

    Args:
        result: Result of `tfma.load_eval_result` for one model, evaluated with plots.
        class_names: Names of the classes in the order of their ids, or by id.
        selected: Name of the class that is shown at first; the first class by default.
        slice_key: Slice, such as `(("decade", "1990s"),)`; all examples by default.
        title: Heading of the view.
        height: Height of the view, in pixels.

    Raises:
        ValueError: The slice or the selected class has no plots.
    """
    choices = {
        _join(" ", output, key) or "all": plots
        for output, keys in _with_class_names(
            _slice_metrics(result.plots, slice_key), class_names
        ).items()
        for key, data in keys.items()
        if (plots := _defined_plots(data))
    }
    if not choices:
        raise ValueError("the result has no plots. Evaluate with plots such as CalibrationPlot.")
    if selected is not None:
        if selected not in choices:
            raise ValueError(f"{selected!r} has no plots. Choose one of: {_join_sorted(choices)}")
        choices = {selected: choices[selected], **choices}
    slice_name = slicer_lib.stringify_slice_key(slice_key)
    return _view(
        "tfma-nb-plot",
        {
            name: {"data": data, "config": {"sliceName": _join(", ", slice_name, name)}}
            for name, data in choices.items()
        },
        title,
        height,
        config={"sliceName": slice_name, "metricKeys": util._SUPPORTED_PLOT_KEYS},
        names={name: str(number) for number, name in _names_by_id(class_names).items()},
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
    """Show metrics of several evaluations as lines over time, and a table of all metrics.

    Args:
        results: Results of `tfma.load_eval_result` by a name, such as the time `2026-11-25 14:30`.
            The lines are sorted by name, or by number if the names are numbers.
        class_names: Names of the classes in the order of their ids, or by id.
        selected: Names of the classes that are selected at first, as in `slicing_metrics`.
        slice_key: Slice, such as `(("decade", "1990s"),)`; all examples by default.
        data_names: Name of each evaluation's data; the name of its directory by default.
        show: Names of the metrics that are drawn at first, as in the table; the first by default.
        title: Heading of the view.
        height: Height of the view, in pixels.

    Raises:
        ValueError: There are no results, a result does not have the slice, a selected class does
            not exist, or two classes have the same name.
    """
    if not results:
        raise ValueError("there are no evaluations to show")
    locations = [result.data_location for result in results.values()]
    data = data_names or [Path(location).name or location for location in locations]
    rows = [
        {
            "metrics": _with_class_names(
                _slice_metrics(result.slicing_metrics, slice_key), class_names
            ),
            "config": {"modelIdentifier": name, "dataIdentifier": data_name},
        }
        for (name, result), data_name in zip(results.items(), data, strict=True)
    ]
    return _view(
        "tfma-nb-time-series",
        {"": {"data": rows}},
        title,
        height,
        config={"isModelCentric": True},
        selected=_selected_classes(rows, selected),
        show=show,
    )


def _view(
    element: str, choices: Mapping[str, Any], title: str, height: int, **settings: Any
) -> page.View:
    """Build a view of one of TFMA's components; `tfma.js` describes its data."""
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
        # Otherwise the components load a font from the network.
        page.script("window.polymerSkipLoadingFontRoboto = true;"),
        page.script_from_file("charts.js"),
        page.script(_tfma_components()),
        page.script_from_file("tfma.js"),
    )
    return page.build_view(title, "\n".join(parts), height)


@cache
def _tfma_components() -> str:
    return _COMPONENTS_FILE.read_text(encoding="utf-8")


def _names_by_id(class_names: ClassNames) -> Mapping[int, str]:
    return dict(enumerate(class_names)) if isinstance(class_names, Sequence) else class_names


def _with_class_names(metrics: Metrics | None, class_names: ClassNames) -> Metrics:
    """Replace `classId:3` by the name of the class, in the order of the ids."""
    names = _names_by_id(class_names)
    if len(set(names.values())) < len(names):
        raise ValueError("two classes have the same name")

    def sort_key(key: str) -> int:
        """Return the id of a class; the empty sub key is first, and other sub keys are last."""
        if key.startswith(_CLASS_PREFIX):
            return int(key.removeprefix(_CLASS_PREFIX))
        return 10**9 if key else -1

    return {
        output: {
            names.get(sort_key(key), key): keys[key]
            for key in sorted(keys, key=lambda key: (sort_key(key), key))
        }
        for output, keys in (metrics or {}).items()
    }


def _slice_metrics(rows: Iterable[tuple[SliceKey, Metrics | None]], slice_key: SliceKey) -> Metrics:
    slices = dict(rows)
    if slice_key not in slices:
        name = slicer_lib.stringify_slice_key(slice_key)
        names = map(slicer_lib.stringify_slice_key, slices)
        raise ValueError(f"slice {name} does not exist. Choose one of: {_join_sorted(names)}")
    return slices[slice_key] or {}


def _selected_classes(
    rows: Sequence[Mapping[str, Any]], selected: Sequence[str] | None
) -> list[str]:
    """Return the classes that are selected at first."""
    keys = list(
        dict.fromkeys(key for row in rows for keys in row["metrics"].values() for key in keys)
    )
    if selected is None:
        return [key for key in keys if not key] + [key for key in keys if key][:_MAX_SELECTED]
    for name in selected:
        if name not in keys:
            names = _join_sorted(filter(None, keys))
            raise ValueError(f"class {name!r} does not exist. Choose one of: {names}")
    return list(selected)


def _defined_plots(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plots of one class without those that are undefined for it."""
    supported = {keys["metricName"] for keys in util._SUPPORTED_PLOT_KEYS.values()}
    plots = {name: values for name, values in data.items() if name in supported}
    if _THRESHOLD_PLOTS in plots:
        first = plots[_THRESHOLD_PLOTS].get("matrices", [{}])[0]
        positives = first.get("truePositives") or first.get("falseNegatives")
        negatives = first.get("falsePositives") or first.get("trueNegatives")
        if not (positives and negatives):
            del plots[_THRESHOLD_PLOTS]
    if _CALIBRATION_PLOT in plots and not any(
        bucket.get("numWeightedExamples") for bucket in plots[_CALIBRATION_PLOT].get("buckets", [])
    ):
        del plots[_CALIBRATION_PLOT]
    return util._replace_nan_with_none(plots, util._SUPPORTED_PLOT_KEYS)


def _join(separator: str, *names: str) -> str:
    """Join the names that are not empty."""
    return separator.join(filter(None, names))


def _join_sorted(names: Iterable[str]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"
