"""Chromium for tests of HTML pages. It can reach only this machine."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bootstrap import browser

TIMEOUT_MILLISECONDS = 60_000
"""Playwright's default of five seconds is too short on a busy machine."""

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; if there is none, skip the test, or let it fail where `CI` is set."""
    path = browser.find(ROOT)
    if path is None:
        give_up = pytest.fail if browser.is_required() else pytest.skip
        give_up(browser.reason_for_none())
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        # Chromium does not run as root with its sandbox.
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        local_only = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
        started = playwright.chromium.launch(executable_path=path, args=[*sandbox, local_only])
        yield started
        started.close()


@contextmanager
def open_page(
    browser: Browser, request: pytest.FixtureRequest, allowed: tuple[str, ...]
) -> Iterator[Page]:
    """Open a page in the screen size and colour scheme that the test is parameterized with.

    The test fails if a script on the page fails, or if the page requests an address that does not
    begin with one of `allowed`. ORDAINED_SCREENSHOTS=DIR saves a screenshot.
    """
    options = {"width": 1200, "scheme": "light"} | getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": options["width"], "height": 900},
        color_scheme=options["scheme"],
        forced_colors=options.get("forced_colors", "none"),
    )
    context.set_default_timeout(TIMEOUT_MILLISECONDS)
    page = context.new_page()
    problems: list[str] = []
    requested: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    yield page
    if directory := os.environ.get("ORDAINED_SCREENSHOTS"):
        name = re.sub(r"\W+", "-", request.node.name)
        page.screenshot(path=f"{directory}/{name}.png", full_page=True)
    context.close()
    assert problems == []
    assert [url for url in requested if not url.startswith(allowed)] == []
