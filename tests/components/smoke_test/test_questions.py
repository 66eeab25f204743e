"""Each question is the same row in the forms that the signatures take."""

import math

import tensorflow as tf

from components.smoke_test.questions import edge_questions, question_of_example
from tests.components.smoke_test.test_probe import EDGE_ROWS
from tests.data.tiny_model import movie


def test_questions_of_examples_are_the_same_row_in_both_forms() -> None:
    question = question_of_example(movie(2).SerializeToString(), 7)
    assert question.name == "row 7 (tt0000002)"
    assert question.features == {
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
    assert question.example == movie(2).SerializeToString()

    bare = question_of_example(tf.train.Example().SerializeToString(), 0)
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


def test_edge_questions_are_the_same_row_in_both_forms() -> None:
    questions = {question.name: question for question in edge_questions()}
    assert list(questions) == EDGE_ROWS
    for question in questions.values():
        again = question_of_example(question.example, 0).features
        known = {name: value for name, value in again.items() if value == value and value != b""}
        assert {name: question.features[name] for name in known} == known
    long_plot = questions["edge row 'plot of 100,000 words'"].features["plot"]
    assert isinstance(long_plot, bytes)
    assert len(long_plot.split()) == 100_012
