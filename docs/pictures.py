"""Makes the pictures of the report that the documents show.

    .venv/bin/python docs/pictures.py [--output DIR] [--report FILE]

Needs a run of the pipeline on the bundled sample, and Chromium.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipeline.show_report import newest
from schema.errors import UserError

DOCS = Path(__file__).resolve().parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PICTURES = {
    # Name: what is scrolled to, colours, width and height in pixels.
    "report.png": ("h1", "light", 1000, 1450),
    "report-dark.png": ("#decisions", "dark", 1000, 1200),
}


def main() -> int:
    """Draw each of `PICTURES`.

    Returns:
        The exit status: 0, or 2 where there is no run or no Chromium.
    """
    parser = argparse.ArgumentParser(description="Make the pictures of the report.")
    parser.add_argument("--output", type=Path, default=Path("output"), metavar="DIR")
    parser.add_argument("--report", type=Path, metavar="FILE", help="this report and no other")
    options = parser.parse_args()
    try:
        report = (options.report or newest(options.output)).resolve()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            print("error: there is no Chromium: install it", file=sys.stderr)
            return 2
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        for name, (place, scheme, width, height) in PICTURES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(report.as_uri())
            page.wait_for_selector("html[data-ready=yes]", state="attached")
            # Where the run was is of no interest to others.
            page.add_style_tag(content="p.soft:not(.key) { display: none }")
            page.locator(place).first.evaluate("element => element.scrollIntoView()")
            page.screenshot(path=DOCS / name)
            print(DOCS / name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
