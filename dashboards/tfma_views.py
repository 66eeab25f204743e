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

COMPONENTS: Final = Path(tfma.__file__).parent / "static" / "vulcanized_tfma.js"

OVERALL: Final[SliceKey] = ()

_CLASS: Final = "classId:"
_PRESELECTED: Final = 5
_CURVES: Final = "confusionMatrixAtThresholds"
_CALIBRATION: Final = "calibrationHistogramBuckets"


def slicing_metrics(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    slicing_column: str | None = None,
    metrics: Sequence[str] | None = None,
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
        slicing_column: show the slices by this feature alone; None shows all. The overall figures
            are always there.
        metrics: names of the metrics to show; None shows all.
        selected: names of the classes whose metrics are shown at first; by default the figures over
            all classes and the first five classes. The empty name stands for the former.
        show: the metric that the bars show at first, such as `f1_score` for one class and
            `dog/f1_score` for several; by default the count of examples.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: no slice has the column, a metric is not there, or two classes share a name.
    """
    rows: list[dict[str, Any]] = [
        {"slice": slicer_lib.stringify_slice_key(key), "metrics": _named(values, class_names)}
        for key, values in result.slicing_metrics
        if slicing_column is None or key == OVERALL or [name for name, _ in key] == [slicing_column]
    ]
    rows.sort(key=lambda row: (row["slice"] != slicer_lib.OVERALL_SLICE_NAME, row["slice"]))
    if slicing_column is not None and len(rows) < 2:
        columns = {name for key, _ in result.slicing_metrics for name, _ in key}
        raise ValueError(f"no slice by {slicing_column!r}. There are: {_listed(columns)}")
    config = util.get_slicing_config(result.config)
    weight = config["weightedExamplesColumn"]
    kept = None if metrics is None else {*_checked(metrics, rows), weight}
    rows = [{**row, "metrics": _only(row["metrics"], kept)} for row in rows]
    return _view(
        "tfma-nb-slicing-metrics",
        {"": {"data": rows}},
        title,
        height,
        config=config,
        selected=_preselected(rows, selected),
        weight=weight,
        show=[show] if show else (),
    )


def class_metrics(
    result: tfma.EvalResult,
    *,
    class_names: ClassNames = (),
    slice_key: SliceKey = OVERALL,
    weight: str = "example_count",
    metrics: Sequence[str] | None = None,
    show: str = "",
    title: str = "Metrics by class",
    height: int = 760,
) -> page.View:
    """The same browser with a row a class in place of a row a slice.

    Args:
        result: as for `slicing_metrics`.
        class_names: as for `slicing_metrics`.
        slice_key: the slice that was measured, such as `(("decade", "1990s"),)`.
        weight: the metric that says how many examples stand behind a class's figures. Where a class
            has none of its own, the slice's is taken.
        metrics: names of the metrics to show; None shows all.
        show: the metric that the bars show at first; by default `weight`.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: the slice has no metrics by class, a metric is not there, or two classes share a
            name.
    """
    measured = _named(_of_slice(result.slicing_metrics, slice_key), class_names)
    rows: list[dict[str, Any]] = [
        {
            "slice": " ".join(filter(None, (output, key))),
            "metrics": {"": {"": {**_weight_of(keys, weight), **values}}},
        }
        for output, keys in measured.items()
        for key, values in keys.items()
        if key
    ]
    if not rows:
        raise ValueError("the result has no metrics by class: evaluate with binarize options")
    kept = None if metrics is None else {*_checked(metrics, rows), weight}
    rows = [{**row, "metrics": _only(row["metrics"], kept)} for row in rows]
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
    class that has no positive example, or no negative one, are undefined and left out.

    Args:
        result: as for `slicing_metrics`, evaluated with plots.
        class_names: as for `slicing_metrics`.
        selected: the class that is shown at first; by default the first.
        slice_key: the slice to show.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: the slice has no plots, or the class none.
    """
    plots = _named(_of_slice(result.plots, slice_key), class_names)
    config = {
        "sliceName": slicer_lib.stringify_slice_key(slice_key),
        "metricKeys": util._SUPPORTED_PLOT_KEYS,
    }
    choices = {
        " ".join(filter(None, (output, key))) or "all": _drawable(data)
        for output, keys in plots.items()
        for key, data in keys.items()
    }
    choices = {name: data for name, data in choices.items() if data}
    if not choices:
        raise ValueError("the result has no plots: evaluate with plots, such as CalibrationPlot")
    if selected is not None:
        if selected not in choices:
            raise ValueError(f"no plots of {selected!r}. There are: {_listed(choices)}")
        choices = {selected: choices[selected], **choices}
    named = dict(enumerate(class_names)) if isinstance(class_names, Sequence) else class_names
    return _view(
        "tfma-nb-plot",
        {
            name: {
                "data": data,
                "config": {"sliceName": ", ".join(filter(None, (config["sliceName"], name)))},
            }
            for name, data in choices.items()
        },
        title,
        height,
        config=config,
        names={name: str(number) for number, name in named.items()},
    )


def time_series(
    results: Mapping[str, tfma.EvalResult],
    *,
    class_names: ClassNames = (),
    metrics: Sequence[str] | None = None,
    selected: Sequence[str] | None = None,
    slice_key: SliceKey = OVERALL,
    data_names: Sequence[str] = (),
    show: Sequence[str] = (),
    title: str = "Metrics by run",
    height: int = 560,
) -> page.View:
    """TFMA's time series: a line of a metric over several evaluations, and a table of all.

    Args:
        results: evaluations by the name that they are shown by. Names are sorted, as numbers if
            they are; times such as `2026-11-25 14:30` do well.
        class_names: as for `slicing_metrics`.
        metrics: names of the metrics to show; None shows all.
        selected: as for `slicing_metrics`.
        slice_key: the slice to show.
        data_names: of what each was measured on; by default the name of the data's folder.
        show: the metrics that are drawn at first, named as in the table; by default the first.
        title: heading of the view.
        height: in pixels.

    Raises:
        ValueError: there are no results, one lacks the slice, a metric is not there, or two classes
            share a name.
    """
    if not results:
        raise ValueError("there are no evaluations to show")
    data = data_names or [_folder(result.data_location) for result in results.values()]
    rows: list[dict[str, Any]] = [
        {
            "metrics": _named(_of_slice(result.slicing_metrics, slice_key), class_names),
            "config": {"modelIdentifier": name, "dataIdentifier": measured_on},
        }
        for (name, result), measured_on in zip(results.items(), data, strict=True)
    ]
    kept = None if metrics is None else _checked(metrics, rows)
    rows = [{**row, "metrics": _only(row["metrics"], kept)} for row in rows]
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
    element: str,
    choices: Mapping[str, Mapping[str, Any]],
    title: str,
    height: int,
    *,
    config: Mapping[str, Any],
    selected: Sequence[str] = (),
    names: Mapping[str, str] | None = None,
    weight: str = "",
    show: Sequence[str] = (),
) -> page.View:
    data = {
        "element": element,
        "config": dict(config),
        "choices": {name: dict(choice) for name, choice in choices.items()},
        "label": "Classes",
        "selected": list(selected),
        "names": dict(names or {}),
        "weight": weight,
        "show": list(show),
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
    return COMPONENTS.read_text(encoding="utf-8")


def _named(metrics: Metrics | None, class_names: ClassNames) -> Metrics:
    """Metrics with class names in place of `classId:3`, classes in the order of their ids."""
    named = dict(enumerate(class_names)) if isinstance(class_names, Sequence) else class_names
    if len(set(named.values())) < len(named):
        raise ValueError("two classes have the same name")
    return {
        output: {_name_of(key, named): keys[key] for key in sorted(keys, key=_place)}
        for output, keys in (metrics or {}).items()
    }


def _name_of(key: str, names: Mapping[int, str]) -> str:
    return names.get(int(key.removeprefix(_CLASS)), key) if key.startswith(_CLASS) else key


def _place(key: str) -> tuple[int, str]:
    """Where a sub key stands: none first, then classes by id, then others."""
    number = int(key.removeprefix(_CLASS)) if key.startswith(_CLASS) else 10**9
    return (number if key else -1, key)


def _of_slice(rows: Iterable[tuple[SliceKey, Metrics | None]], slice_key: SliceKey) -> Metrics:
    found = dict(rows)
    if slice_key not in found:
        there = [slicer_lib.stringify_slice_key(key) for key in found]
        wanted = slicer_lib.stringify_slice_key(slice_key)
        raise ValueError(f"no slice {wanted}. There are: {_listed(there)}")
    return found[slice_key] or {}


def _only(metrics: Metrics, kept: Iterable[str] | None) -> Metrics:
    """The metrics that are kept; classes without any are left out."""
    if kept is None:
        return metrics
    names = set(kept)
    fewer = {
        output: {
            key: {name: value for name, value in values.items() if name in names}
            for key, values in keys.items()
        }
        for output, keys in metrics.items()
    }
    return {
        output: {key: values for key, values in keys.items() if values}
        for output, keys in fewer.items()
    }


def _checked(wanted: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    there = {
        name
        for row in rows
        for keys in row["metrics"].values()
        for values in keys.values()
        for name in values
    }
    for name in wanted:
        if name not in there:
            raise ValueError(f"no metric {name!r}. There are: {_listed(there)}")
    return wanted


def _preselected(rows: Sequence[Mapping[str, Any]], selected: Sequence[str] | None) -> list[str]:
    keys = list(
        dict.fromkeys(key for row in rows for keys in row["metrics"].values() for key in keys)
    )
    if selected is None:
        return [key for key in keys if not key] + [key for key in keys if key][:_PRESELECTED]
    for name in selected:
        if name not in keys:
            raise ValueError(f"no class {name!r}. There are: {_listed(filter(None, keys))}")
    return list(selected)


def _weight_of(keys: Mapping[str, Mapping[str, Any]], weight: str) -> dict[str, Any]:
    overall = keys.get("", {})
    return {weight: overall[weight]} if weight in overall else {}


def _drawable(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plots of one class without those that are undefined for it."""
    plots = {
        name: values
        for name, values in data.items()
        if name in {known["metricName"] for known in util._SUPPORTED_PLOT_KEYS.values()}
    }
    if _CURVES in plots:
        first = plots[_CURVES].get("matrices", [{}])[0]

        def count(*names: str) -> float:
            return sum(float(first.get(name, 0)) for name in names)

        if not (
            count("truePositives", "falseNegatives") and count("falsePositives", "trueNegatives")
        ):
            del plots[_CURVES]
    if _CALIBRATION in plots and not any(
        bucket.get("numWeightedExamples") for bucket in plots[_CALIBRATION].get("buckets", [])
    ):
        del plots[_CALIBRATION]
    return util._replace_nan_with_none(plots, util._SUPPORTED_PLOT_KEYS)


def _folder(location: str) -> str:
    return Path(location).name or location


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(map(str, names))) or "none"
