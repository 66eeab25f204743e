"""A page that holds all it needs, for notebooks and as a file."""

from __future__ import annotations

import base64
import gzip
import html
import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

_FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class View:
    """Something to look at: the last expression of a notebook's cell, or a file.

    In a notebook it is an iframe with everything inside, in a sandbox: what it holds reaches
    neither the notebook nor a network.

    Attributes:
        title: what it shows.
        page: the whole page, HTML.
        height: of the iframe, in pixels.
    """

    title: str
    page: str
    height: int

    def standalone(self) -> str:
        """The page as HTML that unpacks itself, about a third of the size."""
        zipped = gzip.compress(self.page.encode(), mtime=0)
        return template("loader.html").substitute(
            title=html.escape(self.title), zipped=base64.b64encode(zipped).decode()
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file that a browser opens, and give its path.

        Raises:
            OSError: the file cannot be written.
        """
        path = Path(path)
        path.write_text(self.standalone(), encoding="utf-8")
        return path

    def display(self) -> None:
        """Show it in a notebook, from any place in a cell."""
        from IPython.display import display

        display(self)

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts" '
            f'style="width:100%;height:{self.height}px;border:0" '
            f'srcdoc="{html.escape(self.standalone())}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<View {self.title!r}: show it in a notebook, or save(path) and open that>"


def of_parts(title: str, body: str, height: int) -> View:
    """A view of a heading, plain text, and a body, HTML; the height of its iframe in pixels."""
    page = template("view.html").substitute(title=html.escape(title), body=body)
    return View(title, page, height)


def script(code: str) -> str:
    """Code as an element; no text in it ends the element early."""
    safe = code.replace("</script", "<\\/script")
    return f"<script>{safe}</script>"


def own_script(name: str) -> str:
    """A script of this package as an element."""
    return script((_FOLDER / name).read_text(encoding="utf-8"))


def data_element(value: Any) -> str:
    """Data as an element with the id `data`, JSON; NaN and infinities become null.

    Raises:
        TypeError: JSON has no form for a value.
    """
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
    text = json.dumps(finite).replace("<", "\\u003c")
    return f'<script type="application/json" id="data">{text}</script>'


def template(name: str) -> Template:
    """A file of this package in which names such as `$title` are to be replaced."""
    return Template((_FOLDER / name).read_text(encoding="utf-8"))
