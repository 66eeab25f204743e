"""The report of a real run as people see it: in Chromium, from disk, without a network.

Skipped where there is no Chromium on the machine. ORDAINED_SCREENSHOTS=DIR keeps pictures.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from components.evaluator.verdict import read_verdict
from schema.verdict import Verdict
from tests.data.chromium import PATIENCE, chromium
from tests.end_to_end.project import Project, Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def output(first_run: tuple[Project, Run]) -> Path:
    """The output directory as the first run left it, whatever other tests do to it."""
    return first_run[0].folder / "kept" / "output"


@pytest.fixture(scope="module")
def verdict(output: Path) -> Verdict:
    [blessing] = (output / "artifacts" / "Evaluator" / "blessing").iterdir()
    return read_verdict(blessing)


@pytest.fixture(scope="module")
def page(output: Path) -> Iterator[Page]:
    """The report with all charts drawn; whatever it asks for beside itself is refused and told."""
    [report] = (output / "artifacts" / "ModelReport" / "report").glob("*/report.html")
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(PATIENCE)
        shown = context.new_page()
        problems: list[str] = []
        asked: list[str] = []
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.on("console", lambda line: problems.append(line.text) if line.type == "error" else 0)
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(report.as_uri())
        shown.wait_for_selector("html[data-ready=yes]", state="attached")
        yield shown
        if folder := os.environ.get("ORDAINED_SCREENSHOTS"):
            shown.screenshot(path=f"{folder}/report.png", full_page=True)
    assert problems == []
    assert [url for url in asked if not url.startswith((report.as_uri(), "data:", "blob:"))] == []


def marks(page: Page, chart: str, trace: int) -> int:
    """Points of a trace that were drawn in a chart of points."""
    plot = page.locator(f'[data-figure="{chart}"]')
    return plot.locator(".scatterlayer .trace").nth(trace).locator(".point").count()


def test_every_genre_is_drawn_with_its_f1(page: Page, verdict: Verdict) -> None:
    plot = page.locator('[data-figure="f1"]')
    labels = plot.locator(".ytick text").all_text_contents()
    assert sorted(labels) == sorted(f"{row.genre} ({row.support})" for row in verdict.genres)
    legend = plot.locator(".legendtext").all_text_contents()
    assert legend == ["floor", "simple baseline", "this model, with 95% interval"]
    assert [marks(page, "f1", trace) for trace in range(3)] == [len(verdict.genres)] * 3
    assert plot.locator(".errorbar").count() == len(verdict.genres)
    drawn = page.evaluate(
        """() => { const [model] = document.querySelector('[data-figure="f1"]').data.slice(-1);
                   const points = document.querySelector('[data-figure="f1"]').calcdata.at(-1);
                   return [model.y, points.map(point => point.x)]; }"""
    )
    f1 = {f"{row.genre} ({row.support})": row.f1 for row in verdict.genres}
    assert dict(zip(*drawn, strict=True)) == pytest.approx(f1)


def test_every_chart_is_drawn(page: Page, verdict: Verdict) -> None:
    present = sum(row.support > 0 for row in verdict.genres)
    plots = page.locator(".plot")
    # The splits of this small catalogue are too small to be compared: no chart of distances.
    assert plots.count() == 2 * present + 9
    assert page.locator(".plot .main-svg").count() >= plots.count()
    for heat in ("confusion", "together-true", "together-predicted", "slices"):
        image = page.locator(f'[data-figure="{heat}"] .heatmaplayer image')
        assert image.count() == 1
        box = image.bounding_box()
        assert box
        assert box["width"] > 300
        assert box["height"] > 100
    bars = page.locator('[data-figure="time"] .barlayer .point')
    # All nodes but the report itself.
    assert bars.count() == 16


def test_axes_have_names_and_units(page: Page) -> None:
    titles = {
        "f1": ("F1 on the test split (0 to 1)", "genre (test movies)"),
        "confusion": ("genre given without reason", "genre missed (test movies that have it)"),
        "time": ("time (seconds)", "node"),
        "losses": ("epoch", "loss (nats)"),
    }
    for chart, (x, y) in titles.items():
        plot = page.locator(f'[data-figure="{chart}"]')
        assert plot.locator(".xtitle").text_content() == x
        assert plot.locator(".ytitle").text_content() == y


def test_the_page_follows_the_colours_of_the_system(page: Page) -> None:
    def colours() -> tuple[str, str]:
        return (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.evaluate(
                """getComputedStyle(document.querySelector('[data-figure="f1"] .xtitle')).fill"""
            ),
        )

    assert colours() == ("rgb(255, 255, 255)", "rgb(31, 35, 40)")
    page.emulate_media(color_scheme="dark")
    expect(page.locator('[data-figure="f1"] .xtitle')).to_have_css("fill", "rgb(230, 232, 235)")
    assert colours()[0] == "rgb(22, 25, 29)"
    page.emulate_media(color_scheme="light")


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    for chart in ("f1", "confusion", "together-true", "time"):
        drawn = page.locator(f'[data-figure="{chart}"] .main-svg').first
        # As wide as the screen, less the margins.
        expect(drawn).to_have_css("width", re.compile(r"^3[67]\d"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": 1400, "height": 900})


def test_it_tells_what_the_run_measured(page: Page, output: Path, verdict: Verdict) -> None:
    [training] = (output / "artifacts" / "Trainer" / "model_run").glob("*/training.json")
    recorded = json.loads(training.read_text())
    text = page.locator("body").inner_text()
    assert f"{recorded['parameters']:,} parameters" in text
    assert f"{verdict.macro_f1:.3f}\nmacro-F1" in text
    [folder] = (output / "serving" / "movie_genres").glob("[0-9]*")
    begin = page.locator("#verdict").inner_text()
    assert begin.startswith(f"Blessed, and pushed as version {folder.name}")
    counts = page.locator("#data table").first.inner_text().splitlines()[1]
    assert sum(int(count) for count in counts.split("\t")[1:]) == 302
