"""Settings of Sphinx, which builds the documentation site: `make docs`."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

project = "ordained"
html_show_copyright = False
extensions = ["myst_parser", "settings_table"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "ordained"
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]


def setup(app: Sphinx) -> None:
    """Show Mermaid diagrams, which the repository's pages draw, as text."""
    app.add_lexer("mermaid", TextLexer)
