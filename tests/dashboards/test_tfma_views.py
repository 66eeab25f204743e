"""The data of TFMA's views, and their errors."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import tensorflow_model_analysis as tfma

import dashboards
from dashboards import View
from tests.data.tiny_evaluation import CLASS_NAMES, ROWS, SLICES


def page_data(view: View) -> dict[str, Any]:
    """Return the data that the page contains."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', view.page)
    assert found
    return json.loads(found[1])


def test_slices_show_names_of_classes(evaluation: tfma.EvalResult) -> None:
    page = page_data(dashboards.slicing_metrics(evaluation, class_names=CLASS_NAMES))
    rows = page["choices"][""]["data"]
    assert [row["slice"] for row in rows] == ["Overall", *sorted(f"group:{s}" for s in SLICES)]
    for row in rows:
        assert list(row["metrics"][""]) == ["", *CLASS_NAMES]
    assert rows[0]["metrics"][""][""]["example_count"] == {"doubleValue": ROWS}
    assert page["selected"] == ["", *CLASS_NAMES]
    assert page["weight"] == "example_count"


def test_a_class_without_a_name_keeps_its_id(evaluation: tfma.EvalResult) -> None:
    page = page_data(
        dashboards.slicing_metrics(evaluation, class_names={1: "dog"}, selected=["dog"])
    )
    assert list(page["choices"][""]["data"][0]["metrics"][""]) == [
        *("", "classId:0", "dog", "classId:2")
    ]
    assert page["selected"] == ["dog"]


def test_class_metrics_have_one_row_per_class(evaluation: tfma.EvalResult) -> None:
    page = page_data(
        dashboards.class_metrics(evaluation, class_names=CLASS_NAMES, show="binary_accuracy")
    )
    rows = page["choices"][""]["data"]
    assert [row["slice"] for row in rows] == list(CLASS_NAMES)
    # TFMA does not count the examples of a class, so the count of the slice is shown.
    assert [row["metrics"][""][""]["example_count"]["doubleValue"] for row in rows] == [ROWS] * 3
    assert page["show"] == ["binary_accuracy"]


def test_undefined_plots_are_left_out(evaluation: tfma.EvalResult) -> None:
    choices = page_data(dashboards.plot(evaluation, class_names=CLASS_NAMES, selected="dog"))[
        "choices"
    ]
    assert list(choices) == ["dog", "all", "cat", "emu"]
    assert sorted(choices["dog"]["data"]) == [
        "calibrationHistogramBuckets",
        "confusionMatrixAtThresholds",
    ]
    assert list(choices["emu"]["data"]) == ["calibrationHistogramBuckets"]
    assert list(choices["all"]["data"]) == ["multiLabelConfusionMatrixAtThresholds"]
    assert choices["cat"]["config"] == {"sliceName": "Overall, cat"}


def test_time_series_show_the_given_names(evaluation: tfma.EvalResult) -> None:
    page = page_data(
        dashboards.time_series(
            {"2026-01-01": evaluation, "2026-01-02": evaluation},
            class_names=CLASS_NAMES,
            slice_key=(("group", "a"),),
            data_names=["span 1", "span 2"],
        )
    )
    rows = page["choices"][""]["data"]
    assert [row["config"] for row in rows] == [
        {"modelIdentifier": "2026-01-01", "dataIdentifier": "span 1"},
        {"modelIdentifier": "2026-01-02", "dataIdentifier": "span 2"},
    ]
    assert list(rows[0]["metrics"][""]) == ["", *CLASS_NAMES]


@pytest.mark.parametrize(
    ("view", "options", "message"),
    [
        (
            "slicing_metrics",
            {"selected": ["cow"], "class_names": CLASS_NAMES},
            "class 'cow' does not exist. Choose one of: cat, dog, emu",
        ),
        ("slicing_metrics", {"class_names": ["cat", "cat"]}, "two classes have the same name"),
        (
            "class_metrics",
            {"slice_key": (("group", "c"),)},
            "slice group:c does not exist. Choose one of: Overall",
        ),
        ("plot", {"selected": "cow"}, "'cow' has no plots. Choose one of: all, classId:0"),
    ],
)
def test_unknown_names_are_errors(
    evaluation: tfma.EvalResult, view: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(dashboards, view)(evaluation, **options)


def test_time_series_need_an_evaluation() -> None:
    with pytest.raises(ValueError, match="there are no evaluations to show"):
        dashboards.time_series({})


@pytest.mark.parametrize("names", [(), CLASS_NAMES])
def test_data_never_become_html(evaluation: tfma.EvalResult, names: Sequence[str]) -> None:
    view = dashboards.slicing_metrics(evaluation, class_names=names, title="</title><b>")
    assert "<img" not in view.page.split('id="data"')[1].split("</script>")[0]
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in view.page
    frame = view._repr_html_()
    assert frame.count("<") == 4  # the tags of the style and of the frame
    assert html.unescape(frame.split('srcdoc="')[1].split('"')[0]) == view.standalone()
