"""Tests of the configuration of ingest and of the messages on invalid values."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.config import IngestConfig
from schema.config import setting_name, validation_message

TOO_MANY_GENRES = [f"g{number}" for number in range(201)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"title_types": []},
            "title_types should name at least one of IMDb's title types, such as movie. "
            "Received: []",
        ),
        (
            {"title_types": "movie"},
            'title_types should be a list, such as [one, other]. Received: "movie"',
        ),
        ({"title_types": [1]}, "item 1 of title_types should be text. Received: 1"),
        (
            {"title_types": ("movie", "movie'--")},
            "item 2 of title_types should be one of IMDb's title types, such as movie or tvMovie. "
            'Received: "movie\'--"',
        ),
        ({"genres": ["Noir"]}, 'genres should have 2 to 200 genres. Received: ["Noir"]'),
        (
            {"genres": TOO_MANY_GENRES},
            f"genres should have 2 to 200 genres. Received: {json.dumps(TOO_MANY_GENRES)}",
        ),
        (
            {"genres": ["Noir", "War", "Noir"]},
            'genres should not name a genre twice. Received: ["Noir", "War", "Noir"]',
        ),
        (
            {"genres": ["Noir", "War|Crime"]},
            "item 2 of genres should be a name without |, line breaks, and spaces at its ends. "
            'Received: "War|Crime"',
        ),
        (
            {"genre_map": {"Noir": "Crime\n"}},
            "genre_map.Noir should be a name without |, line breaks, and spaces at its ends. "
            'Received: "Crime\\n"',
        ),
        (
            {"genre_map": {"Sci-Fi": "Space", " sci-fi": "Rockets"}},
            "genre_map. sci-fi should be left out: it is the same genre as Sci-Fi",
        ),
        ({"include_adult": "no"}, 'include_adult should be true or false. Received: "no"'),
        (
            {"columns": {"storyline": "Story"}},
            "columns.storyline should be one of tconst, id, plot, title, year, runtime_minutes, "
            "average_rating, num_votes, directors, writers, cast, genres, original_title, kind. "
            'Received: "storyline"',
        ),
        ({"columns": {"plot": 7}}, "columns.plot should be text. Received: 7"),
        ({"min_genre_movies": 0}, "min_genre_movies should be at least 1. Received: 0"),
        ({"plots": 5}, "plots should be a path. Received: 5"),
        ({"max_reject_share": 1.5}, "max_reject_share should be at most 1. Received: 1.5"),
        (
            {"max_reject_share": float("nan")},
            "max_reject_share should be a finite number. Received: NaN",
        ),
        ({"rows_per_shard": 0}, "rows_per_shard should be at least 1. Received: 0"),
        ({"rows_per_shard": 1.5}, "rows_per_shard should be a whole number. Received: 1.5"),
        ({"memory_limit": "lots"}, 'memory_limit should be a size such as 2GB. Received: "lots"'),
        ({"threads": -1}, "threads should be at least 0. Received: -1"),
        ({"threads": True}, "threads should be a whole number. Received: true"),
        ({"threads": None}, "threads should be a whole number. Received: nothing"),
    ],
)
def test_an_invalid_value_is_rejected(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        IngestConfig.model_validate(values)
    [error] = caught.value.errors()
    assert validation_message(error, setting_name(error["loc"])) == message


def test_output_settings() -> None:
    config = IngestConfig(
        title_types=("tvMovie", "movie"),
        plots=Path("mine.csv"),
        table=Path("films.csv"),
        columns={"plot": "Story"},
        threads=3,
    )
    assert config.output_settings() == {
        "title_types": ["movie", "tvMovie"],
        "include_adult": False,
        "genres": None,
        "genre_map": {},
        "min_genre_movies": 10,
        "columns": {"plot": "Story"},
        "unlabelled_without_plot": False,
        "rows_per_shard": 25_000,
    }
