"""The report of a real run in Chromium, without a network.

Without a browser, the tests are skipped, or fail where `CI` is set.
ORDAINED_SCREENSHOTS=DIR saves screenshots.
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
from tests.data.chromium import TIMEOUT_MILLISECONDS, chromium
from tests.end_to_end.project import Project, Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def output(first_run: tuple[Project, Run]) -> Path:
    """A copy of the output directory after the first run, which no other test changes."""
    return first_run[0].directory / "snapshot" / "output"


@pytest.fixture(scope="module")
def verdict(output: Path) -> Verdict:
    [blessing] = (output / "artifacts" / "Evaluator" / "blessing").iterdir()
    return read_verdict(blessing)


@pytest.fixture(scope="module")
def page(output: Path) -> Iterator[Page]:
    """The report with all charts drawn. The fixture fails if the page loads anything."""
    [report] = (output / "artifacts" / "ModelReport" / "report").glob("*/report.html")
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        report_page = context.new_page()
        problems: list[str] = []
        requested: list[str] = []
        report_page.on("pageerror", lambda error: problems.append(str(error)))
        report_page.on(
            "console", lambda line: problems.append(line.text) if line.type == "error" else 0
        )
        report_page.on("request", lambda request: requested.append(request.url))
        report_page.goto(report.as_uri())
        report_page.wait_for_selector("html[data-ready=yes]", state="attached")
        yield report_page
        if directory := os.environ.get("ORDAINED_SCREENSHOTS"):
            report_page.screenshot(path=f"{directory}/report.png", full_page=True)
    assert problems == []
    assert [
        url for url in requested if not url.startswith((report.as_uri(), "data:", "blob:"))
    ] == []


def count_points(page: Page, chart: str, trace: int) -> int:
    """Return the number of points that were drawn for a trace."""
    plot = page.locator(f'[data-figure="{chart}"]')
    return plot.locator(".scatterlayer .trace").nth(trace).locator(".point").count()


def test_f1_of_every_genre_is_drawn(page: Page, verdict: Verdict) -> None:
    plot = page.locator('[data-figure="f1-by-genre"]')
    labels = plot.locator(".ytick text").all_text_contents()
    assert sorted(labels) == sorted(f"{row.genre} ({row.support})" for row in verdict.genres)
    legend = plot.locator(".legendtext").all_text_contents()
    assert legend == [
        "floor (lowest F1 allowed)",
        "simple baseline",
        "this model with 95% confidence interval",
    ]
    # A genre without test movies has a floor, but no F1.
    present = sum(row.support > 0 for row in verdict.genres)
    assert [count_points(page, "f1-by-genre", trace) for trace in range(3)] == [
        len(verdict.genres),
        present,
        present,
    ]
    assert plot.locator(".errorbar path").count() == present
    drawn = page.evaluate(
        """() => { const plot = document.querySelector('[data-figure="f1-by-genre"]');
                   const x = plot.calcdata.at(-1).map(point => point.x);
                   return [plot.data.at(-1).y, x]; }"""
    )
    f1 = {f"{row.genre} ({row.support})": row.f1 if row.support else None for row in verdict.genres}
    assert dict(zip(*drawn, strict=True)) == pytest.approx(f1)


def test_every_chart_is_drawn(page: Page, verdict: Verdict) -> None:
    present = sum(row.support > 0 for row in verdict.genres)
    plots = page.locator(".plot")
    # The splits of the sample are too small to be compared, so there is no chart of distances.
    assert plots.count() == 2 * present + 10
    assert page.locator(".plot .main-svg").count() >= plots.count()
    for heatmap in (
        "confusion",
        "listed-co-occurrence",
        "predicted-co-occurrence",
        "f1-by-slice",
    ):
        image = page.locator(f'[data-figure="{heatmap}"] .heatmaplayer image')
        assert image.count() == 1
        box = image.bounding_box()
        assert box
        assert box["width"] > 300
        assert box["height"] > 100
    bars = page.locator('[data-figure="node-times"] .barlayer .point')
    # ModelReport itself is not shown.
    assert bars.count() == 16


def test_axes_have_titles_with_units(page: Page) -> None:
    titles = {
        "f1-by-genre": ("F1 on the test split (0 to 1)", "genre (number of test movies)"),
        "confusion": ("wrongly predicted genre", "missed genre (number of test movies)"),
        "node-times": ("time (seconds)", "node"),
        "training-loss": ("epoch", "training loss of the network (nats)"),
        "eval-loss": ("epoch", "eval loss of the model (nats)"),
    }
    for chart, (x, y) in titles.items():
        plot = page.locator(f'[data-figure="{chart}"]')
        assert plot.locator(".xtitle").text_content() == x
        assert plot.locator(".ytitle").text_content() == y


def test_the_page_follows_the_colour_scheme_of_the_system(page: Page) -> None:
    plot = page.locator('[data-figure="f1-by-genre"]')

    def colours() -> tuple[str, str]:
        return (
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            plot.locator(".xtitle").evaluate("element => getComputedStyle(element).fill"),
        )

    assert colours() == ("rgb(255, 255, 255)", "rgb(31, 35, 40)")
    page.emulate_media(color_scheme="dark")
    expect(plot.locator(".xtitle")).to_have_css("fill", "rgb(230, 232, 235)")
    assert colours()[0] == "rgb(22, 25, 29)"
    page.emulate_media(color_scheme="light")


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    for chart in ("f1-by-genre", "training-loss", "node-times"):
        drawn = page.locator(f'[data-figure="{chart}"] .main-svg').first
        # The width of the screen minus the margins.
        expect(drawn).to_have_css("width", re.compile(r"^3[67]\d"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": 1400, "height": 900})


def test_print_shows_whole_tables_and_cards(page: Page) -> None:
    # A page of A4 without its margins.
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    clipped = page.evaluate(
        """() => [...document.querySelectorAll("#gate .scroll, .movie, .card")].filter(
             element => element.scrollWidth > element.clientWidth + 1
               || getComputedStyle(element).overflowX !== "visible").length"""
    )
    assert clipped == 0
    for card in (".card", ".movie", ".verdict"):
        expect(page.locator(card).first).to_have_css("break-inside", "avoid")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1400, "height": 900})


def test_charts_have_texts_and_heat_maps_have_numbers(page: Page) -> None:
    [tree] = page.locator('[data-figure="confusion"]').all()
    text = tree.get_attribute("aria-label")
    assert text
    assert "Highest values: " in text
    shown = page.get_by_role("img", name=text, exact=True)
    expect(shown).to_have_count(1)
    numbers = tree.locator(".heatmap-label text").all_text_contents()
    assert numbers
    assert all(0 < int(number) <= 100 for number in filter(None, numbers))


def test_paths_and_the_command_are_folded_away(page: Page, first_run: tuple[Project, Run]) -> None:
    project, _ = first_run
    body = page.locator("body")
    assert str(project.directory) not in body.inner_text()
    folded = page.locator("#lineage details")
    assert str(project.output) in str(folded.text_content())
    folded.locator("summary").press("Enter")
    expect(folded.get_by_text("command line", exact=True)).to_be_visible()
    folded.locator("summary").press("Enter")


def test_the_page_shows_the_results_of_the_run(page: Page, output: Path, verdict: Verdict) -> None:
    [training] = (output / "artifacts" / "Trainer" / "model_run").glob("*/training.json")
    recorded = json.loads(training.read_text())
    text = page.locator("body").inner_text()
    assert f"{recorded['parameters']:,} parameters" in text
    assert f"{verdict.macro_f1:.3f}\nmacro-F1" in text
    [version] = (output / "serving" / "movie_genres").glob("[0-9]*")
    result = page.locator("#verdict").inner_text()
    assert result.startswith(f"Blessed and pushed as version {version.name}")
    counts = page.locator("#data table").first.inner_text().splitlines()[1]
    assert sum(int(count) for count in counts.split("\t")[1:]) == 302
