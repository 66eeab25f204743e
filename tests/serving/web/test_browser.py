"""The web page in Chromium, with mouse and keyboard, in front of the embedded server.

Without a browser, the tests are skipped, or fail where `CI` is set.
ORDAINED_SCREENSHOTS=DIR saves screenshots.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from schema.genres import GENRES
from serving.client import predict
from tests.data.chromium import chromium, open_page
from tests.data.tiny_server import TinyServer, run_web_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tiny_server: TinyServer) -> Iterator[str]:
    with run_web_page(["--grpc", tiny_server.grpc_address]) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The web page, in the screen size and colour scheme that the test is parameterized with."""
    with open_page(browser, request, (url, "data:", "blob:")) as page:
        page.goto(url)
        yield page


def submit(page: Page) -> None:
    page.get_by_role("button", name="Predict genres", exact=True).click()


def genre_buttons(page: Page) -> Locator:
    return page.get_by_role("list").get_by_role("button")


def test_the_model_and_its_version_are_shown(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("Model movie_genres, version 3, is ready")


def test_a_movie_in_the_form_is_predicted_and_explained(
    page: Page, tiny_server: TinyServer
) -> None:
    page.get_by_label("Title").fill("The Lighthouse")
    page.get_by_label("Plot", exact=True).fill("A keeper counts ships. Ships!")
    page.get_by_label("Cast").fill("Ann Example\nBen Example")
    page.get_by_label("Year").fill("1927")
    submit(page)
    movie = {
        "title": "The Lighthouse",
        "plot": "A keeper counts ships. Ships!",
        "cast": "Ann Example|Ben Example",
        "year": 1927,
    }
    [wanted] = predict([movie], tiny_server.grpc_address)
    best = wanted.ranked[0]
    expect(genre_buttons(page).first).to_contain_text(best.name)
    expect(genre_buttons(page).first).to_contain_text(f"{100 * best.probability:.0f}%")
    predicted = [genre.name for genre in wanted.ranked if genre.predicted]
    expect(page.locator("#predicted-genres")).to_have_text(", ".join(predicted))
    expect(page.locator("[aria-live] >> text=Predicted")).to_have_text(
        f"Predicted: {', '.join(predicted)}."
    )
    expect(page.get_by_role("heading", name=f"What affects {best.name}")).to_be_visible()
    fields = page.locator("#field-effects tbody")
    for name in ("Title", "Plot", "Cast", "Year"):
        expect(fields.get_by_role("rowheader", name=name)).to_be_visible()
    expect(fields.get_by_role("row")).to_have_count(4)
    assert {text.lower() for text in page.locator("#plot-effects mark").all_inner_texts()} <= {
        *("a", "keeper", "counts", "ships")
    }
    assert "ships" in page.locator("#plot-effects").inner_text()


def test_the_effects_of_a_selected_genre_are_shown(page: Page) -> None:
    page.get_by_role("button", name="Metropolis").click()
    expect(page.locator("#effects")).to_be_visible()
    before = page.locator("#field-effects").inner_text()
    second = genre_buttons(page).nth(1)
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(genre_buttons(page).first).to_have_attribute("aria-pressed", "false")
    name = second.inner_text().splitlines()[0].strip()
    expect(page.locator("#explanation-heading")).to_have_text(f"What affects {name}")
    assert page.locator("#field-effects").inner_text() != before
    page.get_by_role("button", name="Show all genres").click()
    expect(genre_buttons(page).locator("visible=true")).to_have_count(len(GENRES))
    page.get_by_text("How the numbers are computed").click()
    expect(page.get_by_text("This method is called occlusion.")).to_be_visible()


def test_the_page_works_with_the_keyboard(page: Page) -> None:
    expect(page.get_by_role("button", name="Nosferatu")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the result")).to_be_focused()
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
def test_an_invalid_field_is_marked(page: Page) -> None:
    year, rating = page.get_by_label("Year"), page.get_by_label("Rating")
    year.fill("3025")
    page.get_by_label("Minutes").fill("-5")
    rating.fill("11")
    page.get_by_label("Votes").fill("1,234,567")
    submit(page)
    expect(page.get_by_role("alert")).to_have_text("Correct these fields: Year, Minutes, Rating.")
    expect(year).to_be_focused()
    expect(page.locator("#year + .field-error")).to_contain_text("Expected a year from 1870 to")
    expect(page.locator("#average_rating + .field-error")).to_have_text(
        "Expected a rating from 0 to 10, got '11'."
    )
    expect(rating).to_have_attribute("aria-errormessage", "average_rating-error")
    for control in (year, rating, page.get_by_label("Minutes")):
        expect(control).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Votes")).not_to_have_attribute("aria-invalid", "true")
    year.fill("1927")
    page.get_by_label("Minutes").fill("")
    rating.fill("8,5")
    submit(page)
    expect(genre_buttons(page).first).to_be_visible()
    expect(page.locator("#movie-form-error")).to_be_hidden()
    expect(page.locator(".field-error")).to_have_count(0)
    expect(year).not_to_have_attribute("aria-invalid", "true")


def test_control_and_enter_predict_from_every_field(page: Page) -> None:
    page.get_by_label("Plot", exact=True).fill("A keeper counts ships.")
    page.get_by_label("Plot", exact=True).press("Control+Enter")
    expect(genre_buttons(page).first).to_be_visible()
    expect(page.get_by_label("Plot", exact=True)).to_have_value("A keeper counts ships.")
    page.get_by_label("Movies as a table").fill("title\nA\n")
    page.get_by_label("Movies as a table").press("Control+Enter")
    expect(page.locator("#table-summary")).to_contain_text("Predicted 1 of 1 movies")


def test_a_prediction_of_another_movie_is_marked(page: Page) -> None:
    stale = page.locator("#stale")
    page.get_by_label("Title").fill("A")
    submit(page)
    expect(genre_buttons(page).first).to_be_visible()
    expect(stale).to_be_hidden()
    page.get_by_label("Plot", exact=True).press_sequentially("B")
    expect(stale).to_contain_text("The form has changed since this prediction.")
    page.get_by_label("Plot", exact=True).press("Backspace")
    expect(stale).to_be_hidden()
    page.get_by_label("Year").fill("x")
    submit(page)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(stale).to_be_visible()
    page.locator("#movie-form").get_by_role("button", name="Clear").click()
    expect(stale).to_be_visible()
    page.get_by_label("Title").fill("A")
    expect(stale).to_be_hidden()


def test_each_genre_shows_its_threshold(page: Page, tiny_server: TinyServer) -> None:
    page.get_by_label("Title").fill("The Lighthouse")
    page.get_by_label("Year").fill("1927")
    submit(page)
    line = genre_buttons(page).first.locator(".threshold")
    expect(line).to_be_visible()
    bar = genre_buttons(page).first.locator(".probability-bar")
    line_box, bar_box = line.bounding_box(), bar.bounding_box()
    assert line_box is not None
    assert bar_box is not None
    middle = line_box["x"] + line_box["width"] / 2 - bar_box["x"]
    assert middle / bar_box["width"] == pytest.approx(0.5, abs=0.01)
    expect(genre_buttons(page).first).to_have_attribute("title", "threshold 50%")
    [wanted] = predict([{"title": "The Lighthouse", "year": 1927}], tiny_server.grpc_address)
    reached = any(genre.probability >= 0.5 for genre in wanted.genres)
    assert ("Here none does" in page.locator("#genres-hint").inner_text()) is not reached


def test_warnings_are_shown(page: Page) -> None:
    page.get_by_label("Title").fill("Alien")
    submit(page)
    expect(page.locator("#warnings")).to_contain_text("Only the title of this movie is known")
    page.get_by_label("Plot", exact=True).fill("Ein Wärter zählt Schiffe.")
    submit(page)
    expect(page.locator("#warnings")).to_have_text(
        re.compile(r"^The model has learned from few plots")
    )
    page.get_by_label("Plot", exact=True).fill("A keeper counts ships.")
    submit(page)
    expect(page.locator("#warnings")).to_be_hidden()


def test_effects_are_probabilities_with_and_without_a_part(
    page: Page, tiny_server: TinyServer
) -> None:
    movie = {"title": "The Lighthouse", "plot": "A keeper of the ships counts them."}
    page.get_by_label("Title").fill(movie["title"])
    page.get_by_label("Plot", exact=True).fill(movie["plot"])
    submit(page)
    name = genre_buttons(page).first.locator("span").first.inner_text()
    with_plot, without = predict([movie, {"title": movie["title"]}], tiny_server.grpc_address)
    [before], [after] = (
        [genre.probability for genre in prediction.genres if genre.name == name]
        for prediction in (with_plot, without)
    )
    assert abs(before - after) > 0.01
    row = page.locator("#field-effects").get_by_role("row", name="Plot")
    expect(row).to_have_text(f"Plot{100 * before:.0f}% → {100 * after:.0f}%")
    words = page.locator("#word-effects").get_by_role("rowheader")
    expect(words.filter(has_text="function words plot")).to_have_attribute("title", "a of the them")
    expect(words.filter(has_text=re.compile("^the? "))).to_have_count(0)
    expect(page.locator("#explanation-note")).to_contain_text("as small as those of punctuation (")


def test_a_long_plot_stays_in_a_box(page: Page) -> None:
    page.get_by_label("Plot", exact=True).fill(" ".join(f"word{n % 97}" for n in range(2800)))
    submit(page)
    expect(page.locator("#effects")).to_be_visible()
    box = page.locator("#plot-effects")
    assert box.evaluate("e => e.scrollHeight > 2 * e.clientHeight")
    assert page.evaluate("document.documentElement.scrollHeight") < 3000
    box.focus()
    page.keyboard.press("PageDown")
    # The box scrolls smoothly.
    for _ in range(100):
        if box.evaluate("e => e.scrollTop"):
            break
        page.wait_for_timeout(100)
    assert box.evaluate("e => e.scrollTop") > 0


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], indirect=True)
def test_bars_and_focus_are_visible_with_forced_colours(page: Page) -> None:
    page.get_by_role("button", name="Stagecoach").click()
    expect(page.locator("#effects")).to_be_visible()
    color = "(element, name) => getComputedStyle(element)[name]"
    track = page.locator("#genre-list .probability-bar").first
    canvas = page.locator("body").evaluate(color, "backgroundColor")
    pressed = page.locator("#genre-list [aria-pressed=true]")
    other = page.locator("#genre-list [aria-pressed=false]").first
    for element, name in (
        (track.locator("span").first, "backgroundColor"),
        (track.locator(".threshold"), "backgroundColor"),
        (other.locator(".probability-bar span").first, "backgroundColor"),
        (page.locator(".effect-bar .increase").first, "backgroundColor"),
        (page.locator(".effect-bar .decrease").first, "borderTopColor"),
        (pressed, "borderTopColor"),
    ):
        assert element.evaluate(color, name) != canvas
    assert other.evaluate(color, "borderTopColor") == canvas
    pressed.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert pressed.evaluate(color, "outlineStyle") == "solid"
    assert pressed.evaluate(color, "outlineColor") != canvas


