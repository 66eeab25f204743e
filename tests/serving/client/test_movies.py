"""Tests of the validation of movies and their conversion to model inputs."""

from typing import Any

import pytest

from schema import features as raw
from serving.client.movies import FieldError, model_inputs, validate_movie


@pytest.mark.parametrize(
    ("movie", "expected"),
    [
        ({"title": " Metropolis "}, {"title": "Metropolis"}),
        ({"title": None, "plot": ""}, {}),
        ({"year": "1927"}, {"year": 1927.0}),
        ({"year": 1927, "average_rating": 8.3}, {"year": 1927.0, "average_rating": 8.3}),
        ({"year": "", "num_votes": 0, "runtime_minutes": -1}, {}),
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
        ({"year": "nineteen"}, "year: expected a number, got 'nineteen'"),
        ({"year": True}, "year: expected a number, got True"),
        ({"year": [1927]}, "year: expected a number, got [1927]"),
        ({"year": 1927.5}, "year: expected a whole number, got 1927.5"),
        ({"year": "1e39"}, "year: expected at most 3.4e+38, got '1e39'"),
        ({"year": 10**400}, f"year: expected a number, got {str(10**400)[:37]}..."),
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
