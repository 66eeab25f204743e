import datetime
import math

import pytest

from tables.numbers import parse_rating, parse_runtime, parse_votes, parse_year

LAST_YEAR = datetime.datetime.now(datetime.UTC).year + 10
UNKNOWN = [None, "", "  ", r"\N", "N/A", "None", "null", "nan", math.nan, "-", "Unknown", 0, "0"]


@pytest.mark.parametrize("parse", [parse_year, parse_runtime, parse_votes, parse_rating])
def test_null_words_are_unknown_in_every_column(parse):
    assert [parse(value) for value in [*UNKNOWN, 0.0, "0.0"]] == [None] * (len(UNKNOWN) + 2)


@pytest.mark.parametrize("parse", [parse_year, parse_runtime, parse_votes, parse_rating])
@pytest.mark.parametrize("value", [True, -5, "-5", "soon", ["7"], {"a": 1}, math.inf, 10**400])
def test_other_values_are_not_understood(parse, value):
    with pytest.raises(ValueError, match="expected a"):
        parse(value)


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (1954, 1954),
        (1954.0, 1954),
        ("1954", 1954),
        ("1954.0", 1954),
        (" (1954) ", 1954),
        ("03/28/1954", 1954),
        ("28.03.1954", 1954),
        ("1954-03-28", 1954),
        ("1954-03-28T10:15:00.000Z", 1954),
        ("1954.03.28", 1954),
        ("19540328", 1954),
        (19540328, 1954),
        ("March 28, 1954", 1954),
        ("28 mars 1954", 1954),
        ("Sun, 28 Mar 1954 20:00:00 GMT", 1954),
        ("TV Movie 1954", 1954),
        ("(II) (1954)", 1954),
        ("1954-1961", 1954),
        ("1954–", 1954),
        (datetime.date(1954, 3, 28), 1954),
        (datetime.datetime(1954, 3, 28, tzinfo=datetime.UTC), 1954),
        (1870, 1870),
        (str(LAST_YEAR), LAST_YEAR),
    ],
)
def test_years(value, year):
    assert parse_year(value) == year


@pytest.mark.parametrize(
    "value",
    [57, "57", 1869, LAST_YEAR + 1, "28.03.54", "1954.5", "19541", "195403281", "x" * 40 + "1954"],
)
def test_no_years(value):
    with pytest.raises(ValueError, match=f"expected a year from 1870 to {LAST_YEAR}"):
        parse_year(value)


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (708307200, 1992),
        ("708307200000", 1992),
        (708307200000.0, 1992),
        (-497318400000, 1954),
        ("1992", 1992),
    ],
)
def test_timestamps_are_years_where_the_column_says_so(value, year):
    assert parse_year(value, is_timestamp=True) == year
    if year != int(value):
        with pytest.raises(ValueError, match="expected a year"):
            parse_year(value)


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        (97, 97),
        (97.0, 97),
        ("97", 97),
        ("97 min", 97),
        ("97 mins.", 97),
        ("97 Minutes", 97),
        ("97m", 97),
        ("1h 37m", 97),
        ("1 hr 37 min", 97),
        ("1 hour, 37 minutes", 97),
        ("1h37", 97),
        ("3 h", 180),
        ("1:37:00", 97),
        ("1:37", 97),
        ("PT1H37M", 97),
        ("PT97M", 97),
        ("PT5820S", 97),
        ("1,440 min", 1440),
        ("2 Seasons", None),
        ("1 Season", None),
    ],
)
def test_running_times(value, minutes):
    assert parse_runtime(value) == minutes


@pytest.mark.parametrize("value", ["1h 37x", "PT", "97 km", 200_000, "1:75"])
def test_no_running_times(value):
    with pytest.raises(ValueError, match="expected a running time in minutes"):
        parse_runtime(value)


@pytest.mark.parametrize(
    ("value", "votes"),
    [
        (4_321, 4321),
        (4321.0, 4321),
        ("4321.0", 4321),
        ("4,321", 4321),
        ("4.321", 4321),
        ("4 321 000", 4321000),
        ("4\u202f321", 4321),
        ("4,321 votes", 4321),
        ("3.4M", 3400000),
        ("3,4 million", 3400000),
        ("27K", 27000),
        ("27k", 27000),
        ("1.5B", 1500000000),
    ],
)
def test_votes(value, votes):
    assert parse_votes(value) == votes


@pytest.mark.parametrize("value", [4.5, "4,32", "1,2345", "4 K M", 10**15])
def test_no_votes(value):
    with pytest.raises(ValueError, match="expected a number of votes"):
        parse_votes(value)


@pytest.mark.parametrize(
    ("value", "rating"),
    [
        (6.4, 6.4),
        ("6.4", 6.4),
        ("6,4", 6.4),
        ("6.4/10", 6.4),
        ("6,4 / 10", 6.4),
        (10, 10),
        ("R", None),
        ("TV-14", None),
        ("16+", None),
        ("Not Rated", None),
    ],
)
def test_ratings(value, rating):
    assert parse_rating(value) == rating


@pytest.mark.parametrize("value", [85, "85", "10.1", "64%", "3.2/5", "74 min"])
def test_no_ratings(value):
    with pytest.raises(ValueError, match="expected a rating from 0 to 10"):
        parse_rating(value)
