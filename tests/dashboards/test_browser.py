"""The dashboards in Chromium without a network: in files, in iframes, and with VS Code's policy.

Without a browser, the tests are skipped, or fail where `CI` is set.
ORDAINED_SCREENSHOTS=DIR saves screenshots.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

import dashboards
from dashboards import View
from tests.data.chromium import chromium, open_page
from tests.data.tiny_evaluation import CLASS_NAMES, HTML_SLICE, ROWS, labels_and_predictions

VSCODE_POLICY = (
    "default-src 'none'; script-src 'self' https://*.vscode-cdn.net 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' https://*.vscode-cdn.net 'unsafe-inline'; "
    "img-src 'self' https://*.vscode-cdn.net https: http: data:; "
    "font-src 'self' https://*.vscode-cdn.net https:; connect-src https:; child-src https: data:;"
)
"""Content security policy of the page in which VS Code shows the outputs of notebooks."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page in the screen size and colour scheme that the test is parameterized with."""
    with open_page(browser, request, ("file:", "data:", "about:")) as page:
        yield page


def open_view(page: Page, view: View, directory: Path) -> Page:
    """Save a view and open the file."""
    page.goto(view.save(directory / "view.html").as_uri())
    return page


def columns(table: Locator) -> dict[str, list[str]]:
    """Return the cells of a table by column name, once it has a row."""
    expect(table.locator("tbody tr").first).to_be_visible()
    heads = table.locator("th").all_inner_texts()
    rows = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    return {head: [row[i] for row in rows] for i, head in enumerate(heads)}


def heights(bars: Locator) -> list[float]:
    """Return the heights of bars as shares of the highest."""
    values = [float(bar.get_attribute("height") or "nan") for bar in bars.all()]
    return [value / max(values) for value in values]


def accuracies() -> list[float]:
    labels, predictions = labels_and_predictions()
    return list(((predictions > 0.5) == labels).mean(axis=0))


def slice_bars(root: Page | FrameLocator, count: int) -> Locator:
    bars = root.locator("tfma-slice-overview .marks rect")
    expect(bars).to_have_count(count)
    return bars


def assert_classes_are_drawn(root: Page | FrameLocator) -> None:
    """Assert that the bars and the table show the accuracy of each class by its name."""
    assert heights(slice_bars(root, 3)) == pytest.approx(np.divide(accuracies(), max(accuracies())))
    labels = root.locator("tfma-slice-overview .h-axis text")
    assert [label.evaluate("e => e.firstChild.textContent") for label in labels.all()] == list(
        CLASS_NAMES
    )
    table = columns(root.locator("tfma-metrics-table table"))
    assert table["feature"] == list(CLASS_NAMES)
    assert table["binary_accuracy"] == [f"{accuracy:.5f}" for accuracy in accuracies()]
    assert table["example_count"] == [str(ROWS)] * 3


def test_class_metrics(page: Page, evaluation: tfma.EvalResult, tmp_path: Path) -> None:
    view = dashboards.class_metrics(evaluation, class_names=CLASS_NAMES, show="binary_accuracy")
    assert_classes_are_drawn(open_view(page, view, tmp_path))
    page.get_by_label("Visualization").first.click()
    page.get_by_text("Metrics Histogram").click()
    counts = page.locator("tfma-metrics-histogram .notes text")
    expect(counts).to_have_count(10)
    assert sum(map(int, counts.all_text_contents())) == 3
    page.locator("tfma-metrics-table tbody tr").first.click()
    expect(page.locator("tfma-metrics-histogram rect.highlighted")).to_have_count(1)


@pytest.mark.parametrize("policy", ["", VSCODE_POLICY], ids=["html", "vscode"])
def test_views_in_an_iframe(
    page: Page, evaluation: tfma.EvalResult, tmp_path: Path, policy: str
) -> None:
    view = dashboards.class_metrics(evaluation, class_names=CLASS_NAMES, show="binary_accuracy")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"year": [1931.0, 1948.0]}))
    facets = dashboards.statistics({"train": statistics, "test": statistics})
    (tmp_path / "page.html").write_text(
        f"<!doctype html><html><head>{meta}</head>"
        f"<body>{view._repr_html_()}{facets._repr_html_()}</body></html>"
    )
    page.goto((tmp_path / "page.html").as_uri())
    assert_classes_are_drawn(page.frame_locator("iframe >> nth=0"))
    assert_facets_are_drawn(page.frame_locator("iframe >> nth=1"), ["train", "test"])