def test_text_in_the_form_never_becomes_html(page: Page) -> None:
    page.get_by_label("Plot", exact=True).fill("<img src=x onerror=document.title='owned'> keeper")
    submit(page)
    expect(page.locator("#effects")).to_be_visible()
    expect(page.locator("#plot-effects")).to_contain_text("<img src=x")
    expect(page).to_have_title("Predict a movie's genres")
    assert page.locator("main img").count() == 0


def test_an_empty_form_is_predicted_without_an_explanation(page: Page) -> None:
    submit(page)
    expect(page.get_by_text("all fields are empty")).to_be_visible()
    expect(page.locator("#effects")).to_be_hidden()


def test_a_table_is_predicted_and_downloaded(page: Page, tmp_path: Path) -> None:
    page.get_by_role("button", name="Insert an example").click()
    expect(page.get_by_label("Movies as a table")).to_be_focused()
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.get_by_text("Predicted 3 of 3 movies (CSV with commas, UTF-8).")).to_be_visible()
    rows = page.locator("#table-rows tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Nosferatu")
    expect(rows.last).to_contain_text("Not read: year: expected a year")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all probabilities").click()
    assert download.value.suggested_filename == "genres.csv"
    download.value.save_as(tmp_path / "genres.csv")
    with (tmp_path / "genres.csv").open(newline="", encoding="utf-8") as file:
        downloaded = list(csv.DictReader(file))
    assert [row["title"] for row in downloaded] == ["Nosferatu", "Stagecoach", "Metropolis"]
    assert downloaded[2]["note"].startswith("year: expected a year")
    assert all(0 <= float(downloaded[0][name]) <= 1 for name in GENRES)
    expect(page.locator("#table-stale")).to_be_hidden()
    page.get_by_label("Movies as a table").fill("titel\nA\n")
    expect(page.locator("#table-stale")).to_contain_text("The table has changed")
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.get_by_role("alert")).to_contain_text("got 'titel' (did you mean title?)")
    expect(page.locator("#table-result")).to_be_hidden()


