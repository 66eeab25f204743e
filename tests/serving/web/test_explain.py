"""Effects by occlusion: what is left out, and what that does, in exact numbers."""

import math
import time
from collections.abc import Sequence

import pytest

from schema import features as raw
from schema.errors import UserError
from serving.client import Client, Genre, Movie, Prediction, predict
from serving.web.explain import (
    MOST_PARTS,
    ROWS_AT_ONCE,
    SMALLEST,
    explain,
    log_odds,
    parts_of,
    without_word,
)
from tests.data.tiny_server import Served


def western(movies: Sequence[Movie]) -> list[Prediction]:
    """Log-odds: 1 for each `gun`, 2 for John Wayne, -3 for a year, and minus 1."""

    def one(movie: Movie) -> Prediction:
        odds = movie.get("plot", "").lower().split().count("gun")
        odds += 2 * ("John Wayne" in movie.get("cast", "")) - 3 * bool(movie.get("year")) - 1
        return Prediction((Genre("Western", 1 / (1 + math.exp(-odds)), odds > 0),))

    return [one(movie) for movie in movies]


def test_an_effect_is_the_difference_of_log_odds() -> None:
    movie = {"plot": "A gun and a Gun", "year": 1939, "cast": ["John Wayne", "Ann Example"]}
    found = explain(western, movie, 60)
    told = {(e.part.field, e.part.text): round(e.by_genre[0], 4) for e in found.effects}
    assert told == {
        ("plot", ""): 2,
        ("year", ""): -3,
        ("cast", ""): 2,
        ("cast", "John Wayne"): 2,
        ("cast", "Ann Example"): 0,
        ("plot", "a"): 0,
        ("plot", "gun"): 2,
        ("plot", "and"): 0,
    }
    assert (found.genres, found.untried) == (("Western",), 0)


def test_nothing_is_explained_of_a_movie_that_is_not_known() -> None:
    assert explain(western, {"title": " ", "year": 0}, 60).effects == ()


def test_what_there_was_no_time_for_is_counted() -> None:
    movie = {"plot": " ".join(f"word{n}" for n in range(100))}
    assert explain(western, movie, 0).untried == 101
    pauses = iter([0.0, 0.0, 1.0])  # The request after the third would begin too late.

    def late(movies: Sequence[Movie]) -> list[Prediction]:
        time.sleep(next(pauses))
        return western(movies)

    found = explain(late, movie, 0.5)
    assert len(found.effects) == 2 * ROWS_AT_ONCE
    assert found.untried == 101 - 2 * ROWS_AT_ONCE


@pytest.mark.parametrize(
    ("text", "word", "rest"),
    [
        ("The gun. the Gun's", "gun", "The . the Gun's"),
        ("Don't, don’t", "don't", ", don’t"),
        ("gunman gun_gun", "gun", "gunman _"),
        ("Été à Nîmes", "été", " à Nîmes"),
    ],
)
def test_a_word_is_left_out_wherever_it_stands(text: str, word: str, rest: str) -> None:
    assert without_word(text, word) == rest


def test_only_so_many_words_are_tried() -> None:
    parts = list(parts_of({"plot": " ".join(f"w{n} W{n}" for n in range(MOST_PARTS + 7))}))
    assert len(parts) == 1 + MOST_PARTS
    assert parts[-1].text == f"w{MOST_PARTS - 1}"


def test_a_movie_that_is_too_long_is_not_taken_apart() -> None:
    with pytest.raises(UserError, match="more than 20,000 characters"):
        explain(western, {"plot": "a " * 9000, "cast": "b|" * 3000}, 60)


def test_log_odds() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.75) == pytest.approx(math.log(3))
    assert log_odds(0) == pytest.approx(math.log(SMALLEST / (1 - SMALLEST)))
    assert log_odds(1) == pytest.approx(-log_odds(0))


def test_the_effects_are_those_of_the_served_model(served: Served) -> None:
    movie = {"title": "The Lighthouse", "plot": "A keeper counts ships", "year": 1927}
    with Client(served.grpc) as client:
        found = explain(client.predict, movie, 60)
    whole, no_year, no_ships = predict(
        [movie, {**movie, "year": 0}, {**movie, "plot": "A keeper counts "}], served.rest
    )
    for field, text, without in (("year", "", no_year), ("plot", "ships", no_ships)):
        [effect] = [e for e in found.effects if (e.part.field, e.part.text) == (field, text)]
        wanted = [
            log_odds(a.probability) - log_odds(b.probability)
            for a, b in zip(whole.genres, without.genres, strict=True)
        ]
        assert any(abs(value) > 0.01 for value in wanted)
        assert effect.by_genre == pytest.approx(wanted, abs=1e-4)
    assert {e.part.field for e in found.effects} <= set(raw.MODEL_INPUTS)
