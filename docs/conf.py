"""Configuration of Sphinx, which builds the documentation site (`make docs`)."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

project = "ordained"
html_show_copyright = False
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "component_docstrings",
]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "ordained"
html_static_path = ["_static"]
# Browsers load Mermaid when they show a page; the build needs no network.
html_js_files = [
    (
        "https://cdn.jsdelivr.net/npm/mermaid@11.17.2/dist/mermaid.min.js",
        {
            "defer": "defer",
            "crossorigin": "anonymous",
            "integrity": "sha384-EOXBFmc3gx5mb+vn0vPvvGqACToJD24hhacX5Yx+8NUUQrHIle/Qi5Bg9o3zKwW2",
        },
    ),
    ("diagrams.js", {"defer": "defer"}),
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_use_ivar = True
# Single backquotes in docstrings mark code, as in Markdown.
default_role = "code"


@contextlib.contextmanager
def _without_standard_error() -> Iterator[None]:
    """Discard the messages that C++ libraries write to standard error."""
    original = os.dup(2)
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


def setup(app: Sphinx) -> None:
    """Register Mermaid as a language, and import the modules of the API reference."""
    app.add_lexer("mermaid", TextLexer)
    with _without_standard_error():
        for module in ("dashboards.interactive", "pipeline.pipeline"):
            importlib.import_module(module)