def test_slicing_metrics_with_selected_classes(
    page: Page, evaluation: tfma.EvalResult, tmp_path: Path
) -> None:
    view = dashboards.slicing_metrics(evaluation, class_names=CLASS_NAMES, selected=["dog"])
    open_view(page, view, tmp_path)
    picker = page.get_by_label("Classes")
    expect(picker).to_have_value("dog")
    counts = [ROWS, ROWS // 3, ROWS // 3, ROWS // 3]
    assert heights(slice_bars(page, 4)) == pytest.approx(np.divide(counts, ROWS))
    table = columns(page.locator("tfma-metrics-table table"))
    # The number of examples belongs to "No class", which is not selected.
    assert table["example_count"] == list(map(str, counts))
    assert table["binary_accuracy"][0] == f"{accuracies()[1]:.5f}"
    # The name of a slice is always shown as text.
    assert f"group:{HTML_SLICE}" in table["feature"]
    assert page.title() == "Metrics by slice"

    picker.click()
    page.get_by_role("option", name="cat", exact=True).click()
    page.keyboard.press("Escape")
    expect(picker).to_have_value("dog, cat")
    expect(page.locator("th", has_text="cat/binary_accuracy")).to_be_visible()
    table = columns(page.locator("tfma-metrics-table table"))
    assert table["cat/binary_accuracy"][0] == f"{accuracies()[0]:.5f}"

    head = page.locator("th", has_text="cat/binary_accuracy")
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    sorted_cells = columns(page.locator("tfma-metrics-table table"))["cat/binary_accuracy"]
    assert sorted_cells == sorted(table["cat/binary_accuracy"], key=float)


def test_plots(page: Page, evaluation: tfma.EvalResult, tmp_path: Path) -> None:
    open_view(page, dashboards.plot(evaluation, class_names=CLASS_NAMES, selected="dog"), tmp_path)
    labels, predictions = labels_and_predictions()
    buckets = np.unique((predictions[:, 1] * 50).astype(int))
    expect(page.locator("tfma-plot h4")).to_have_text("Plot for Overall, dog")
    expect(page.locator("tfma-calibration-plot .marks circle")).to_have_count(len(buckets))
    expect(page.locator("paper-tab")).to_have_text(
        [
            *("Calibration Plot", "Residual Plot", "Prediction Distribution"),
            *("Precision-Recall Curve", "ROC Curve", "Acc/P/R/F1", "Gain"),
        ]
    )

    def tab(name: str) -> None:
        page.locator("paper-tab", has_text=name).click()

    tab("Residual Plot")
    residual = page.locator("tfma-residual-plot")
    # Each bucket with an example has a count. Empty buckets have no residual.
    expect(residual.locator(".marks path[fill='#009e73']")).to_have_count(len(buckets))
    expect(residual.locator(".v-axis text[font-style]")).to_have_text(
        [re.compile("^Residual"), re.compile("^Sample Count")]
    )
    tab("Prediction Distribution")
    distribution = page.locator("tfma-prediction-distribution")
    expect(distribution.locator(".marks rect")).to_have_count(16)
    counts = np.histogram(predictions[:, 1], np.linspace(0, 1, 17))[0]
    drawn = heights(distribution.locator(".marks rect"))
    # TFMA adds each bucket to the bar that contains its mean.
    assert drawn == pytest.approx(counts / counts.max(), abs=0.35)
    expect(distribution.locator(".legend")).to_have_text("PositiveNegative")
    for name, element in (
        ("Precision-Recall Curve", "tfma-precision-recall-curve#pr"),
        ("ROC Curve", "tfma-roc-curve"),
        ("Acc/P/R/F1", "tfma-accuracy-charts"),
        ("Gain", "tfma-gain-chart"),
    ):
        tab(name)
        expect(page.locator(f"{element} .marks path").first).to_be_visible()
    x_axis = page.locator("tfma-roc-curve .h-axis text[font-style]")
    expect(x_axis).to_have_text("False Positive Rate")

    # No example is an emu, so curves by threshold are undefined and left out.
    page.locator("#choice select").select_option("emu")
    expect(page.locator("tfma-plot h4")).to_have_text("Plot for Overall, emu")
    expect(page.locator("paper-tab")).to_have_text(
        ["Calibration Plot", "Residual Plot", "Prediction Distribution"]
    )
    page.locator("#choice select").select_option("all")
    expect(page.locator("paper-tab")).to_have_text(["Multi-label Confusion Matrix"])
    matrix = page.locator("tfma-multi-class-confusion-matrix-at-thresholds:visible")
    heads = matrix.locator(".row").first.locator(".cell")
    expect(heads.filter(visible=True)).to_have_text(["Class Id", "Total", *CLASS_NAMES])
    cat_and_cat = matrix.locator(".cell[row='1'][column='2'] .positive")
    both = int(((predictions[:, 0] > 0.5) & (labels[:, 0] > 0.5)).sum())
    expect(cat_and_cat).to_have_text(str(both))


def test_time_series(page: Page, evaluation: tfma.EvalResult, tmp_path: Path) -> None:
    view = dashboards.time_series(
        {"2026-01-02": evaluation, "2026-01-01": evaluation},
        class_names=CLASS_NAMES,
        selected=["cat", "dog"],
        show=["dog/binary_accuracy", "cat/binary_accuracy"],
        data_names=["test", "test"],
    )
    open_view(page, view, tmp_path)
    charts = page.locator("tfma-line-chart")
    expect(charts).to_have_count(2)
    expect(charts.first.locator(".marks circle")).to_have_count(2)
    expect(charts.first.locator(".v-axis text[font-style]")).to_have_text("dog/binary_accuracy" * 2)
    expect(charts.first.locator(".h-axis text")).to_have_text(["2026-01-01", "2026-01-02"])
    table = columns(page.locator("tfma-metrics-table table"))
    assert table["Model"] == ["2026-01-02", "2026-01-01"]
    assert table["dog/binary_accuracy"] == [f"{accuracies()[1]:.5f}"] * 2
    charts.first.locator(".marks circle").last.hover()
    expect(charts.first.locator(".tip")).to_have_text(
        f"Model 2026-01-01 at Data test\ndog/binary_accuracy: {accuracies()[1]:.6g}"
    )


def assert_facets_are_drawn(root: Page | FrameLocator, names: list[str]) -> None:
    """Assert that Facets shows the names of the data sets, one numeric feature and bars."""
    overview = root.locator("facets-overview")
    expect(overview.get_by_text("Numeric Features (1)")).to_be_visible()
    for name in names:
        expect(overview.get_by_text(name, exact=True).first).to_be_visible()
    expect(overview.get_by_text("year", exact=True).first).to_be_visible()
    expect(overview.locator("facets-overview-chart svg rect").first).to_be_visible()


NARROW_AND_DARK = pytest.mark.parametrize(
    "page", [{"width": 400, "scheme": "dark"}], indirect=True, ids=["dark-400"]
)


@NARROW_AND_DARK
def test_slicing_metrics_on_a_narrow_dark_screen(
    page: Page, evaluation: tfma.EvalResult, tmp_path: Path
) -> None:
    view = dashboards.slicing_metrics(
        evaluation, class_names=CLASS_NAMES, show="dog/binary_accuracy"
    )
    open_view(page, view, tmp_path)
    slice_bars(page, 4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    css_filter = "getComputedStyle(document.documentElement).filter"
    assert page.evaluate(css_filter) == "invert(0.92) hue-rotate(180deg)"


def test_statistics(page: Page, tmp_path: Path) -> None:
    frames = {"train": [1931.0, 1948.0, 1999.0], "eval": [1999.0], "test": [1931.0]}
    statistics = {
        name: tfdv.generate_statistics_from_dataframe(pd.DataFrame({"year": years}))
        for name, years in frames.items()
    }
    view = dashboards.statistics(statistics)
    open_view(page, view, tmp_path)
    assert_facets_are_drawn(page, list(frames))
    expect(page.locator("#percentbox").first).to_have_attribute("aria-checked", "true")
    years = [int(tick) for tick in page.locator(".x-axis text, #xaxis text").all_text_contents()]
    assert len(set(years)) == len(years) > 1
    # The theme of the notebook decides, not that of the system.
    page.emulate_media(color_scheme="dark")
    page.set_content(f'<body data-jp-theme-light="true">{view._repr_html_()}</body>')
    frame = page.locator("iframe")
    expect(frame).to_have_css("filter", "none")
    page.emulate_media(color_scheme="light")
    expect(frame).to_have_css("filter", "none")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    expect(frame).to_have_css("filter", view.dark_filter)
    inside = frame.content_frame.locator("html")
    expect(inside).to_have_css("filter", "none")


@NARROW_AND_DARK
def test_statistics_on_a_narrow_dark_screen(page: Page, tmp_path: Path) -> None:
    years = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"year": [1931.0, 1948.0]}))
    open_view(page, dashboards.statistics({"train": years, "test": years}), tmp_path)
    assert_facets_are_drawn(page, ["train", "test"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    scroll = page.locator("#scroll")
    scroll.evaluate("element => element.scrollTo(1000, 0)")
    assert scroll.evaluate("element => element.scrollLeft") >= 960 - 400
    css_filter = "getComputedStyle(document.documentElement).filter"
    assert page.evaluate(css_filter) == "invert(0.95) brightness(2) hue-rotate(180deg)"
