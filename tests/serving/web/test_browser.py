"""The page as people use it: in Chromium, with mouse and keyboard, before the embedded server.

Skipped where there is no Chromium on the machine. ORDAINED_SCREENSHOTS=DIR keeps pictures.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from schema.genres import GENRES
from serving.client import predict
from tests.data.chromium import chromium, screen
from tests.data.tiny_server import Served, running_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def url(served: Served) -> Iterator[str]:
    with running_page(["--grpc", served.grpc]) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page on a screen of the size and colours that the test is parameterized with."""
    with screen(browser, request, (url, "data:", "blob:")) as one:
        one.goto(url)
        yield one


def submit(page: Page) -> None:
    page.get_by_role("button", name="Find the genres", exact=True).click()


def genre_buttons(page: Page) -> Locator:
    return page.get_by_role("list").get_by_role("button")


def test_the_model_and_its_version_are_shown(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("Model movie_genres, version 3, is ready")


def test_a_movie_that_is_typed_is_answered_and_explained(page: Page, served: Served) -> None:
    page.get_by_label("Title").fill("The Lighthouse")
    page.get_by_label("Plot").fill("A keeper counts ships. Ships!")
    page.get_by_label("Cast").fill("Ann Example\nBen Example")
    page.get_by_label("Year").fill("1927")
    submit(page)
    movie = {
        "title": "The Lighthouse",
        "plot": "A keeper counts ships. Ships!",
        "cast": "Ann Example|Ben Example",
        "year": 1927,
    }
    [wanted] = predict([movie], served.grpc)
    best = wanted.ranked[0]
    expect(genre_buttons(page).first).to_contain_text(best.name)
    expect(genre_buttons(page).first).to_contain_text(f"{100 * best.probability:.0f} %")
    decided = [genre.name for genre in wanted.ranked if genre.predicted]
    expect(page.locator("#decided")).to_have_text(", ".join(decided))
    expect(page.locator("[aria-live] >> text=Predicted")).to_have_text(
        f"Predicted: {', '.join(decided)}."
    )
    expect(page.get_by_role("heading", name=f"What moved {best.name}")).to_be_visible()
    fields = page.locator("#why-fields")
    for name in ("Title", "Plot", "Cast", "Year"):
        expect(fields.get_by_role("rowheader", name=name)).to_be_visible()
    expect(fields.get_by_role("row")).to_have_count(4)
    assert {text.lower() for text in page.locator("#why-plot mark").all_inner_texts()} <= {
        *("a", "keeper", "counts", "ships")
    }
    assert "ships" in page.locator("#why-plot").inner_text()


def test_the_effects_of_another_genre_are_shown_on_request(page: Page) -> None:
    page.get_by_role("button", name="Metropolis").click()
    expect(page.locator("#why-found")).to_be_visible()
    before = page.locator("#why-fields").inner_text()
    second = genre_buttons(page).nth(1)
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(genre_buttons(page).first).to_have_attribute("aria-pressed", "false")
    name = second.inner_text().splitlines()[0].strip()
    expect(page.locator("#why-heading")).to_have_text(f"What moved {name}")
    assert page.locator("#why-fields").inner_text() != before
    page.get_by_role("button", name="Show all genres").click()
    expect(genre_buttons(page).locator("visible=true")).to_have_count(len(GENRES))
    page.get_by_text("How this is computed").click()
    expect(page.get_by_text("By occlusion:")).to_be_visible()


def test_all_of_it_works_from_the_keyboard(page: Page) -> None:
    expect(page.get_by_role("button", name="Nosferatu")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the answer")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Nosferatu")).to_be_focused()
    page.get_by_label("Title").focus()
    page.keyboard.type("A title")
    page.keyboard.press("Enter")
    expect(genre_buttons(page).first).to_be_visible()
    expect(page.get_by_label("Title")).to_be_focused()
    second = genre_buttons(page).nth(1)
    second.focus()
    page.keyboard.press("Space")
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(second).to_be_focused()


@pytest.mark.parametrize("page", [{"width": 360, "scheme": "dark"}], indirect=True)
def test_a_mistake_is_told_beside_its_field(page: Page) -> None:
    page.get_by_label("Year").fill("last year")
    submit(page)
    expect(page.get_by_role("alert")).to_have_text("Year: expected a number, got 'last year'.")
    year = page.get_by_label("Year")
    expect(year).to_be_focused()
    expect(year).to_have_attribute("aria-invalid", "true")
    year.fill("1927")
    submit(page)
    expect(genre_buttons(page).first).to_be_visible()
    expect(page.locator("#movie-error")).to_be_hidden()
    expect(year).not_to_have_attribute("aria-invalid", "true")


