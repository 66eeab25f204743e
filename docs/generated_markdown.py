"""Base of the directives that generate Markdown from the code."""

from collections.abc import Sequence

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList


class GeneratedMarkdown(Directive):
    """Insert Markdown that a subclass generates when the site is built."""

    def lines(self) -> list[str]:
        """Return the lines of the Markdown to insert."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the parsed Markdown."""
        parsed = nodes.container()
        self.state.nested_parse(
            StringList(self.lines(), source=__name__), self.content_offset, parsed
        )
        return parsed.children


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    Args:
        head: Strings [columns]. Heading of each column.
        rows: Strings [rows][columns]. Markdown of each cell, on one line.
    """
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
