"""HTML that cannot be broken by what stands in it."""

import html
from collections.abc import Iterable, Sequence


class Html(str):
    """Text that is HTML already; any other text is escaped before it becomes a part of some."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Html:
    """An element; children that are no `Html` are escaped, as are the attributes.

    >>> tag("p", "Tom & ", tag("b", "Jerry"), class_="film")
    '<p class="film">Tom &amp; <b>Jerry</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{given}>{''.join(map(_safe, children))}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    """Parts one after the other."""
    return Html("".join(map(_safe, parts)))


def bullets(lines: Iterable[str]) -> Html:
    """A list."""
    return tag("ul", *(tag("li", line) for line in lines))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> Html:
    """A table that scrolls by itself where the page is narrow.

    Args:
        head: of each column.
        rows: with a cell a column.
        texts: how many columns from the left are text; the others are numbers.
    """

    def cells(name: str, row: Sequence[str], **attributes: str) -> Html:
        return joined(
            tag(name, cell, class_="text" if column < texts else "number", **attributes)
            for column, cell in enumerate(row)
        )

    body = (tag("tr", cells("td", row)) for row in rows)
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", cells("th", head, scope="col"))),
            tag("tbody", *body),
        ),
        class_="scroll",
        tabindex="0",
    )


def _safe(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text)