def test_nothing_that_is_typed_becomes_code(page: Page) -> None:
    page.get_by_label("Plot").fill("<img src=x onerror=document.title='owned'> keeper")
    submit(page)
    expect(page.locator("#why-found")).to_be_visible()
    expect(page.locator("#why-plot")).to_contain_text("<img src=x")
    expect(page).to_have_title("Genres of movies")
    assert page.locator("main img").count() == 0


def test_a_movie_of_which_nothing_is_known(page: Page) -> None:
    submit(page)
    expect(page.get_by_text("Nothing is known of this movie")).to_be_visible()
    expect(page.locator("#why-found")).to_be_hidden()


def test_a_table_is_answered_and_downloaded(page: Page, tmp_path: Path) -> None:
    page.get_by_role("button", name="Fill in an example").click()
    expect(page.get_by_label("Movies as CSV")).to_be_focused()
    page.get_by_role("button", name="Find the genres of all").click()
    expect(page.get_by_text("2 of 3 movies answered.")).to_be_visible()
    rows = page.locator("#many-table tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Nosferatu")
    expect(rows.last).to_contain_text("Not answered: year: expected a number, got 'nineteen'")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "genres.csv"
    download.value.save_as(tmp_path / "genres.csv")
    with (tmp_path / "genres.csv").open(newline="", encoding="utf-8") as file:
        downloaded = list(csv.DictReader(file))
    assert [row["title"] for row in downloaded] == ["Nosferatu", "Stagecoach", ""]
    assert downloaded[2]["error"] == "year: expected a number, got 'nineteen'"
    assert all(0 <= float(downloaded[0][name]) <= 1 for name in GENRES)
    page.get_by_label("Movies as CSV").fill("titel\nA\n")
    page.get_by_role("button", name="Find the genres of all").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The table: column 'titel': unknown field. Did you mean title?"
    )
    expect(page.locator("#many-found")).to_be_hidden()


@pytest.mark.parametrize(
    "page",
    [{"width": width, "scheme": scheme} for width in (320, 1200) for scheme in ("light", "dark")],
    indirect=True,
    ids=lambda wanted: f"{wanted['scheme']}-{wanted['width']}",
)
def test_it_fits_the_screen_and_can_be_read(page: Page) -> None:
    page.get_by_role("button", name="Stagecoach").click()
    expect(page.locator("#why-found")).to_be_visible()
    page.get_by_role("button", name="Fill in an example").click()
    page.get_by_role("button", name="Find the genres of all").click()
    expect(page.locator("#many-found")).to_be_visible()
    page.get_by_label("Year").fill("x")
    submit(page)
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert [one for one in page.evaluate(CONTRASTS) if one["ratio"] < 4.5] == []
    small = "e => e.filter(b => b.offsetParent && b.offsetHeight < 24).map(b => b.outerHTML)"
    assert page.eval_on_selector_all("button, input, textarea, .button", small) == []


CONTRASTS = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const [r, g, b, alpha = 1] = channels(getComputedStyle(element).backgroundColor);
    if (alpha === 1) return [r, g, b];
    const below = ground(element.parentElement);
    return [r, g, b].map((c, i) => alpha * c + (1 - alpha) * below[i]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const told = own && element.offsetParent && !element.closest("noscript, [aria-disabled=true]");
    if (!told) continue;
    const [one, other] = [channels(getComputedStyle(element).color).slice(0, 3), ground(element)]
      .map(light).sort((a, b) => b - a);
    found.push({ text: element.textContent.slice(0, 40), ratio: (one + 0.05) / (other + 0.05) });
  }
  return found;
}
"""
"""The contrast of each text with what is behind it, as WCAG 2 reckons it."""


def test_a_model_server_that_goes_away_is_told(browser: Browser) -> None:
    with running_page(["--grpc", "127.0.0.1:1"]) as address:
        page = browser.new_page()
        page.goto(address)
        told = "No server answers at 127.0.0.1:1. Is it running?"
        expect(page.get_by_role("status")).to_have_text(told)
        page.get_by_role("button", name="Only a plot").click()
        expect(page.get_by_role("alert")).to_have_text(told)
    page.get_by_role("button", name="Only a plot").click()
    expect(page.get_by_role("alert")).to_have_text(
        "This page's own server does not answer; is it still running?"
    )
    page.close()
