"""Effects by occlusion, against values worked out by hand."""

import math
import time
from collections.abc import Sequence

import pytest

from schema import features as raw
from schema.errors import UserError
from serving.client import Client, Genre, Movie, Prediction, predict
from serving.web.explain import (
    BATCH_SIZE,
    MAX_PARTS_PER_FIELD,
    MIN_PROBABILITY,
    explain,
    log_odds,
    movie_parts,
    punctuation_changes,
)
from tests.data.tiny_server import TinyServer


def western(movies: Sequence[Movie]) -> list[Prediction]:
    """Predict log-odds of -1, plus 1 for each `gun`, 2 for John Wayne and -3 for a year."""

    def prediction(movie: Movie) -> Prediction:
        odds = movie.get("plot", "").lower().split().count("gun")
        odds += 2 * ("John Wayne" in movie.get("cast", "")) - 3 * bool(movie.get("year")) - 1
        return Prediction((Genre("Western", 1 / (1 + math.exp(-odds)), odds > 0),))

    return [prediction(movie) for movie in movies]


def test_an_effect_is_the_difference_of_log_odds() -> None:
    movie = {"plot": "A gun and a Gun", "year": 1939, "cast": ["John Wayne", "Ann Example"]}
    found = explain(western, movie, 60)
    effects = {(e.part.field, e.part.text): round(e.differences[0], 4) for e in found.effects}
    assert effects == {
        ("plot", ""): 2,
        ("year", ""): -3,
        ("cast", ""): 2,
        ("cast", "John Wayne"): 2,
        ("cast", "Ann Example"): 0,
        ("plot", "a and"): 0,
        ("plot", "gun"): 2,
    }
    assert (found.genres, found.skipped_parts) == (("Western",), 0)
    assert found.probabilities == pytest.approx([1 / (1 + math.exp(0))])
    without = {(e.part.kind, e.part.text): e.probabilities[0] for e in found.effects}
    assert without["word", "gun"] == pytest.approx(1 / (1 + math.exp(2)))
    assert without["name", "John Wayne"] == pytest.approx(1 / (1 + math.exp(2)))
    assert without["function words", "a and"] == found.probabilities[0]
    [gun] = [e.part for e in found.effects if e.part.text == "gun"]
    assert [found.movie["plot"][start:end] for start, end in gun.spans] == ["gun", "Gun"]


def test_an_empty_movie_has_no_effects() -> None:
    assert explain(western, {"title": " ", "year": 0}, 60).effects == ()


def test_a_text_of_one_word_is_a_field_only() -> None:
    assert [part.kind for part in movie_parts({"title": "Alien Alien!"})] == ["field"]


def test_function_words_are_one_part() -> None:
    parts = list(movie_parts({"title": "It", "plot": "He's the sheriff of the town, and The law."}))
    assert [(part.kind, part.field, part.text) for part in parts] == [
        ("field", "title", ""),
        ("field", "plot", ""),
        ("function words", "plot", "he's the of and"),
        *(("word", "plot", word) for word in ("sheriff", "town", "law")),
    ]
    assert parts[2].movie_without["plot"].split() == ["sheriff", "town,", "law."]


def test_the_noise_is_the_largest_effect_of_punctuation() -> None:
    def loud(movies: Sequence[Movie]) -> list[Prediction]:
        """Predict log-odds of 0.5 for each bracket and 0.25 for each full stop."""
        odds = [str(m).count("(") * 0.5 + m.get("plot", "").count(".") * 0.25 for m in movies]
        return [Prediction((Genre("Western", 1 / (1 + math.exp(-x)), True),)) for x in odds]

    movie = {"plot": "A gun. A train.", "year": 1939}
    assert punctuation_changes(movie) == [
        movie,
        *({**movie, "plot": plot} for plot in ("A gun. A train", '"A gun. A train."')),
        {**movie, "plot": "(A gun. A train.)"},
    ]
    assert [m["title"] for m in punctuation_changes({"title": "Alien"})] == [
        *("Alien", "Alien.", '"Alien"', "(Alien)")
    ]
    assert punctuation_changes({"title": "?!"})[1]["title"] == "?!."
    assert explain(loud, movie, 60).noise == pytest.approx((0.5,))
    assert explain(loud, {"year": 1939}, 60).noise == (0,)


def test_parts_are_skipped_after_the_timeout() -> None:
    movie = {"plot": " ".join(f"word{n}" for n in range(100))}
    assert explain(western, movie, 0).skipped_parts == 101
    pauses = iter([0.0, 0.0, 0.0, 1.0])  # The fourth request ends after the timeout.

    def slow(movies: Sequence[Movie]) -> list[Prediction]:
        time.sleep(next(pauses))
        return western(movies)

    found = explain(slow, movie, 0.5)
    assert len(found.effects) == 2 * BATCH_SIZE
    assert found.skipped_parts == 101 - 2 * BATCH_SIZE


def test_the_number_of_words_is_limited() -> None:
    parts = list(
        movie_parts({"plot": " ".join(f"w{n} W{n}" for n in range(MAX_PARTS_PER_FIELD + 7))})
    )
    assert len(parts) == 1 + MAX_PARTS_PER_FIELD
    assert parts[-1].text == f"w{MAX_PARTS_PER_FIELD - 1}"


def test_a_movie_that_is_too_long_is_refused() -> None:
    with pytest.raises(UserError, match="more than 20,000 characters"):
        explain(western, {"plot": "a " * 9000, "cast": "b|" * 3000}, 60)


def test_log_odds() -> None:
    assert log_odds(0.5) == 0
    assert log_odds(0.75) == pytest.approx(math.log(3))
    assert log_odds(0) == pytest.approx(math.log(MIN_PROBABILITY / (1 - MIN_PROBABILITY)))
    assert log_odds(1) == pytest.approx(-log_odds(0))


def test_the_effects_are_those_of_the_served_model(tiny_server: TinyServer) -> None:
    movie = {"title": "The Lighthouse", "plot": "A keeper counts ships", "year": 1927}
    with Client(tiny_server.grpc_address) as client:
        found = explain(client.predict, movie, 60)
    whole, no_year, no_ships = predict(
        [movie, {**movie, "year": 0}, {**movie, "plot": "A keeper counts "}], tiny_server.rest_url
    )
    for field, text, without in (("year", "", no_year), ("plot", "ships", no_ships)):
        [effect] = [e for e in found.effects if (e.part.field, e.part.text) == (field, text)]
        wanted = [
            log_odds(a.probability) - log_odds(b.probability)
            for a, b in zip(whole.genres, without.genres, strict=True)
        ]
        assert any(abs(value) > 0.01 for value in wanted)
        assert effect.differences == pytest.approx(wanted, abs=1e-4)
    assert {e.part.field for e in found.effects} <= set(raw.MODEL_INPUTS)
