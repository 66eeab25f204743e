"""Tests of the validation of movies and their conversion to model inputs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schema import features as raw
from serving.client.movies import (
    FieldError,
    field_errors,
    has_title_alone,
    model_inputs,
    validate_movie,
)
from tables.numbers import FIRST_YEAR, YEARS_AHEAD

EXPECTED_YEAR = f"year: expected a year from {FIRST_YEAR} to {datetime.now(UTC).year + YEARS_AHEAD}"


@pytest.mark.parametrize(
    ("movie", "expected"),
    [
        ({"title": " Metropolis "}, {"title": "Metropolis"}),
        ({"title": None, "plot": ""}, {}),
        ({"year": "1927"}, {"year": 1927.0}),
        ({"year": 1927, "average_rating": 8.3}, {"year": 1927.0, "average_rating": 8.3}),
        ({"year": "", "num_votes": 0, "runtime_minutes": 0.0}, {}),
        ({"num_votes": "1,234,567"}, {"num_votes": 1234567.0}),
        (
            {"year": "06/15/1990", "runtime_minutes": "2h 22m"},
            {"year": 1990.0, "runtime_minutes": 142.0},
        ),
        ({"num_votes": "1.2K", "average_rating": "N/A"}, {"num_votes": 1200.0}),
        ({"year": float("nan")}, {}),
        ({"cast": "A| |B|"}, {"cast": "A|B"}),
        ({"cast": ["A", " B", ""]}, {"cast": "A|B"}),
        ({"cast": []}, {}),
    ],
)
def test_a_movie_is_validated(movie: dict[str, Any], expected: dict[str, Any]) -> None:
    assert validate_movie(movie) == expected
    assert validate_movie(expected) == expected


@pytest.mark.parametrize(
    ("movie", "message"),
    [
        ({"titel": "x"}, "titel: unknown field. Did you mean title?"),
        ({"zzz": "x"}, f"zzz: unknown field. The fields are {', '.join(raw.MODEL_INPUTS)}."),
        ({"title": 7}, "title: expected text, got 7"),
        ({"year": "nineteen"}, f"{EXPECTED_YEAR}, got 'nineteen'"),
        ({"year": True}, f"{EXPECTED_YEAR}, got True"),
        ({"year": [1927]}, f"{EXPECTED_YEAR}, got [1927]"),
        ({"year": 1927.5}, f"{EXPECTED_YEAR}, got 1927.5"),
        ({"year": 57}, f"{EXPECTED_YEAR}, got 57"),
        ({"year": 10**400}, f"{EXPECTED_YEAR}, got {str(10**400)[:37]}..."),
        ({"year": "3025"}, f"{EXPECTED_YEAR}, got '3025'"),
        ({"average_rating": "85"}, "average_rating: expected a rating from 0 to 10, got '85'"),
        ({"average_rating": 11}, "average_rating: expected a rating from 0 to 10, got 11"),
        (
            {"runtime_minutes": -5},
            "runtime_minutes: expected a running time in minutes, got -5",
        ),
        ({"num_votes": -1}, "num_votes: expected a number of votes, got -1"),
        ({"num_votes": 1e39}, "num_votes: expected a number of votes, got 1e+39"),
        (
            {"runtime_minutes": float("inf")},
            "runtime_minutes: expected a running time in minutes, got inf",
        ),
        ({"cast": ["A|B"]}, "cast: expected names without |, got 'A|B'"),
        ({"cast": {"A": 1}}, "cast: expected text, got {'A': 1}"),
        ({"plot": "\udcff"}, "plot: is not valid UTF-8"),
    ],
)
def test_errors_name_the_field(movie: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        validate_movie(movie)
    assert str(caught.value) == message
    assert caught.value.field == next(iter(movie))


def test_every_input_of_the_model_is_a_column() -> None:
    inputs = model_inputs([{"title": "A", "year": 1927}, {"cast": ["B", "C"]}])
    assert tuple(inputs) == raw.MODEL_INPUTS
    assert inputs["title"] == ["A", ""]
    assert inputs["year"] == [1927.0, 0.0]
    assert inputs["cast"] == ["", "B|C"]
    assert inputs["num_votes"] == [0.0, 0.0]


def test_every_wrong_field_has_an_error() -> None:
    errors = field_errors({"title": "A", "year": 3025, "average_rating": "11", "polt": "x"})
    assert [error.field for error in errors] == ["year", "average_rating", "polt"]
    assert field_errors({"title": "A", "year": 1925}) == []


def test_a_title_is_alone_if_no_other_field_is_known() -> None:
    movies = [{"title": "A"}, {"title": "A", "year": 1925}, {"title": " "}, {"plot": "B"}]
    assert has_title_alone(model_inputs(movies)) == [True, False, False, False]
    assert has_title_alone(model_inputs([{"title": "A", "cast": [""], "year": 0}])) == [True]
    assert has_title_alone(model_inputs([])) == []
