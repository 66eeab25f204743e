"""Takes the pictures of the dashboards in docs/images: `python docs/screenshots.py [OUTPUT]`.

OUTPUT is the output directory of a run; without it the newest run in the checkout is taken. Needed
is Chromium on the PATH.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from playwright.sync_api import sync_playwright

import dashboards
from pipeline.past_runs import PastRuns, find_output
from schema.errors import UserError
from schema.genres import GENRES

IMAGES = Path(__file__).resolve().parent / "images"


def views(runs: PastRuns) -> dict[str, tuple[dashboards.View, str]]:
    """What is shown, by the name of its picture, with what has to be there before it is taken."""
    evaluation = str(runs.newest("Evaluator", "evaluation").path)
    several = len(tfma.load_eval_result(evaluation).config.model_specs) > 1
    result = tfma.load_eval_result(evaluation, model_name=tfma.CANDIDATE_KEY if several else None)
    statistics = runs.newest("StatisticsGen", "statistics").path
    splits = {
        split: tfdv.load_stats_binary(str(statistics / f"Split-{split}" / "FeatureStats.pb"))
        for split in ("train", "eval", "test")
    }
    by_genre = dashboards.class_metrics(
        result, class_names=GENRES, weight="support", show="f1_score", title="Metrics by genre"
    )
    side_by_side = dashboards.statistics(splits, title="Statistics by split")
    return {
        "metrics-by-genre": (by_genre, "tfma-slice-overview .marks rect"),
        "statistics-by-split": (side_by_side, "facets-overview-chart svg rect"),
    }


def main() -> int:
    """Take the pictures; the exit status is 2 after a mistake of the user."""
    try:
        runs = PastRuns(find_output(sys.argv[1] if len(sys.argv) > 1 else None))
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if not chromium:
            raise UserError("Chromium is not on the PATH: install it")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (view, drawn) in views(runs).items():
            page = browser.new_page(viewport={"width": 1200, "height": 820}, color_scheme="light")
            page.goto(view.save(Path(folder) / f"{name}.html").as_uri())
            page.locator(drawn).first.wait_for()
            page.wait_for_timeout(1000)
            page.screenshot(path=IMAGES / f"{name}.png")
            print(IMAGES / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
