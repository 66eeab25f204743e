"""Tables in Markdown, and the document that they are written into."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from schema.errors import UserError


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table whose first columns, so many, are text and whose others are numbers."""
    lines = [head, [*["---"] * texts, *["---:"] * (len(head) - texts)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """The parser of a command, with the option `--report` that `publish` reads."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what is printed between the markers of this document too, such as "
        "docs/quality.md",
    )
    return made


def publish(texts: Mapping[str, str], document: Path | None) -> None:
    """Print texts, and put each between its two markers in a document.

    Args:
        texts: by the name in their markers.
        document: where the markers are; None prints alone.

    Raises:
        UserError: see `around`.
    """
    if document:
        for name, text in texts.items():
            before, after = around(document, name)
            document.write_text(f"{before}\n\n{text.strip()}\n\n{after}", encoding="utf-8")
    print(*texts.values(), sep="\n\n")


def around(document: Path, name: str) -> tuple[str, str]:
    """What stands before and after the text between `<!-- name:begin -->` and `<!-- name:end -->`.

    Returns:
        Both parts, each with its marker.

    Raises:
        UserError: the document cannot be read, or does not have both markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        old = document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{document}: cannot be read: {error.strerror}") from error
    before, found, rest = old.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise UserError(f"{document}: has no lines `{begin}` and `{end}`. Add them where it goes.")
    return before + begin, end + after
