"""Pages hold all they need."""

import base64
import gzip
import re
from pathlib import Path

import pytest

from dashboards import page


def test_a_page_unpacks_to_itself(tmp_path: Path) -> None:
    view = page.of_parts("Birds & bees", "<p>body</p>", 300)
    text = view.save(tmp_path / "view.html").read_text(encoding="utf-8")
    zipped = re.search(r'atob\("([^"]*)"\)', text)
    assert zipped
    assert gzip.decompress(base64.b64decode(zipped[1])).decode() == view.page
    assert "<h1>Birds &amp; bees</h1>" in view.page
    assert view.standalone() == view.standalone()


def test_a_frame_is_in_a_sandbox_without_the_rights_of_the_notebook() -> None:
    frame = page.of_parts("A", "", 321)._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    assert "height:321px" in frame


def test_data_end_no_element_and_have_no_nan() -> None:
    element = page.data_element({"</script>": [float("nan"), float("-inf"), 0.5, "x"]})
    assert element == (
        '<script type="application/json" id="data">'
        '{"\\u003c/script>": [null, null, 0.5, "x"]}</script>'
    )


def test_data_without_a_form_in_json_are_refused() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        page.data_element({"a": {1, 2}})


def test_code_ends_no_element() -> None:
    assert page.script("x = '</script>'") == "<script>x = '<\\/script>'</script>"
