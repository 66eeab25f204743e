"""Markdown tables, and the documents into which they are written."""

from collections.abc import Mapping, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    Args:
        head: Strings [columns]. Heading of each column.
        rows: Strings [rows][columns]. Markdown of each cell, on one line.
    """
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def insert(document: str, texts: Mapping[str, Sequence[str]]) -> str:
    """Return a document with new text between its markers.

    Args:
        document: Markdown of the document.
        texts: Lines by the name in the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises:
        ValueError: The document lacks a marker.
    """
    for name, lines in texts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, found_begin, rest = document.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"expected the lines {begin} and {end}")
        document = "\n".join([before + begin, "", *lines, "", end + after])
    return document
