"""Self-contained HTML pages."""

import base64
import gzip
import re
from pathlib import Path

import pytest

from dashboards import page


def test_a_saved_view_contains_its_page(tmp_path: Path) -> None:
    view = page.build_view("Birds & bees", "<p>body</p>", 300)
    text = view.save(tmp_path / "view.html").read_text(encoding="utf-8")
    compressed = re.search(r'atob\("([^"]*)"\)', text)
    assert compressed
    assert gzip.decompress(base64.b64decode(compressed[1])).decode() == view.page
    assert "<h1>Birds &amp; bees</h1>" in view.page
    assert view.standalone() == view.standalone()


def test_the_iframe_is_sandboxed() -> None:
    frame = page.build_view("A", "", 321)._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    assert "height:321px" in frame


def test_data_are_escaped_and_have_no_nan() -> None:
    element = page.data_element({"</script>": [float("nan"), float("-inf"), 0.5, "x"]})
    assert element == (
        '<script type="application/json" id="data">'
        '{"\\u003c/script>": [null, null, 0.5, "x"]}</script>'
    )


def test_data_that_are_not_json_raise_an_error() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        page.data_element({"a": {1, 2}})


def test_script_ends_are_escaped() -> None:
    assert page.script("x = '</script>'") == "<script>x = '<\\/script>'</script>"