def test_a_file_is_predicted_and_its_ids_are_shown(page: Page, tmp_path: Path) -> None:
    movies = tmp_path / "movies.tsv"
    movies.write_text("Show ID\tTITLE\tOverview\ns 81\tTide\tA keeper.\n", encoding="utf-16")
    table, file = page.get_by_label("Movies as a table"), page.get_by_label("Or a file")
    table.fill("title\nA\n")
    file.set_input_files(movies)
    expect(page.locator("#file-note")).to_have_text(re.compile("^The file is read"))
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.locator("#table-summary")).to_have_text(
        re.compile("^Predicted 1 of 1 movies .text with tabs, UTF-16")
    )
    expect(page.locator("#table-rows").get_by_role("cell", name="s 81")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all probabilities").click()
    download.value.save_as(tmp_path / "genres.csv")
    with (tmp_path / "genres.csv").open(newline="", encoding="utf-8") as lines:
        [row] = csv.DictReader(lines)
    assert (row["tconst"], row["title"]) == ("s 81", "Tide")
    table.fill("title\nB\n")
    assert file.evaluate("e => e.files.length") == 0
    expect(page.locator("#table-stale")).to_be_visible()
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.locator("#table-rows").get_by_role("rowheader", name="B")).to_be_visible()
    expect(page.locator("#table-rows").get_by_role("columnheader", name="Id")).to_be_hidden()
    movies.write_bytes(b"x" * ((4 << 20) + 1))
    file.set_input_files(movies)
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.get_by_role("alert")).to_contain_text("movies.tsv is larger than 4 MB")


