"""What is a movie, and what the model gets to read of it."""

from typing import Any

import pytest

from schema import features as raw
from serving.client.movies import FieldError, checked, columns


@pytest.mark.parametrize(
    ("given", "read"),
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
def test_a_movie_is_read(given: dict[str, Any], read: dict[str, Any]) -> None:
    assert checked(given) == read
    assert checked(checked(given)) == read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"titel": "x"}, "titel: no such field; did you mean title?"),
        ({"zzz": "x"}, f"zzz: no such field; there are {', '.join(raw.MODEL_INPUTS)}"),
        ({"title": 7}, "title: expected text, not 7"),
        ({"year": "nineteen"}, "year: expected a number, not 'nineteen'"),
        ({"year": True}, "year: expected a number, not True"),
        ({"year": [1927]}, "year: expected a number, not [1927]"),
        ({"year": 1927.5}, "year: expected a whole number, not 1927.5"),
        ({"year": "1e39"}, "year: '1e39' is too large"),
        ({"year": 10**400}, f"year: expected a number, not {str(10**400)[:37]}..."),
        ({"cast": ["A|B"]}, "cast: a name in a list must not hold |, as 'A|B' does"),
        ({"cast": {"A": 1}}, "cast: expected text, not {'A': 1}"),
        ({"plot": "\udcff"}, "plot: is not valid UTF-8"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_field(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(FieldError) as caught:
        checked(given)
    assert str(caught.value) == message
    assert caught.value.field == next(iter(given))


def test_every_input_of_the_model_is_a_column() -> None:
    made = columns([{"title": "A", "year": 1927}, {"cast": ["B", "C"]}])
    assert tuple(made) == raw.MODEL_INPUTS
    assert made["title"] == ["A", ""]
    assert made["year"] == [1927.0, 0.0]
    assert made["cast"] == ["", "B|C"]
    assert made["num_votes"] == [0.0, 0.0]
