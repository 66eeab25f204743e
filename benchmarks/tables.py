"""Markdown tables, and the documents into which they are written."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from schema.errors import UserError


def table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Return a Markdown table.

    Args:
        head: Cells of the header.
        rows: Cells of each row.
        text_columns: Int. Number of left-aligned columns at the beginning; the others are
            right-aligned. 1 by default.
    """
    alignment = [*["---"] * text_columns, *["---:"] * (len(head) - text_columns)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, alignment, *rows])


def command_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the option `--report`, whose value `publish` takes."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="document, such as docs/quality.md, into which the tables are written between its "
        "markers",
    )
    return parser


def publish(texts: Mapping[str, str], document: Path | None) -> None:
    """Print texts, and write each between its markers in a document.

    Args:
        texts: Texts by the name in their markers.
        document: Path of the document; None only prints the texts.

    Raises:
        UserError: The document cannot be read or lacks a marker.
    """
    if document:
        for name, text in texts.items():
            before, after = split_at_markers(document, name)
            document.write_text(f"{before}\n\n{text.strip()}\n\n{after}", encoding="utf-8")
    print(*texts.values(), sep="\n\n")


def split_at_markers(document: Path, name: str) -> tuple[str, str]:
    """Return the parts of a document before and after the text between two markers.

    Args:
        document: Path of the document.
        name: Name in the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Returns:
        A tuple `(before, after)`; each part includes its marker.

    Raises:
        UserError: The document cannot be read or lacks a marker.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        text = document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{document}: cannot be read: {error.strerror}") from error
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise UserError(
            f"{document}: expected the lines `{begin}` and `{end}`. Add them to the document."
        )
    return before + begin, end + after
