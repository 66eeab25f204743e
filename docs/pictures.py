"""Makes the pictures of a run's report and dashboards that the documents show.

    .venv/bin/python docs/pictures.py [--output DIR]

Needs a run of the pipeline on the bundled sample, and Chromium.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from playwright.sync_api import Browser, sync_playwright

import dashboards
from pipeline.past_runs import PastRuns, find_output
from schema import command
from schema.errors import UserError
from schema.genres import GENRES
from schema.names import MODEL_REPORT_FILE, STATISTICS_FILE, Node, Split

DOCS = Path(__file__).resolve().parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class Picture(NamedTuple):
    """What a picture shows.

    Attributes:
        file: where it goes.
        page: what is opened.
        drawn: selector of what is there once the page has been drawn.
        size: width and height of the screen, in pixels.
        place: selector of what is scrolled to.
        scheme: colours.
    """

    file: Path
    page: Path
    drawn: str
    size: tuple[int, int]
    place: str = "h1"
    scheme: Literal["light", "dark"] = "light"


def of_report(runs: PastRuns) -> list[Picture]:
    """The newest report of a model, at two places."""
    report = runs.newest(Node.MODEL_REPORT, "report").path / MODEL_REPORT_FILE
    drawn = "html[data-ready=yes]"
    return [
        Picture(DOCS / "report.png", report, drawn, (1000, 1450)),
        Picture(DOCS / "report-dark.png", report, drawn, (1000, 1200), "#decisions", "dark"),
    ]


def of_dashboards(runs: PastRuns, folder: Path) -> list[Picture]:
    """Two dashboards, whose pages are written into a folder."""
    evaluation = str(runs.newest(Node.EVALUATOR, "evaluation").path)
    several = len(tfma.load_eval_result(evaluation).config.model_specs) > 1
    result = tfma.load_eval_result(evaluation, model_name=tfma.CANDIDATE_KEY if several else None)
    statistics = runs.newest(Node.STATISTICS_GEN, "statistics").path
    splits = {
        split: tfdv.load_stats_binary(str(statistics / f"Split-{split}" / STATISTICS_FILE))
        for split in Split
    }
    by_genre = dashboards.class_metrics(
        result, class_names=GENRES, weight="support", show="f1_score", title="Metrics by genre"
    ).save(folder / "metrics.html")
    side_by_side = dashboards.statistics(splits, title="Statistics by split").save(
        folder / "statistics.html"
    )
    metrics_png, statistics_png = (
        DOCS / "images" / f"{name}.png" for name in ("metrics-by-genre", "statistics-by-split")
    )
    return [
        Picture(metrics_png, by_genre, "tfma-slice-overview .marks rect", (1200, 820)),
        Picture(statistics_png, side_by_side, "facets-overview-chart svg rect", (1200, 820)),
    ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; a `UserError` where there is none."""
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path)
        if not Path(found).exists():
            raise UserError("there is no Chromium: install it")
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


def take(browser: Browser, picture: Picture) -> None:
    """Take a picture and say where it is."""
    width, height = picture.size
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=picture.scheme
    )
    page.goto(picture.page.as_uri())
    page.locator(picture.drawn).first.wait_for(state="attached")
    # Dashboards go on for a moment after the first bar.
    page.wait_for_timeout(1000)
    # Where the run was is of no interest to others.
    page.add_style_tag(content="p.soft:not(.key) { display: none }")
    page.locator(picture.place).first.evaluate("element => element.scrollIntoView()")
    page.screenshot(path=picture.file)
    page.close()
    print(picture.file)


def main() -> int:
    """Take each picture.

    Returns:
        The exit status: 0, or 2 where there is no run or no Chromium.
    """
    parser = argparse.ArgumentParser(description="Make the pictures that the documents show.")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="output directory of a run (default: of the newest in the checkout)",
    )
    options = parser.parse_args()

    def take_all() -> None:
        runs = PastRuns(find_output(options.output))
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            for picture in (*of_report(runs), *of_dashboards(runs, Path(folder))):
                take(browser, picture)

    return command.run(take_all)


if __name__ == "__main__":
    sys.exit(main())
