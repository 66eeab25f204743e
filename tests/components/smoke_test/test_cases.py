"""Each case is the same movie in the forms that the signatures take."""

import math

import tensorflow as tf

from components.smoke_test.cases import case_from_example, edge_cases
from tests.components.smoke_test.test_probe import EDGE_CASES
from tests.data.tiny_model import make_movie


def test_cases_from_examples_are_the_same_movie_in_both_forms() -> None:
    case = case_from_example(make_movie(2).SerializeToString(), 7)
    assert case.name == "row 7 (tt0000002)"
    assert case.features == {
        "plot": b"A keeper of bees counts her hives counts her hives ",
        "title": b"Movie 2",
        "year": 1952.0,
        "runtime_minutes": 82.0,
        "average_rating": 5.5,
        "num_votes": 24.0,
        "directors": b"Director 2",
        "writers": b"Ada Example|Ben Example",
        "cast": b"Actor 0|Actor 1",
    }
    assert case.example == make_movie(2).SerializeToString()

    bare = case_from_example(tf.train.Example().SerializeToString(), 0)
    assert bare.name == "row 0"
    assert [name for name, value in bare.features.items() if value == b""] == [
        "plot",
        "title",
        "directors",
        "writers",
        "cast",
    ]
    assert all(
        math.isnan(float(bare.features[name]))
        for name in ("year", "runtime_minutes", "average_rating", "num_votes")
    )


def test_edge_cases_are_the_same_movie_in_both_forms() -> None:
    cases = {case.name: case for case in edge_cases()}
    assert list(cases) == EDGE_CASES
    for case in cases.values():
        again = case_from_example(case.example, 0).features
        known = {name: value for name, value in again.items() if value == value and value != b""}
        assert {name: case.features[name] for name in known} == known
    long_plot = cases["edge case 'plot of 100,000 words'"].features["plot"]
    assert isinstance(long_plot, bytes)
    assert len(long_plot.split()) == 100_012
