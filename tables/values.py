"""Cells to values: the forms in which tables hold ids, titles, texts, names and genres.

Each function, and those of `tables.numbers`, returns the value, or None (for lists, an empty tuple)
if the cell says that the value is unknown. It raises a ValueError with a short reason if the cell
is not understood.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from schema.features import LIST_SEPARATOR
from schema.text import clean_text
from tables.nulls import MAX_LENGTH, is_null, is_unknown
from tables.numbers import parse_rating, parse_runtime, parse_votes, parse_year

__all__ = [
    "is_null",
    "parse_genres",
    "parse_people",
    "parse_rating",
    "parse_runtime",
    "parse_text",
    "parse_title",
    "parse_title_id",
    "parse_votes",
    "parse_year",
]

MAX_LITERAL_CHARACTERS: Final = 100_000
"""Maximum length of a Python literal, in characters. A longer one is not understood."""

_MAX_REMEMBERED_CHARACTERS: Final = 1_000
"""Length of a cell from which on its names are not remembered, so that memory is bounded."""

_ID: Final = re.compile(r"(?:tt)?(\d{1,10})(?:\.0*)?", re.ASCII | re.IGNORECASE)
_NORMAL_ID: Final = re.compile(r"tt(?!0{7})(?:\d{7}|[1-9]\d{7,9})", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"(\d+)(?:\.0*)?", re.ASCII)
_FULL_ID: Final = re.compile(r"tt(\d{7,10})", re.ASCII | re.IGNORECASE)
_ID_IN_URL: Final = re.compile(
    r"(?:https?://)?(?:\w+\.)?imdb\.com/(?:\w\w(?:-\w\w)?/)?title/tt(\d{1,10})(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_TITLE_YEAR: Final = re.compile(
    r"(.*?\S)\s*[(\[](?:(?:TV|Video)\s?(?:Movie|Special|Short)?\s)?((?:18|19|20)\d\d)(?:/[IVX]+)?[)\]]"
    r"(?:\s*\((?:TV|V|VG)\))?",
    re.DOTALL,
)
_ENGLISH_ARTICLE: Final = re.compile(r"(.*\S),\s+(the|an?)", re.DOTALL | re.IGNORECASE)
_ARTICLE: Final = re.compile(
    r"([^,]*[^,\s]),\s+(les?|la|l[’']|une?|una|uno|el|l[oa]s|il|gli|der|die|das|den|det|de|het)",
    re.IGNORECASE,
)
_UNQUOTED_LIST: Final = re.compile(r"""\[([^\[\]{}"']*)\]""")
_NAME_SUFFIX: Final = re.compile(
    r"(?:jr|sr|ii|iii|iv|m\.?\s?d|ph\.?\s?d|esq|d\.?d\.?s|[omc]\.?b\.?e)\.?", re.IGNORECASE
)


def parse_text(value: Any) -> str | None:
    """Return the text of a cell; of a list, its first text that is not empty.

    >>> parse_text(" A keeper waits. "), parse_text(["", "First.", "Second."]), parse_text("N/A")
    ('A keeper waits.', 'First.', None)

    Raises:
        ValueError: The cell has no text, or text that is not valid UTF-8.
    """
    if isinstance(value, str):
        # Nearly all cells are like this.
        stripped = value.strip()
        if len(stripped) > MAX_LENGTH and stripped.isascii() and stripped[0] != "[":
            return stripped
    if is_null(value):
        return None
    if isinstance(value, str):
        items = _parse_literal(value) if value.startswith('["') else None
        return parse_text(items) if isinstance(items, list) else _checked(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str | None) for item in value):
        return next((text for item in value if (text := parse_text(item))), None)
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    if is_number and not isinstance(value, bool):
        return str(value).removesuffix(".0")
    raise ValueError("expected text")


def parse_title(value: Any) -> tuple[str, int | None] | None:
    """Return a title, and the year in brackets at its end if there is one.

    The article of a title that ends in ", The" or similar comes to the front. In languages other
    than English, this needs a title without another comma.

    >>> parse_title("Harbour and Orchard (1990)"), parse_title("Lantern, The")
    (('Harbour and Orchard', 1990), ('The Lantern', None))

    Raises:
        ValueError: The cell has no text, or text that is not valid UTF-8.
    """
    text = parse_text(value)
    if text is None:
        return None
    year = None
    if text[-1] in ")]" and (match := _TITLE_YEAR.fullmatch(text)):
        text, year = match[1], int(match[2])
    if "," in text and (match := _ENGLISH_ARTICLE.fullmatch(text) or _ARTICLE.fullmatch(text)):
        space = "" if match[2].endswith(("'", "’")) else " "
        text = f"{match[2]}{space}{match[1]}"
    return text, year


def parse_title_id(value: Any, *, any_id: bool = False) -> str | None:
    """Return IMDb's id of a title, with at least seven digits.

    >>> parse_title_id(" https://www.imdb.com/title/tt0111161/ "), parse_title_id(111161.0)
    ('tt0111161', 'tt0111161')

    Args:
        value: Id with or without `tt`, or address of the title's page. 0 means unknown.
        any_id: Bool. Whether an id of another form is returned as written, and a whole number such
            as 862.0 without its fraction; by default, they are not understood.

    Raises:
        ValueError: The cell has no id of IMDb, or with `any_id` no text or number.
    """
    if isinstance(value, str) and _NORMAL_ID.fullmatch(value):
        return value
    if is_unknown(value):
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    match = (_FULL_ID if any_id else _ID).fullmatch(text) or _ID_IN_URL.fullmatch(text)
    if match:
        return f"tt{int(match[1]):07}" if int(match[1]) else None
    if any_id:
        text = parse_text(value) or ""
        if number := _WHOLE_NUMBER.fullmatch(text):
            text = number[1] if int(number[1]) else ""
        return text or None
    raise ValueError("expected a title id such as tt0111161")


def parse_people(value: Any) -> tuple[str, ...]:
    """Return the names of people, each once.

    A list is JSON, a Python literal, or text separated by `|`, by `;` or by `,`, the first of these
    that occurs. A comma does not separate a suffix such as Jr. from its name. Text with commas only
    is one name for each part; in all other lists, "Lind, Ada" is "Ada Lind".

    >>> parse_people("Sammy Davis, Jr., Ada Lind"), parse_people('[{"id": 3, "name": "Bo Sund"}]')
    (('Sammy Davis, Jr.', 'Ada Lind'), ('Bo Sund',))

    Raises:
        ValueError: The cell has no text or list of texts.
    """
    return _parse_list(value, "expected names", _split_names, _separated_name)


def parse_genres(value: Any) -> tuple[str, ...]:
    """Return the names of genres, each once, from the same kinds of lists as names of people.

    >>> parse_genres("Drama, Film-Noir"), parse_genres('{"/m/02l7c8": "Romance Film"}')
    (('Drama', 'Film-Noir'), ('Romance Film',))

    Raises:
        ValueError: The cell has no text or list of texts.
    """
    return _parse_list(value, "expected genres", lambda text: text.split(","), _name)


def _parse_list(
    value: Any,
    expected: str,
    split_at_commas: Callable[[str], Iterable[str]],
    read_name: Callable[[str], str],
) -> tuple[str, ...]:
    if is_null(value):
        return ()
    if isinstance(value, str) and value.lstrip()[0] in "[{":
        text = value.strip()
        value = _parse_literal(text)
        if value is None and (unquoted := _UNQUOTED_LIST.fullmatch(text)):
            value = unquoted[1]
    if isinstance(value, str):
        value = _decoded(value)
        separator = LIST_SEPARATOR if LIST_SEPARATOR in value else ";"
        if separator in value:
            parts: Iterable[str] = value.split(separator)
        else:
            parts, read_name = split_at_commas(value), _name
        if len(value) < _MAX_REMEMBERED_CHARACTERS:
            read_name = _REMEMBERED[read_name]
        return tuple(dict.fromkeys(filter(None, map(read_name, parts))))
    if isinstance(value, dict):
        items: Iterable[Any] = [value] if "name" in value else value.values()
    elif isinstance(value, set):
        items = sorted(value, key=str)
    elif isinstance(value, list | tuple):
        items = value
    else:
        raise ValueError(expected)
    names = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else item
        if isinstance(name, str):
            names.append(read_name(_decoded(name)))
        elif not is_unknown(name):
            raise ValueError(expected)
    return tuple(dict.fromkeys(filter(None, names)))


def _decoded(text: str) -> str:
    """Return a text without HTML entities, whose semicolons separate nothing."""
    return clean_text(text) if "&" in text and ";" in text else text


def _name(text: str) -> str:
    """Return a name without unneeded spaces; "" if it is unknown."""
    return "" if is_unknown(text) else " ".join(_checked(text).replace(LIST_SEPARATOR, " ").split())


def _parse_literal(text: str) -> Any:
    """Return the value of JSON or of a Python literal; None if the text is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text) if len(text) <= MAX_LITERAL_CHARACTERS else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _split_names(text: str) -> Iterable[str]:
    names: list[str] = []
    for part in map(str.strip, text.split(",")):
        if names and _NAME_SUFFIX.fullmatch(part):
            names[-1] += f", {part}"
        else:
            names.append(part)
    return names


def _separated_name(text: str) -> str:
    """Return a name of a list without commas between names: "Lind, Ada" is "Ada Lind"."""
    name = _name(text)
    if "," not in name:
        return name
    family, comma, given = name.partition(", ")
    is_inverted = comma and "," not in given and not _NAME_SUFFIX.fullmatch(given)
    return f"{given} {family}" if is_inverted else name


_REMEMBERED: Final[dict[Callable[[str], str], Callable[[str], str]]] = {
    read_name: lru_cache(maxsize=20_000)(read_name) for read_name in (_name, _separated_name)
}
"""Functions that remember the names in cells of `_MAX_REMEMBERED_CHARACTERS` at most."""


def _checked(text: str) -> str:
    """Return a text without white space at its ends.

    Raises:
        ValueError: The text was decoded from bytes that are not UTF-8.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("invalid UTF-8") from None
    return text.strip()
