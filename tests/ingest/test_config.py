"""Tests of the configuration of ingest and of the messages on invalid values."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.config import IngestConfig
from schema.config import setting_name, validation_message


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
        ({"include_adult": "no"}, 'include_adult should be true or false. Received: "no"'),
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
    config = IngestConfig(title_types=("tvMovie", "movie"), plots=Path("mine.csv"), threads=3)
    assert config.output_settings() == {
        "title_types": ["movie", "tvMovie"],
        "include_adult": False,
        "unlabelled_without_plot": False,
        "rows_per_shard": 25_000,
    }