@pytest.mark.parametrize(
    "page",
    [{"width": width, "scheme": scheme} for width in (320, 1200) for scheme in ("light", "dark")],
    indirect=True,
    ids=lambda wanted: f"{wanted['scheme']}-{wanted['width']}",
)
def test_the_page_fits_the_screen_with_enough_contrast(page: Page) -> None:
    page.get_by_role("button", name="Stagecoach").click()
    expect(page.locator("#effects")).to_be_visible()
    page.get_by_role("button", name="Insert an example").click()
    page.get_by_role("button", name="Predict all genres").click()
    expect(page.locator("#table-result")).to_be_visible()
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
  const luminance = (rgb) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    if (!element) return [255, 255, 255];
    const [r, g, b, alpha = 1] = channels(getComputedStyle(element).backgroundColor);
    if (alpha === 1) return [r, g, b];
    const below = background(element.parentElement);
    return [r, g, b].map((c, i) => alpha * c + (1 - alpha) * below[i]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const excluded = element.closest("noscript, [aria-disabled=true]");
    if (!hasText || !element.offsetParent || excluded) continue;
    const colors = [channels(getComputedStyle(element).color).slice(0, 3), background(element)];
    const [high, low] = colors.map(luminance).sort((a, b) => b - a);
    found.push({ text: element.textContent.slice(0, 40), ratio: (high + 0.05) / (low + 0.05) });
  }
  return found;
}
"""
"""Computes the contrast of each text with its background, as WCAG 2 defines it."""


def test_an_unavailable_server_is_reported(browser: Browser) -> None:
    with run_web_page(["--grpc", "127.0.0.1:1"]) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.get_by_role("status")).to_contain_text("127.0.0.1:1")
        page.get_by_role("button", name="Only a plot").click()
        expect(page.get_by_role("alert")).to_contain_text("127.0.0.1:1")
    page.get_by_role("button", name="Only a plot").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The web server does not respond. Check that it is running."
    )
    page.close()
