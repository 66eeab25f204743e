"""Chromium for tests of what is seen, where the machine has it; it reaches this machine alone."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60_000
"""Milliseconds; a machine with much else to do takes more than the usual five seconds."""

MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def browser_on_this_machine() -> str | None:
    return next(filter(None, map(shutil.which, [*NAMES, MAC])), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the tests are skipped where there is none."""
    path = browser_on_this_machine()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("what is seen was NOT tested in a browser: install chromium")
        # Chromium's sandbox needs rights that a container and root do not have.
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
        one = playwright.chromium.launch(executable_path=path, args=[*sandbox, alone])
        yield one
        one.close()


@contextmanager
def screen(
    browser: Browser, request: pytest.FixtureRequest, allowed: tuple[str, ...]
) -> Iterator[Page]:
    """A page on a screen of the size and colours that the test is parameterized with.

    No script on it may have failed in the end, and nothing been asked for but addresses that begin
    as is allowed. ORDAINED_SCREENSHOTS=DIR keeps a picture.
    """
    wanted = {"width": 1200, "scheme": "light"} | getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": wanted["width"], "height": 900}, color_scheme=wanted["scheme"]
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    if folder := os.environ.get("ORDAINED_SCREENSHOTS"):
        name = re.sub(r"\W+", "-", request.node.name)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
    context.close()
    assert problems == []
    assert [url for url in asked if not url.startswith(allowed)] == []
