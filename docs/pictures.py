"""Take the screenshots of the model report, the web page and the dashboards in the documents.

    .venv/bin/python -m docs.pictures [--output DIR]

Run the pipeline on the bundled sample first. If no Chromium or Chrome is installed, `make browser`
downloads one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from schema.streams import import_tensorflow

# The messages that TensorFlow prints at import would come before the help.
import_tensorflow()

import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from playwright.sync_api import Browser, sync_playwright

import dashboards
from bootstrap import browser
from components.evaluator.verdict import read_verdict
from pipeline.past_runs import PastRuns, find_output
from schema import command
from schema.errors import UserError
from schema.features import GENRES_FIELD, LIST_SEPARATOR
from schema.names import (
    MODEL_NAME,
    MODEL_REPORT_FILE,
    SERVING_DIRECTORY,
    STATISTICS_FILE,
    Node,
    Split,
)
from serving.server import Server, ServerConfig

DOCS_DIRECTORY = Path(__file__).resolve().parent


class Screenshot(NamedTuple):
    """A screenshot of an HTML page.

    Attributes:
        file: Path of the PNG file that is written.
        url: URL of the HTML page.
        ready: CSS selector of an element that exists once the page has been drawn.
        size: Width and height of the screen, in pixels.
        scroll_to: CSS selector of the element at the top of the screenshot.
        colour_scheme: Colour scheme of the page.
        button: Name of a button that is pressed first; empty for none.
    """

    file: Path
    url: str
    ready: str
    size: tuple[int, int]
    scroll_to: str = "h1"
    colour_scheme: Literal["light", "dark"] = "light"
    button: str = ""


def report_screenshots(runs: PastRuns) -> list[Screenshot]:
    """Return screenshots of two sections of the newest model report."""
    report = (runs.newest(Node.MODEL_REPORT, "report").path / MODEL_REPORT_FILE).as_uri()
    ready = "html[data-ready=yes]"
    return [
        Screenshot(DOCS_DIRECTORY / "report.png", report, ready, (1200, 1750)),
        Screenshot(
            DOCS_DIRECTORY / "report-dark.png", report, ready, (1000, 1200), "#thresholds", "dark"
        ),
    ]


def dashboard_screenshots(runs: PastRuns, directory: Path) -> list[Screenshot]:
    """Write two dashboards to a directory and return screenshots of them."""
    evaluation = str(runs.newest(Node.EVALUATOR, "evaluation").path)
    # The evaluation also contains the last blessed model if there is one.
    is_compared = len(tfma.load_eval_result(evaluation).config.model_specs) > 1
    result = tfma.load_eval_result(
        evaluation, model_name=tfma.CANDIDATE_KEY if is_compared else None
    )
    statistics = runs.newest(Node.STATISTICS_GEN, "statistics").path
    splits = {
        split: tfdv.load_stats_binary(str(statistics / f"Split-{split}" / STATISTICS_FILE))
        for split in Split
    }
    genres = read_verdict(runs.newest(Node.EVALUATOR, "blessing").path).genre_names
    by_genre = dashboards.class_metrics(
        result, class_names=genres, weight="support", show="f1_score", title="Metrics by genre"
    ).save(directory / "metrics.html")
    side_by_side = dashboards.statistics(
        splits, separators={GENRES_FIELD: LIST_SEPARATOR}, title="Statistics by split"
    ).save(directory / "statistics.html")
    metrics_png, statistics_png = (
        DOCS_DIRECTORY / "images" / f"{name}.png"
        for name in ("metrics-by-genre", "statistics-by-split")
    )
    return [
        Screenshot(metrics_png, by_genre.as_uri(), "tfma-slice-overview .marks rect", (1200, 820)),
        Screenshot(
            statistics_png, side_by_side.as_uri(), "facets-overview-chart svg rect", (1200, 820)
        ),
    ]


@contextmanager
def web_page_screenshot(runs: PastRuns) -> Iterator[Screenshot]:
    """Serve the pushed model with the web page, and yield a screenshot of the page."""
    directory = runs.output / SERVING_DIRECTORY / MODEL_NAME
    server = Server(ServerConfig(model_name=MODEL_NAME, model_base_path=directory))
    command = [
        *(sys.executable, "-m", "cli", "web"),
        *("--port", "0", "--grpc", server.grpc_address),
    ]
    page = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        url = page.stdout.readline().removeprefix("web page on ").strip()
        explained = "#effects:not([hidden])"
        file, size = DOCS_DIRECTORY / "web-page.png", (1200, 1690)
        yield Screenshot(file, url, explained, size, scroll_to="body", button="Stagecoach")
    finally:
        page.terminate()
        server.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; raise a `UserError` if there is none."""
    with sync_playwright() as playwright:
        path = browser.find(DOCS_DIRECTORY.parent)
        if path is None:
            raise UserError(browser.reason_for_none())
        # Chromium does not run as root with its sandbox.
        arguments = [] if os.getuid() else ["--no-sandbox"]
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


def take_screenshot(chrome: Browser, screenshot: Screenshot) -> None:
    """Take a screenshot, write it to its file and print the path."""
    width, height = screenshot.size
    page = chrome.new_page(
        viewport={"width": width, "height": height},
        color_scheme=screenshot.colour_scheme,
        # The web page allows no style that is added.
        bypass_csp=True,
    )
    page.goto(screenshot.url)
    if screenshot.button:
        page.get_by_role("button", name=screenshot.button).click()
    page.locator(screenshot.ready).first.wait_for(state="attached")
    # The dashboards draw more bars after the first one.
    page.wait_for_timeout(1000)
    page.locator(screenshot.scroll_to).first.evaluate("element => element.scrollIntoView()")
    page.screenshot(path=screenshot.file)
    page.close()
    print(screenshot.file)


def main() -> int:
    """Take all screenshots.

    Returns:
        Exit status: 0, or 2 if there is no run or no Chromium.
    """
    parser = argparse.ArgumentParser(description="Take the screenshots that the documents show.")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="output directory of a run (default: that of the newest run in the checkout)",
    )
    options = parser.parse_args()

    def take_screenshots() -> None:
        runs = PastRuns(find_output(options.output))
        with (
            tempfile.TemporaryDirectory() as directory,
            web_page_screenshot(runs) as web_page,
            chromium() as chrome,
        ):
            for screenshot in (
                web_page,
                *report_screenshots(runs),
                *dashboard_screenshots(runs, Path(directory)),
            ):
                take_screenshot(chrome, screenshot)

    return command.run(take_screenshots)


if __name__ == "__main__":
    sys.exit(main())
