"""Self-contained HTML pages for notebooks and files."""

from __future__ import annotations

import base64
import gzip
import html
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

DARK_FILTER: Final = "invert(0.92) hue-rotate(180deg)"
"""CSS filter that makes dark colours of light ones and keeps the hues."""

_EMBEDDED_STYLE: Final = """<style>
iframe.dashboards-view { width: 100%; border: 0; }
@media screen {
  [data-jp-theme-light="false"] iframe.dashboards-view,
  .vscode-dark iframe.dashboards-view { filter: var(--dark-filter); }
}
@media screen and (prefers-color-scheme: dark) {
  body:not([data-jp-theme-light], .vscode-light, .vscode-dark) iframe.dashboards-view {
    filter: var(--dark-filter);
  }
}
</style>"""
"""Dark colours by the theme of JupyterLab, Notebook, nbconvert or VS Code, and in other pages by
that of the system."""

_DIRECTORY: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class View:
    """An HTML page that a notebook shows and `save` writes to a file.

    A notebook shows the page in a sandboxed iframe, which cannot reach the notebook.

    Attributes:
        title: Heading of the page.
        page: HTML of the page.
        height: Height of the iframe, in pixels.
        dark_filter: CSS filter that makes dark colours of the page's light ones.
    """

    title: str
    page: str
    height: int
    dark_filter: str = DARK_FILTER

    def standalone(self) -> str:
        """Return HTML that contains the page compressed, at about a third of its size."""
        compressed = base64.b64encode(gzip.compress(self.page.encode(), mtime=0)).decode()
        return load_template("loader.html").substitute(
            title=html.escape(self.title), compressed_page=compressed
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to an HTML file and return its path.

        Raises:
            OSError: The file cannot be written.
        """
        path = Path(path)
        path.write_text(self.standalone(), encoding="utf-8")
        return path

    def display(self) -> None:
        """Show the view in a notebook, also if it is not the last expression of a cell."""
        from IPython.display import display

        display(self)

    def _repr_html_(self) -> str:
        return (
            f'{_EMBEDDED_STYLE}<iframe title="{html.escape(self.title)}" class="dashboards-view" '
            f'style="height:{self.height}px;--dark-filter:{self.dark_filter}" '
            'sandbox="allow-scripts" '
            f'srcdoc="{html.escape(self.standalone())}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<View {self.title!r}: call display() in a notebook, or save(path)>"


def build_view(title: str, body: str, height: int, dark_filter: str = DARK_FILTER) -> View:
    """Build a view.

    Args:
        title: Heading, plain text.
        body: Content below the heading, HTML.
        height: Height of the view in a notebook, in pixels.
        dark_filter: CSS filter that makes dark colours of the content's light ones.
    """
    page = load_template("view.html").substitute(
        title=html.escape(title), body=body, dark_filter=dark_filter
    )
    return View(title, page, height, dark_filter)


def script(code: str) -> str:
    """Return a script element with JavaScript code, which may contain `</script`."""
    safe = code.replace("</script", "<\\/script")
    return f"<script>{safe}</script>"


def script_from_file(name: str) -> str:
    """Return a script element with a file of this package."""
    return script((_DIRECTORY / name).read_text(encoding="utf-8"))


def data_element(value: Any) -> str:
    """Return an element with the id `data` that contains a value as JSON.

    NaN and infinities become null.

    Raises:
        TypeError: The value cannot be written as JSON.
    """
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
    text = json.dumps(finite).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>'


def load_template(name: str) -> Template:
    """Return a file of this package as a template with placeholders such as `$title`."""
    return Template((_DIRECTORY / name).read_text(encoding="utf-8"))
