"""What TFMA's views are given: names, choices, and errors that say what there is."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import tensorflow_model_analysis as tfma

import dashboards
from dashboards import View
from tests.data.tiny_evaluation import NAMES, ROWS, SLICES


def given(view: View) -> dict[str, Any]:
    """What the page gives the component."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', view.page)
    assert found
    return json.loads(found[1])


def test_slices_have_names_for_classes(evaluation: tfma.EvalResult) -> None:
    page = given(dashboards.slicing_metrics(evaluation, class_names=NAMES))
    rows = page["choices"][""]["data"]
    assert [row["slice"] for row in rows] == ["Overall", *sorted(f"group:{s}" for s in SLICES)]
    for row in rows:
        assert list(row["metrics"][""]) == ["", *NAMES]
    assert rows[0]["metrics"][""][""]["example_count"] == {"doubleValue": ROWS}
    assert page["selected"] == ["", *NAMES]
    assert page["weight"] == "example_count"


def test_a_class_without_a_name_keeps_its_id(evaluation: tfma.EvalResult) -> None:
    page = given(dashboards.slicing_metrics(evaluation, class_names={1: "dog"}, selected=["dog"]))
    assert list(page["choices"][""]["data"][0]["metrics"][""]) == [
        *("", "classId:0", "dog", "classId:2")
    ]
    assert page["selected"] == ["dog"]


def test_classes_are_rows(evaluation: tfma.EvalResult) -> None:
    page = given(dashboards.class_metrics(evaluation, class_names=NAMES, show="binary_accuracy"))
    rows = page["choices"][""]["data"]
    assert [row["slice"] for row in rows] == list(NAMES)
    # TFMA counts no examples by class: the slice's count stands for it.
    assert [row["metrics"][""][""]["example_count"]["doubleValue"] for row in rows] == [ROWS] * 3
    assert page["show"] == ["binary_accuracy"]


def test_plots_that_are_undefined_are_left_out(evaluation: tfma.EvalResult) -> None:
    choices = given(dashboards.plot(evaluation, class_names=NAMES, selected="dog"))["choices"]
    assert list(choices) == ["dog", "all", "cat", "emu"]
    assert sorted(choices["dog"]["data"]) == [
        "calibrationHistogramBuckets",
        "confusionMatrixAtThresholds",
    ]
    assert list(choices["emu"]["data"]) == ["calibrationHistogramBuckets"]
    assert list(choices["all"]["data"]) == ["multiLabelConfusionMatrixAtThresholds"]
    assert choices["cat"]["config"] == {"sliceName": "Overall, cat"}


def test_runs_have_the_names_they_are_given(evaluation: tfma.EvalResult) -> None:
    page = given(
        dashboards.time_series(
            {"2026-01-01": evaluation, "2026-01-02": evaluation},
            class_names=NAMES,
            slice_key=(("group", "a"),),
            data_names=["span 1", "span 2"],
        )
    )
    rows = page["choices"][""]["data"]
    assert [row["config"] for row in rows] == [
        {"modelIdentifier": "2026-01-01", "dataIdentifier": "span 1"},
        {"modelIdentifier": "2026-01-02", "dataIdentifier": "span 2"},
    ]
    assert list(rows[0]["metrics"][""]) == ["", *NAMES]


@pytest.mark.parametrize(
    ("view", "options", "message"),
    [
        (
            "slicing_metrics",
            {"selected": ["cow"], "class_names": NAMES},
            "no class 'cow'. There are: cat, dog, emu",
        ),
        ("slicing_metrics", {"class_names": ["cat", "cat"]}, "two classes have the same name"),
        ("class_metrics", {"slice_key": (("group", "c"),)}, "no slice group:c. There are: Overall"),
        ("plot", {"selected": "cow"}, "no plots of 'cow'. There are: all, classId:0"),
    ],
)
def test_what_is_not_there_is_told(
    evaluation: tfma.EvalResult, view: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(dashboards, view)(evaluation, **options)


def test_no_evaluations_are_told() -> None:
    with pytest.raises(ValueError, match="there are no evaluations to show"):
        dashboards.time_series({})


@pytest.mark.parametrize("names", [(), NAMES])
def test_nothing_in_the_data_becomes_markup(
    evaluation: tfma.EvalResult, names: Sequence[str]
) -> None:
    view = dashboards.slicing_metrics(evaluation, class_names=names, title="</title><b>")
    assert "<img" not in view.page.split('id="data"')[1].split("</script>")[0]
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in view.page
    frame = view._repr_html_()
    assert frame.count("<") == 2  # the frame's own tags
    assert html.unescape(frame.split('srcdoc="')[1].split('"')[0]) == view.standalone()
