"""Cells to numbers: the forms in which tables hold years, running times, votes and ratings."""

import datetime
import re
from typing import Any, Final

from tables.nulls import is_unknown

FIRST_YEAR: Final = 1870
"""Earliest year that is understood."""

YEARS_AHEAD: Final = 10
"""Number of years from the present one to the latest that is understood."""

MAX_MINUTES: Final = 100_000
"""Longest running time, in minutes."""

MAX_VOTES: Final = 10**12

_MAX_CHARACTERS: Final = 40
"""Maximum length of a text that holds a number or a date."""

_YEAR: Final = re.compile(r"(?<!\d)(?:1[89]|2[01])\d\d(?!\d)", re.ASCII)
_COMPACT_DATE: Final = re.compile(r"((?:18|19|20)\d\d)(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])", re.ASCII)
_HOURS_MINUTES_SECONDS: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        r"()(\d+(?:\.\d+)?|\d{1,3}(?:,\d{3})+)\s*(?:m|mins?|minutes?)?\.?()",
        r"(\d+)\s*(?:h|hrs?|hours?)\.?,?\s*(?:(\d+)\s*(?:m|mins?|minutes?)?\.?)?()",
        r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?",
        r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?",
    )
)
_SEASONS: Final = re.compile(r"\d+\s+(?:seasons?|series|episodes?)", re.IGNORECASE)
_WHOLE_NUMBER: Final = re.compile(
    r"(\d+|\d{1,3}(?:[.,'’ \u00a0\u2009\u202f]\d{3})+)(?:\.0{1,2})?(?:\s*votes?)?",
    re.ASCII | re.IGNORECASE,
)
_MULTIPLE: Final = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(k|thousand|m|mio\.?|million|b|billion)(?:\s*votes?)?",
    re.ASCII | re.IGNORECASE,
)
_UNITS: Final = {"k": 1e3, "t": 1e3, "m": 1e6, "b": 1e9}
_RATING: Final = re.compile(r"(\d{1,3}(?:[.,]\d{1,10})?)(?:\s*/\s*10(?:\.0)?)?", re.ASCII)
_CONTENT_RATING: Final = re.compile(
    r"G|PG|PG-13|R|NC-17|X|GP|M|NR|UR|A|U|UA|U/A|\d\d?(?:\+|A)|TV-(?:MA|14|PG|G|Y|Y7|Y7-FV)"
    r"|not rated|unrated|approved|passed",
    re.IGNORECASE,
)


def parse_year(value: Any, *, is_timestamp: bool = False) -> int | None:
    """Return the year of a year, a span of years or a date.

    >>> parse_year("06/15/1990"), parse_year("TV Movie 2019"), parse_year("1999-2003")
    (1990, 2019, 1999)

    Args:
        value: Number, date, or text with a year of four digits. 0 means unknown.
        is_timestamp: Bool. Whether a number of 9 digits or more is a number of seconds, or of
            milliseconds, since 1970; by default, it is not understood.

    Raises:
        ValueError: The cell has no year from 1870 to ten years ahead.
    """
    if is_unknown(value):
        return None
    last = datetime.datetime.now(datetime.UTC).year + YEARS_AHEAD
    if isinstance(value, datetime.date):
        year: float | None = value.year
    elif (year := _number(value)) is None and (match := _YEAR.search(_short_text(value))):
        year = int(match[0])
    if year is not None and abs(year) > 9999 and year.is_integer():
        date = _COMPACT_DATE.fullmatch(str(int(year)))
        year = int(date[1]) if date else _timestamp_year(year) if is_timestamp else None
    if year == 0:
        return None
    if year is None or int(year) != year or not FIRST_YEAR <= year <= last:
        raise ValueError(f"expected a year from {FIRST_YEAR} to {last}")
    return int(year)


def parse_runtime(value: Any) -> int | None:
    """Return a running time in whole minutes.

    >>> parse_runtime("142 min"), parse_runtime("2h 22m"), parse_runtime("PT2H22M")
    (142, 142, 142)

    Args:
        value: Number of minutes, or text such as `142 min`, `2h 22m`, `2:22:00` or `PT2H22M`. 0 and
            a number of seasons mean unknown.

    Raises:
        ValueError: The cell has no running time.
    """
    if is_unknown(value):
        return None
    minutes, text = _number(value), _short_text(value)
    if minutes is None and _SEASONS.fullmatch(text):
        return None
    matches = (pattern.fullmatch(text) for pattern in _HOURS_MINUTES_SECONDS)
    if minutes is None and (match := next(filter(None, matches), None)):
        hours, rest, seconds = (float((part or "0").replace(",", "")) for part in match.groups())
        minutes = hours * 60 + rest + seconds / 60
    if minutes is None or not 0 <= minutes <= MAX_MINUTES:
        raise ValueError("expected a running time in minutes")
    return round(minutes) or None


def parse_votes(value: Any) -> int | None:
    """Return a number of votes.

    >>> parse_votes("2,343,110"), parse_votes("1.2M"), parse_votes("15K")
    (2343110, 1200000, 15000)

    Args:
        value: Number, or text with separators of thousands or a unit such as K. 0 means unknown.

    Raises:
        ValueError: The cell has no number of votes.
    """
    if is_unknown(value):
        return None
    text = _short_text(value)
    votes: float | None = None
    if match := _WHOLE_NUMBER.fullmatch(text):
        votes = float(re.sub(r"\D", "", match[1]))
    elif match := _MULTIPLE.fullmatch(text):
        votes = round(float(match[1].replace(",", ".")) * _UNITS[match[2][0].lower()])
    elif not text:
        votes = _number(value)
    if votes is None or int(votes) != votes or not 0 <= votes <= MAX_VOTES:
        raise ValueError("expected a number of votes")
    return int(votes) or None


def parse_rating(value: Any) -> float | None:
    """Return an average rating from 0 to 10.

    >>> parse_rating("8.8/10"), parse_rating("8,8"), parse_rating("PG-13")
    (8.8, 8.8, None)

    Args:
        value: Number, or text with a decimal point or comma. 0 means unknown, and so does an age
            rating such as PG-13, whose column often has the same name.

    Raises:
        ValueError: The cell has no number from 0 to 10.
    """
    if is_unknown(value):
        return None
    rating, text = _number(value), _short_text(value)
    if rating is None and (match := _RATING.fullmatch(text)):
        rating = float(match[1].replace(",", "."))
    if rating is None and _CONTENT_RATING.fullmatch(text):
        return None
    if rating is None or not 0 <= rating <= 10:
        raise ValueError("expected a rating from 0 to 10")
    return rating or None


def _short_text(value: Any) -> str:
    """Return a text without white space at its ends; "" for a longer one and for no text."""
    return value.strip() if isinstance(value, str) and len(value) <= _MAX_CHARACTERS else ""


def _number(value: Any) -> float | None:
    """Return a finite number, which may be text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(_short_text(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e18 else None


def _timestamp_year(number: float) -> int | None:
    """Return the year of a number of seconds or milliseconds since 1970; None if out of range."""
    if not 1e8 <= abs(number) < 1e13:
        return None
    seconds = number / 1000 if abs(number) >= 1e10 else number
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (start + datetime.timedelta(seconds=seconds)).year
