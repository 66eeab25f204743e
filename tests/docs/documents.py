"""The documents, and the code and commands that they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]

GUIDES = sorted(
    [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]
)
"""All documents."""

HISTORY = {"benchmarks.md", "experiments.md", "quality.md"}
"""Documents of measurements, which name modules of the version that was measured."""


class Block(NamedTuple):
    """A fenced block of code.

    Attributes:
        place: Document and line number of the fence.
        language: Word behind the fence.
        text: The code.
    """

    place: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages, from all documents."""
    found = []
    for path in GUIDES:
        text = path.read_text("utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
            line = text.count("\n", 0, match.start()) + 1
            place = f"{path.relative_to(PROJECT)}:{line}"
            found.append(Block(place, match[1], match[2]))
    return [block for block in found if block.language in languages]


def inline_code(path: Path) -> list[str]:
    """Return what stands between single backquotes in a document, outside of its blocks."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command line of the documents: where it stands, and its words."""
    for block in blocks("sh", "bash"):
        for line in re.sub(r"\\\n", " ", block.text).splitlines():
            # The lines inside of a here-document are no commands.
            if re.match(r"(\.venv/bin/)?(ordained|python|make)\b", line):
                yield block.place, _words(line)
    for path in GUIDES:
        for code in inline_code(path):
            if re.match(r"(\.venv/bin/)?(ordained|python|make) ", code):
                yield str(path.relative_to(PROJECT)), _words(code)


def _words(line: str) -> list[str]:
    first, *rest = shlex.split(line, comments=True)
    return [first.removeprefix(".venv/bin/"), *rest]
